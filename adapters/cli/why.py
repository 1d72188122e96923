"""The command why: one question to a model, and which memories it used for the answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .chat import EFFECT, MINI_CAN
from .command import Command, with_session
from .files import replacing
from .inputs import text_of
from .plain import cut, one_line, plain
from .reading import recall_values, told
from .screen import console, say, show, table, waiting
from .session import Session
from .views import day

if TYPE_CHECKING:
    from ...sdk.attributing import Attribution
    from ..heat_map import HeatMap

__all__ = ["why"]


@click.command(
    cls=Command,
    epilog="""
    tercet why "Where does Ada live?"
    tercet why "Where does Ada live?" --model Qwen/Qwen3-0.6B --output used.html
    tercet why "Where does Ada live?" --heads 1 --output heads.png
    """,
)
@click.argument("question")
@click.option("--model", "name", metavar="NAME", help="A folder, or a name on the Hugging Face hub.")
@click.option("-k", "--count", "k", metavar="N", type=int, default=5, show_default=True, help="Most memories.")
@click.option(
    "--max-tokens", metavar="N", type=click.IntRange(1), help="Longest answer.  [default: 256; 40 without --model]"
)
@click.option("--heads", metavar="N", type=click.IntRange(1), help="Show the N-th memory, head by head.")
@click.option(
    "--output",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write a picture: FILE.html is a page for a browser, FILE.png the heat map alone.",
)
@click.option("--yes", is_flag=True, help="Replace FILE without asking.")
@with_session
def why(
    session: Session,
    question: str,
    name: str | None,
    k: int,
    max_tokens: int | None,
    heads: int | None,
    file: str | None,
    yes: bool,
) -> None:
    """Shows which memories a model used for its answer.

    The memories are put into its attention. Shown are how much of it each one got, and how much less likely, in nats,
    the same answer is without it. Nothing is written. Without --model the small model that comes with Tercet answers.
    A QUESTION of - is read from standard input.
    """
    kind = Path(file).suffix.lower() if file is not None else ""
    if file is not None and kind not in (".html", ".htm", ".png"):
        raise click.UsageError(f"{file} is neither a page nor a picture; name a file that ends in .html or .png")
    from ...engines.local_model import LocalModel
    from ...engines.mini import MINI
    from ...sdk.attributing import attribute
    from ..heat_map import heads_of, memories_by_layer

    asked = text_of(question)
    model = LocalModel(name or MINI)
    with session.open() as memory, waiting(f"asking {model.name}"):
        found = attribute(memory, model, asked, k=k, max_tokens=max_tokens or (256 if name else 40))
    heat = memories_by_layer(found.attention) if heads is None else heads_of(found.attention, heads)
    if file is not None:
        if kind == ".png" and not found.recall:
            raise click.UsageError("nothing was recalled, so there is no picture to write")
        with replacing(file, yes=yes) as stream:
            stream.write(_drawn(found, heat, model.name, kind))
    if session.as_json:
        session.answer(_values(found, model.name) | ({} if file is None else {"file": file}))
        return
    if name is None:
        say(f"{MINI_CAN} --model NAME asks a larger one.")
    _show(found, heat)
    if file is not None:
        say(f"{file}: {'the picture' if file.lower().endswith('.png') else 'the page; open it in a browser'}")


def _drawn(found: Attribution, heat: HeatMap, model: str, kind: str) -> bytes:
    if kind == ".png":
        from ..heat_picture import heat_picture

        return heat_picture(heat)
    from ..heat_page import heat_page

    return heat_page(found, model=model).encode()


def _show(found: Attribution, heat: HeatMap) -> None:
    from ..heat_map import nats
    from .heat import heat_table

    click.echo(plain(found.answer) or "(no answer)")
    if not found.recall:
        say("nothing was recalled, so nothing was used")
        return
    effects = found.effects.each if found.effects else ()
    rows = [
        (
            str(place + 1),
            f"{share:.1%}",
            nats(effects[place]) if effects else "",
            day(one.note.happened),
            cut(one_line(one.note.speaker), 20),
            told(one),
        )
        for place, (one, share) in enumerate(zip(found.recall, found.attention, strict=True))
    ]
    heads = ("", "attention", "effect", "date", "speaker", "memory")
    show("", table(*heads, rows=rows, right=heads[:3]), "", heat_table(heat, width=console().width))
    if found.effects:
        say(EFFECT.format(nats(found.effects.together)))


def _values(found: Attribution, model: str) -> dict[str, object]:
    shares, effects = found.attention, found.effects
    by_head = shares.by_head.astype(float).round(6)
    by_layer = shares.by_layer.astype(float).round(6)
    memories = [
        {
            "attention": share,
            "effect": effects.each[place] if effects else None,
            "by_layer": by_layer[:, place].tolist(),
            "by_head": by_head[:, :, place].tolist(),
        }
        | value
        for place, (share, value) in enumerate(zip(shares, recall_values(found.recall), strict=True))
    ]
    return {
        "question": found.recall.cue,
        "model": model,
        "answer": found.answer,
        "layers": list(shares.layers),
        "likelihood": effects.likelihood if effects else None,
        "together": effects.together if effects else None,
        "tokens": effects.tokens if effects else None,
        "memories": memories,
    }
