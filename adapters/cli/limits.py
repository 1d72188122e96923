"""The command that limits how much a scope may hold."""

from __future__ import annotations

from dataclasses import asdict

import click

from ...store.errors import InvalidInput
from .command import Command, with_session
from .screen import say, show, table
from .session import Session

__all__ = ["limit"]


@click.command(
    cls=Command,
    epilog="""
    tercet limit --notes 100000 --bytes 50000000 --scope ada
    tercet limit --scope ada
    tercet limit --none --scope ada
    """,
)
@click.option("--notes", type=click.IntRange(min=0), help="Most notes, every version counted.")
@click.option("--bytes", "size", type=click.IntRange(min=0), help="Most bytes of text, every version counted.")
@click.option("--none", "lift", is_flag=True, help="Lift the limits of the scope.")
@with_session
def limit(session: Session, notes: int | None, size: int | None, lift: bool) -> None:
    """Limits what a scope and all below it may hold, or shows its limits.

    A write that would pass a limit is refused. What is there already stays, and can be read and forgotten.
    """
    if lift and (notes is not None or size is not None):
        raise click.UsageError("--none lifts the limits; leave --notes and --bytes out")
    with session.open(new=not lift) as memory:
        if lift and session.scope not in memory.limits():
            raise InvalidInput(f"scope {session.scope!r} has no limit")
        if lift or notes is not None or size is not None:
            memory.limit(notes=notes, bytes=size)
        found = memory.limits()
    if session.as_json:
        session.answer({scope: asdict(one) for scope, one in found.items()})
    elif not found:
        say(f"{session.scope} has no limits")
    else:
        told = [
            [scope, f"{one.used_notes:,}", _most(one.notes), f"{one.used_bytes:,}", _most(one.bytes)]
            for scope, one in found.items()
        ]
        heads = ("scope", "notes", "at most", "bytes", "at most ")
        show(table(*heads, rows=told, right=heads[1:]))


def _most(limit: int | None) -> str:
    return "any number" if limit is None else f"{limit:,}"
