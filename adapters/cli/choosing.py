"""The options that say which notes a command means: their ids, or what they have in common."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Concatenate, ParamSpec

import click

from . import inputs
from .session import Session

__all__ = ["Meant", "with_notes_meant"]

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Meant:
    """Which notes are meant, in the arguments of `Memory.forget` and its like.

    Attributes:
        ids: of the notes; empty to go by the filters.
        filters: keyword -> value.
    """

    ids: tuple[str, ...]
    filters: dict[str, str]


def with_notes_meant(
    command: Callable[Concatenate[Session, Meant, P], None],
) -> Callable[Concatenate[Session, P], None]:
    """Gives a command IDs and filters to choose by, as one `Meant`.

    Raises:
        click.UsageError: from the command, when neither or both are given.
    """

    @click.argument("ids", metavar="[ID]...", nargs=-1)
    @click.option("--speaker", metavar="NAME", help="All that this one said.")
    @click.option("--source", metavar="WHERE", help="All that was said there.")
    @click.option("--thread", metavar="NAME", help="All of this conversation.")
    @click.option("--origin", metavar="NAME", help="All of this origin: user, tool, web, model or import.")
    @click.option("--everything", is_flag=True, help="All of the scope, and of the scopes below it.")
    @functools.wraps(command)
    def wrapped(session: Session, /, *args: P.args, **kwargs: P.kwargs) -> None:
        given = kwargs.pop("ids")
        named = {name: kwargs.pop(name) for name in ("speaker", "source", "thread", "origin")}
        filters = {name: str(value) for name, value in named.items() if value is not None}
        if kwargs.pop("everything"):
            if filters:
                raise click.UsageError("--everything leaves nothing to choose; leave the other options out")
            filters = {"scope": session.scope}
        command(session, _checked(tuple(given), filters), *args, **kwargs)  # type: ignore[arg-type]

    return wrapped


def _checked(given: tuple[str, ...], filters: dict[str, str]) -> Meant:
    ids = [id for one in given for id in (inputs.text_of("-").split() if one == "-" else [one])]
    if ids and filters:
        raise click.UsageError("give IDs, or options that say which notes, not both")
    if given and not ids:
        raise click.UsageError("standard input names no note")
    if not (ids or filters):
        raise click.UsageError("give the ID of at least one note, or an option that says which")
    return Meant(tuple(dict.fromkeys(ids)), filters)
