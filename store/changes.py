"""The change log: what was done to which note, in which order. It holds no content, so it outlives a forget."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, func, select

from .database import Database
from .errors import ChangeNotFound
from .schema import change
from .scope import within

__all__ = ["Change", "Changes"]


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the change log; it holds no content.

    Attributes:
        seq: its number; numbers grow, whatever the clock does.
        op: ``"write"``, ``"revise"``, ``"undo"`` or ``"forget"``.
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


class Changes:
    """Reads and extends the log; every method runs in the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def last(self) -> int:
        """Returns the number of the newest change, 0 in an empty store."""
        with self._database.reading() as connection:
            return connection.scalar(select(func.max(change.c.seq))) or 0

    def select(
        self, *conditions: ColumnElement[bool], scope: str | None = None, limit: int | None = None
    ) -> list[Change]:
        """Returns the changes that fit, oldest first, of a scope and all below it or of every scope."""
        query = select(change).where(*conditions).order_by(change.c.seq).limit(limit)
        if scope is not None:
            query = query.where(within(scope, change.c.scope))
        with self._database.reading() as connection:
            return [Change(*row) for row in connection.execute(query)]

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
        with self._database.reading() as connection:
            return connection.scalar(select(func.max(change.c.seq)).where(change.c.at <= moment + "~")) or 0

    def log(self, seq: int, op: str, num: int, id: str, lineage: str, scope: str, at: str) -> None:
        """Adds one change."""
        row = {"seq": seq, "op": op, "num": num, "note": id, "lineage": lineage, "scope": scope, "at": at}
        with self._database.reading() as connection:
            connection.execute(change.insert().values(**row))

    def clock(self) -> str:
        """Returns the time in UTC, never before the last change: a clock set back must not reorder what is known."""
        with self._database.reading() as connection:
            last: str = connection.scalar(select(func.max(change.c.at))) or ""
        now = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
        return max(now, last)
