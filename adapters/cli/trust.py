"""Commands that keep notes out of every read until they are looked at: quarantine, release."""

from __future__ import annotations

import click

from .choosing import Meant, with_notes_meant
from .command import Command, with_session
from .screen import waiting
from .session import Session

__all__ = ["quarantine", "release"]


@click.command(
    cls=Command,
    epilog="""
    tercet quarantine --origin web --source https://example.org
    tercet quarantine 3f2a9c1e5b7d8e90
    tercet list --held
    """,
)
@with_session
@with_notes_meant
def quarantine(session: Session, meant: Meant) -> None:
    """Sets notes aside, so that no read finds them.

    All their versions go, and what was made of them. tercet release brings them back, tercet forget removes them.
    """
    with session.open() as memory, waiting("setting aside"):
        count = memory.quarantine(*meant.ids, **meant.filters)
    _answer(session, count, "set aside; tercet list --held shows them")


@click.command(
    cls=Command,
    epilog="""
    tercet release --origin web
    """,
)
@with_session
@with_notes_meant
def release(session: Session, meant: Meant) -> None:
    """Brings notes back that were set aside."""
    with session.open() as memory, waiting("releasing"):
        count = memory.release(*meant.ids, **meant.filters)
    _answer(session, count, "released")


def _answer(session: Session, count: int, done: str) -> None:
    if session.as_json:
        session.answer({"notes": count})
    else:
        click.echo(f"{count:,} {'note' if count == 1 else 'notes'} {done}")
