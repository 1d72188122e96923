"""The change log: what was done to which note, in which order. It holds no content, so it outlives a forget."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, or_, select

from .database import Database
from .errors import ChangeNotFound
from .schema import change
from .scope import within
from .statements import insert, rows

__all__ = ["Change", "Changes"]


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the change log; it holds no content.

    Attributes:
        seq: its number; numbers grow, whatever the clock does.
        op: ``"write"``, ``"revise"``, ``"undo"``, ``"quarantine"``, ``"release"`` or ``"forget"``.
        num: number of the note it concerns.
        note: id of that note.
        lineage: id of the first note of its revisions.
        scope: the note's scope.
        at: ISO 8601 UTC time.
    """

    seq: int
    op: str
    num: int
    note: str
    lineage: str
    scope: str
    at: str


_COLUMNS = tuple(column.name for column in change.c)


class Changes:
    """Reads and extends the log; every method runs in the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def last(self) -> int:
        """Returns the number of the newest change, 0 in an empty store."""
        with self._database.overseeing(), self._database.reading() as connection:
            ((last,),) = rows(connection, "SELECT coalesce(max(seq), 0) FROM change")
            return last  # type: ignore[no-any-return]

    def select(
        self, *conditions: ColumnElement[bool], scope: str | None = None, limit: int | None = None
    ) -> list[Change]:
        """Returns the changes that fit, oldest first, of a scope and all below it or of every scope."""
        query = select(change).where(*conditions).order_by(change.c.seq).limit(limit)
        if scope is not None:
            query = query.where(within(scope, change.c.scope))
        with self._database.reading() as connection:
            return [Change(*row) for row in connection.execute(query)]

    def of(self, nums: Collection[int]) -> list[Change]:
        """Returns the changes of these notes, oldest first."""
        later = and_(change.c.num.in_(nums), change.c.num != change.c.seq)
        return self.select(or_(change.c.seq.in_(nums), later))

    def get(self, seq: int, scope: str) -> Change:
        """Returns one change.

        Raises:
            ChangeNotFound: no such change in this scope.
        """
        found = self.select(change.c.seq == seq, scope=scope)
        if not found:
            raise ChangeNotFound(f"no change {seq} in scope {scope!r}; `tercet history ID` shows those of a note")
        return found[0]

    def known_at(self, moment: str) -> int:
        """Returns the number of the last change made at or before a moment (ISO 8601 UTC)."""
        with self._database.overseeing(), self._database.reading() as connection:
            low, high = 0, self.last()
            while low < high:  # times never fall as numbers grow, see `clock`
                middle = (low + high + 1) // 2
                ((seq, at),) = rows(
                    connection, "SELECT seq, at FROM change WHERE seq >= ? ORDER BY seq LIMIT 1", middle
                )
                if at <= moment + "~":
                    low = seq
                else:
                    high = middle - 1
        return low

    def log(self, rows: Iterable[tuple[int, str, int, str, str, str, str]]) -> None:
        """Adds changes: seq, op, num, note, lineage, scope, at."""
        with self._database.reading() as connection:
            insert(connection, change, _COLUMNS, rows)

    def now(self) -> tuple[int, str]:
        """Returns the number of the newest change, and the time in UTC, never before that of the newest change.

        A clock that was set back must not reorder what is known.
        """
        with self._database.reading() as connection:
            newest = rows(connection, "SELECT seq, at FROM change ORDER BY seq DESC LIMIT 1")
        time = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
        return (newest[0][0], max(time, newest[0][1])) if newest else (0, time)
