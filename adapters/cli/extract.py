"""The command that lets a language model read notes and keep the facts they state."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from .chat import model_of
from .command import Command, with_session
from .plain import cut, one_line
from .screen import labelled, progress, say, show, table, waiting
from .session import Session

if TYPE_CHECKING:
    from ...sdk.extracting import Extraction, ExtractionCost

__all__ = ["extract"]

_SHOWN = 10  # refusals


@click.command(
    cls=Command,
    epilog="""
    tercet extract --model Qwen/Qwen3-0.6B --dry-run
    tercet extract --endpoint http://localhost:11434/v1 --model qwen3 --limit 100
    tercet extract --model Qwen/Qwen3-0.6B --price-in 0.05 --price-out 0.4 --dry-run
    """,
)
@click.option(
    "--model",
    "name",
    metavar="NAME",
    required=True,
    help="A folder, a name on the Hugging Face hub, or the server's name.",
)
@click.option("--endpoint", metavar="URL", help="An OpenAI-compatible server; its key is read from TERCET_API_KEY.")
@click.option("--limit", metavar="N", type=click.IntRange(1), help="At most so many notes, the oldest first.")
@click.option("--at-once", metavar="N", type=click.IntRange(1), default=8, show_default=True, help="Notes a request.")
@click.option("--origin", "origins", metavar="NAME", multiple=True, help="Only of this origin; may be repeated.")
@click.option("--price-in", metavar="PRICE", type=click.FloatRange(0), default=0.0, help="Of a million tokens read.")
@click.option("--price-out", metavar="PRICE", type=click.FloatRange(0), default=0.0, help="Of a million tokens said.")
@click.option("--dry-run", is_flag=True, help="Only say what it would cost; the model is asked nothing.")
@with_session
def extract(
    session: Session,
    name: str,
    endpoint: str | None,
    limit: int | None,
    at_once: int,
    origins: tuple[str, ...],
    price_in: float,
    price_out: float,
    dry_run: bool,
) -> None:
    """Lets a language model read notes and keeps the facts they state.

    Only notes that this model has not read yet. A fact is kept where the words that it rests on stand in its note;
    what is refused is said. Notes are never changed, and no fact found so ends one that a person stated. What was
    answered is kept at once, so the command can be broken off and run again.
    """
    from ...engines.extraction import FactReader

    reader = FactReader(model_of(name, endpoint), notes_at_once=at_once)
    with session.open() as memory:
        with waiting("counting"):
            cost = memory.extraction_cost(reader, limit=limit, origins=origins or None)
        if dry_run:
            _answer_cost(session, cost, _price(cost.tokens_in, cost.tokens_out, price_in, price_out))
            return
        with progress("reading", cost.notes) as advance:
            done = memory.extract(reader, limit=limit, origins=origins or None, on_progress=advance)
    _answer(session, done, cost, _price(done.tokens_in, done.tokens_out, price_in, price_out))


def _price(tokens_in: int, tokens_out: int, price_in: float, price_out: float) -> float:
    return (tokens_in * price_in + tokens_out * price_out) / 1e6


def _answer_cost(session: Session, cost: ExtractionCost, price: float) -> None:
    if session.as_json:
        session.answer(asdict(cost) | {"price": price})
        return
    show(
        labelled(
            [
                ("to read", f"{cost.notes:,} notes in {cost.requests:,} requests"),
                ("tokens in", f"{cost.tokens_in:,}, about"),
                ("tokens out", f"{cost.tokens_out:,} at the most"),
                ("price", f"{price:,.4f} at the most" if price else ""),
            ]
        )
    )


def _answer(session: Session, done: Extraction, cost: ExtractionCost, price: float) -> None:
    if session.as_json:
        session.answer(asdict(done) | {"price": price})
        return
    show(
        labelled(
            [
                ("read", f"{done.notes:,} of {cost.notes:,} notes in {done.requests:,} requests"),
                ("facts kept", f"{done.facts:,}"),
                ("tokens", f"{done.tokens_in:,} in, {done.tokens_out:,} out"),
                ("price", f"{price:,.4f}" if price else ""),
                ("refused", f"{len(done.refused):,}" if done.refused else ""),
            ]
        )
    )
    if done.refused:
        rows = [(one.note or "-", one_line(one.why), cut(one_line(one.said), 120)) for one in done.refused[:_SHOWN]]
        show("", table("note", "why", "said", rows=rows))
        if len(done.refused) > _SHOWN:
            say(f"and {len(done.refused) - _SHOWN:,} more; --json shows all")
    if done.notes < cost.notes:
        say(f"{cost.notes - done.notes:,} notes got no usable answer and are read next time")
