"""How far things have come: each form, by the last change it has seen, and the store, for what is kept in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Connection

from .database import Database
from .schema import form, meta
from .statements import insert, rows, rows_in, run

__all__ = ["State", "applied", "make_anew", "positions", "reach", "state", "touched", "writes"]

_ANEW = "extractions"  # what it counted at first
_MANY = 500  # changes, after which making something anew is as fast as following them


class State(NamedTuple):
    """What a transaction sees of a store; what was made of it in memory holds as long as this stays the same.

    Attributes:
        seq: number of the newest change.
        anew: how often something derived changed without a change of notes.
    """

    seq: int
    anew: int


_seen: WeakKeyDictionary[Connection, State] = WeakKeyDictionary()  # a connection here is one transaction, one view


def positions(database: Database) -> dict[str, int]:
    """Returns, per form that was ever filled, the number of the last change it has seen."""
    with database.reading() as connection:
        return dict(rows(connection, "SELECT name, applied FROM form"))


def applied(database: Database, name: str) -> int:
    """Returns the number of the last change a form has seen, 0 for one that was never filled."""
    return positions(database).get(name, 0)


def reach(database: Database, names: Sequence[str], seq: int) -> None:
    """Notes, in the transaction that changed the forms, which change they have seen."""
    listed = ", ".join("?" * len(names))
    with database.reading() as connection:
        moved = run(connection, f"UPDATE form SET applied = ? WHERE name IN ({listed})", seq, *names)
        if moved < len(names):
            new = set(names) - positions(database).keys()
            insert(connection, form, ("name", "applied"), [(name, seq) for name in sorted(new)])


def writes(connection: Connection) -> bool:
    """Returns whether a transaction writes: what it sees may yet be taken back."""
    return bool(connection.get_execution_options().get("tercet_writes"))


def state(connection: Connection) -> State | None:
    """Returns what a transaction sees; None inside a write: it may yet be taken back, so nothing is kept of it."""
    if writes(connection):
        return None
    known = _seen.get(connection)
    if known is None:
        newest = "SELECT (SELECT max(seq) FROM change), (SELECT value FROM meta WHERE key = ?)"
        ((seq, anew),) = rows(connection, newest, _ANEW)
        known = _seen[connection] = State(seq or 0, int(anew or 0))
    return known


def touched(connection: Connection, since: State, now: State) -> list[tuple[int, str]] | None:
    """Returns what was done in between to notes, other than adding them: each note's number and thread.

    All versions of a note count as touched with it.

    Returns:
        None where one cannot tell: something was forgotten or made anew, much was done, or ``now`` is the older one.
    """
    if since.seq > now.seq or since.anew != now.anew:
        return None
    other = f"SELECT DISTINCT op, lineage FROM change WHERE seq > ? AND op <> 'write' LIMIT {_MANY + 1}"
    done = rows(connection, other, since.seq)
    if len(done) > _MANY or any(op == "forget" for op, _ in done):
        return None
    lineages = sorted({lineage for _, lineage in done})
    first = "SELECT num, thread FROM note WHERE replaces IS NULL AND id IN (?)"
    later = "SELECT num, thread FROM note WHERE replaces IS NOT NULL AND lineage IN (?)"
    versions = rows_in(connection, first, lineages) + rows_in(connection, later, lineages)
    return versions if len(versions) <= _MANY else None


def make_anew(connection: Connection) -> None:
    """Notes, in the transaction that does it, that something derived changes without a change of notes."""
    if not run(connection, "UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE key = ?", _ANEW):
        insert(connection, meta, ("key", "value"), [(_ANEW, "1")])
