"""The command that shows what happened when."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import click

from . import inputs
from .command import Command, with_session
from .plain import cut, one_line
from .screen import say, show, table, waiting
from .session import Session
from .views import note_values

if TYPE_CHECKING:
    from ...sdk.timeline import Event

__all__ = ["timeline"]

_LONGEST = 300  # characters of a text


@click.command(
    cls=Command,
    epilog="""
    tercet timeline "How many times did I go running in May 2023?"
    tercet timeline "What came first, the move or the wedding?"
    tercet timeline "When did I last see Tom?" --json
    """,
)
@click.argument("question")
@click.option("--limit", metavar="N", type=int, default=20, show_default=True, help="At most so many, the earliest.")
@click.option("--as-of", metavar="DATE", help="Only what had happened by then; what 'last week' is relative to.")
@click.option("--known-at", metavar="DATE", help="Only what was known by then; change:12 names a change.")
@with_session
def timeline(session: Session, question: str, limit: int, as_of: str | None, known_at: str | None) -> None:
    """Shows what a QUESTION is about, in order of time, and counts it.

    A note is counted if it holds every word of the QUESTION that tells something. Where none does, what a read finds
    is shown in order of time, uncounted. Where it asks when, the time of what fits best is told. A QUESTION of - is
    read from standard input.
    """
    moment, asked = inputs.known(known_at), inputs.text_of(question)
    with session.open() as memory, waiting("reading"):
        found = memory.timeline(asked, as_of=as_of, known_at=moment)
    if session.as_json:
        session.answer(
            {
                "count": found.count,
                "exact": found.exact,
                "when": _values(found.when) if found.when else None,
                "events": [_values(event) for event in found.events[:limit]],
            }
        )
        return
    if not found.events:
        say("nothing fits")
        return
    show(table("date", "said", "speaker", "memory", rows=[_row(event) for event in found.events[:limit]]))
    if found.when and found.when.since:
        show(f"best fit: {_days(found.when)}")
    more = f", the earliest {limit} shown" if len(found) > limit else ""
    say(f"{found.count:,} times{more}" if found.exact else "no note holds all words of the question: nothing counted")


def _days(event: Event) -> str:
    """Returns the days of an event: one, or the first and the last."""
    first, last = date.fromisoformat(event.since), date.fromisoformat(event.until) - timedelta(1)
    return f"{first}" if first == last else f"{first} to {last}"


def _values(event: Event) -> dict[str, object]:
    return {
        "since": event.since,
        "until": event.until,
        "said": event.said,
        "about": event.about,
        "note": note_values(event.note),
    }


def _row(event: Event) -> tuple[str, str, str, str]:
    about = f"[{one_line(event.about)}] " if event.about else ""
    return (
        event.since,
        cut(one_line(event.said), 24),
        cut(one_line(event.note.speaker), 20),
        cut(f"{about}{one_line(event.note.text)}", _LONGEST),
    )
