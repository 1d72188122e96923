"""Limits on how much a scope may hold, enforced in the transaction that would pass them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import Connection

from .database import Database
from .errors import LimitExceeded
from .note import Note
from .schema import quota
from .statements import insert, rows, rows_in, run

__all__ = ["Limit", "Quotas"]

_WITHIN = "(scope = ? OR (scope > ? AND scope < ?))"


@dataclass(frozen=True, slots=True)
class Limit:
    """What a scope may hold with all scopes below it, and what it holds.

    Attributes:
        notes: most notes, every version counted; None for no limit.
        bytes: most bytes of text as UTF-8, every version counted; None for no limit.
        used_notes: as many it holds now.
        used_bytes: as many it holds now.
    """

    notes: int | None
    bytes: int | None
    used_notes: int
    used_bytes: int


@dataclass(frozen=True, slots=True)
class _Used:
    """How much a scope held after a change."""

    change: int
    notes: int
    bytes: int


class Quotas:
    """Reads and sets limits; every method runs in the caller's transaction.

    What a scope holds is counted once, and then followed by the change log, so that another process's writes and
    forgets are seen and a write does not count the whole scope again.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counted: dict[str, _Used] = {}

    def set(self, scope: str, *, notes: int | None, size: int | None) -> None:
        """Limits a scope to so many notes and bytes of text; None for no limit."""
        with self._database.reading() as connection:
            run(connection, "DELETE FROM quota WHERE scope = ?", scope)
            if notes is not None or size is not None:
                insert(connection, quota, ("scope", "notes", "bytes"), [(scope, notes, size)])

    def limits(self, scope: str) -> dict[str, Limit]:
        """Returns the limits of a scope and of those below it."""
        with self._database.reading() as connection:
            last = rows(connection, "SELECT coalesce(max(seq), 0) FROM change")[0][0]
            found = rows(
                connection, f"SELECT scope, notes, bytes FROM quota WHERE {_WITHIN} ORDER BY scope", *_range(scope)
            )
            held = {where: _count(connection, where, 0, last) for where, _, _ in found}
        return {where: Limit(notes, size, *held[where]) for where, notes, size in found}

    def check(self, fresh: Sequence[Note]) -> None:
        """Refuses notes that were just inserted, if a scope that they are in then holds more than it may.

        Raises:
            LimitExceeded: the message says what is used; the caller's transaction must not be committed.
        """
        above = sorted({scope for item in fresh for scope in _with_those_above(item.scope)})
        with self._database.reading() as connection:
            for scope, notes, size in rows_in(
                connection, "SELECT scope, notes, bytes FROM quota WHERE scope IN (?)", above
            ):
                used = self._used(connection, scope, fresh[0].num - 1)
                new = [item for item in fresh if scope in _with_those_above(item.scope)]
                _refuse(scope, "notes", "notes", notes, used.notes, len(new))
                _refuse(scope, "bytes", "bytes of text", size, used.bytes, sum(len(n.text.encode()) for n in new))

    def recount(self) -> None:
        """Forgets what was counted: a transaction that was counted in was rolled back."""
        self._counted.clear()

    def _used(self, connection: Connection, scope: str, change: int) -> _Used:
        """How much a scope held after a change of which everything is in the tables."""
        before = self._counted.get(scope, _Used(0, 0, 0))
        if rows(connection, "SELECT seq FROM change WHERE seq > ? AND op = 'forget' LIMIT 1", before.change):
            before = _Used(0, 0, 0)
        notes, size = _count(connection, scope, before.change, change)
        self._counted[scope] = _Used(change, before.notes + notes, before.bytes + size)
        return self._counted[scope]


def _count(connection: Connection, scope: str, after: int, until: int) -> tuple[int, int]:
    octets = "octet_length(text)" if connection.dialect.name == "postgresql" else "length(CAST(text AS BLOB))"
    counted = f"SELECT count(*), coalesce(sum({octets}), 0) FROM note WHERE num > ? AND num <= ? AND {_WITHIN}"
    notes, size = rows(connection, counted, after, until, *_range(scope))[0]
    return int(notes), int(size)


def _refuse(scope: str, argument: str, what: str, most: int | None, used: int, new: int) -> None:
    if most is not None and used + new > most:
        raise LimitExceeded(
            f"scope {scope!r} may hold {most:,} {what} with all versions and scopes below it, and holds {used:,}; "
            f"{new:,} more are too many: forget some, or allow more with limit(scope={scope!r}, {argument}=…)"
        )


def _range(scope: str) -> tuple[str, str, str]:
    return scope, scope + "/", scope + "0"  # "0" is the character after "/"


@lru_cache(1_024)  # a batch has few different scopes
def _with_those_above(scope: str) -> tuple[str, ...]:
    parts = scope.split("/")
    return tuple("/".join(parts[:length]) for length in range(1, len(parts) + 1))
