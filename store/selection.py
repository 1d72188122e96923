"""Which notes are meant: those a read may see, and those a person names to have them forgotten or set aside."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import ColumnElement, func, or_, select

from .note import Note
from .schema import change, note
from .scope import covers, within

__all__ = ["Chosen", "Filter"]


_of_scope = lru_cache(1_024)(within)  # to make conditions takes longer than some searches
_CURRENT, _FREE, _HELD = note.c.retired.is_(None), note.c.held.is_(None), note.c.held.is_not(None)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which notes may be seen.

    Attributes:
        scope: the handle's scope, or one below it.
        known: number of a change: only what was current after it; None for now.
        as_of: only what happened at or before this moment (ISO 8601, as `checked_moment` returns it).
        speaker: only this speaker.
        source: only this source.
        thread: only this thread.
        origins: only of these origins; none for all.
        held: only what is in quarantine, which nothing else shows.
    """

    scope: str
    known: int | None = None
    as_of: str = ""
    speaker: str = ""
    source: str = ""
    thread: str = ""
    origins: tuple[str, ...] = ()
    held: bool = False

    def conditions(self) -> tuple[ColumnElement[bool], ...]:
        """Returns the SQL conditions on table ``note``."""
        found: list[ColumnElement[bool]] = [_of_scope(self.scope)]
        if self.known is None:
            found += [_CURRENT, _HELD if self.held else _FREE]
        else:
            found.append(note.c.num <= self.known)
            found.append(or_(note.c.retired.is_(None), note.c.retired > self.known))
            found.append(_last_of_quarantine(self.known) == ("quarantine" if self.held else "release"))
        if self.as_of:
            # "~" sorts after every digit: 2024-03 reaches to the end of March
            found.append(note.c.happened <= self.as_of + "~")
        for name in ("speaker", "source", "thread"):
            if getattr(self, name):
                found.append(note.c[name] == getattr(self, name))
        if self.origins:
            found.append(note.c.origin.in_(self.origins))
        return tuple(found)

    def shows(self, item: Note) -> bool:
        """Returns whether a note as it was read is of the scope, and current: the last word before it is shown."""
        return covers(self.scope, item.scope) and (
            self.known is not None or (item.retired is None and (item.held is not None) is self.held)
        )


def _last_of_quarantine(known: int) -> ColumnElement[str]:
    """What was last done with a note as of a change: it was put in quarantine, or released, as every note is at first.

    A note remembers only since when it is held now; the change log knows when it was before.
    """
    last = (
        select(change.c.op)
        .where(
            change.c.num == note.c.num,
            change.c.num != change.c.seq,
            change.c.op.in_(("quarantine", "release")),
            change.c.seq <= known,
        )
        .order_by(change.c.seq.desc())
        .limit(1)
        .correlate(note)
        .scalar_subquery()
    )
    return func.coalesce(last, "release")


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which notes are meant, by their ids or by what all of them have in common; a note fits if any version does.

    Attributes:
        scope: the handle's scope, or one below it; nothing outside it is meant.
        ids: of the notes; empty to go by what follows.
        speaker: only this speaker.
        source: only this source.
        thread: only this thread.
        origin: only this origin.
    """

    scope: str
    ids: tuple[str, ...] = ()
    speaker: str = ""
    source: str = ""
    thread: str = ""
    origin: str = ""

    def conditions(self) -> tuple[ColumnElement[bool], ...]:
        """Returns the SQL conditions on table ``note``, save those on ids."""
        named = {name: getattr(self, name) for name in ("speaker", "source", "thread", "origin")}
        return (within(self.scope), *(note.c[name] == value for name, value in named.items() if value))
