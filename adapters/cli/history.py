"""The command history: what became of a note."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .command import Command, with_session
from .screen import console, show
from .session import Session
from .views import note_values
from .worddiff import word_diff

if TYPE_CHECKING:
    from rich.text import Text

    from ...sdk.history import Event

__all__ = ["history"]

_WORDLESS = {
    "undo": "taken back; nothing stands in its place",
    "quarantine": "put in quarantine; no read finds it",
    "release": "released; reads find it again",
}


@click.command(
    cls=Command,
    epilog="""
    tercet history 3f2a9c1e5b7d8e90
    """,
)
@click.argument("id")
@with_session
def history(session: Session, id: str) -> None:
    """Shows what became of a note, word by word."""
    with session.open() as memory:
        events = memory.history(id)
    if session.as_json:
        session.answer(
            [
                {"change": made.change, "op": made.op, "at": made.at, "note": made.note and note_values(made.note)}
                for made in events
            ]
        )
        return
    before = ""
    for made in events:
        show(*_event(made, before))
        before = made.note.text if made.note else before


def _event(made: Event, before: str) -> tuple[str | Text, ...]:
    from rich.text import Text

    head = Text(f"change {made.change}  {made.op}  {made.at[:19]} UTC", "bold")
    if made.note is None:
        return (head, f"  {_WORDLESS[made.op]}", "")
    head.append(f"  {made.note.id}", "dim")
    words = word_diff(before, made.note.text, coloured=console().color_system is not None)
    words.pad_left(2)
    return (head, words, "")
