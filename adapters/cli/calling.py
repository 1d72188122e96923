"""The command that carries out one call of a model's."""

from __future__ import annotations

import click

from . import inputs
from .command import Command, with_session
from .plain import one_line
from .screen import say, waiting
from .session import Session

__all__ = ["call"]

_TOLD = {
    "written": "written",
    "known": "known already",
    "unclear": "the name may mean several:",
    "nothing": "nothing is known",
    "too many": "too many values; --most shows more",
}


@click.command(
    cls=Command,
    epilog=r"""
    tercet call "MEM_READ(Ada >> lives in >> ?)"
    tercet call "MEM_READ(? >> lives in >> Lisbon)" --as-of 2024-06
    tercet call "MEM_WRITE(Ada >> likes >> green tea)"
    """,
)
@click.argument("text", metavar="CALL")
@click.option("--most", metavar="N", type=int, default=10, show_default=True, help="Show no values if there are more.")
@click.option("--as-of", metavar="DATE", help="What was true then.")
@click.option("--known-at", metavar="DATE", help="Only what was known by then; change:12 names a change.")
@click.option("--source", metavar="WHERE", default="call", show_default=True, help="Where what is written comes from.")
@with_session
def call(session: Session, text: str, most: int, as_of: str | None, known_at: str | None, source: str) -> None:
    """Carries out a CALL as a model makes it: reads or writes one fact.

    Names are taken as the memory spells them; one that it does not know is looked for among those that differ by one
    slip. What is written is of origin model. A CALL of - is read from standard input.
    """
    from ...engines.calls.grammar import format_call, parse_call

    made = parse_call(inputs.text_of(text))
    moment = inputs.known(known_at)
    with session.open(new=made.verb == "write") as memory, waiting("calling"):
        from ...sdk.calls import Calls

        outcome = Calls(memory, as_of=as_of, known_at=moment, most=most, source=source).run(made)
    used = format_call(outcome.used) if outcome.used else None
    if session.as_json:
        session.answer(
            {
                "status": outcome.status,
                "values": list(outcome.values),
                "used": used,
                "notes": list(outcome.notes),
                "why": outcome.why,
            }
        )
        return
    if used:
        say(f"read as {used}")
    if outcome.status != "found":
        say(_TOLD.get(outcome.status, f"{outcome.status}: {one_line(outcome.why)}"))
    for value in outcome.values:
        click.echo(one_line(value))
