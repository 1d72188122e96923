"""What was made of what: summaries and the like, and the notes they stand on.

A note made of others is stale once one of those no longer says what it said: it was revised, or taken back. That is
worked out when notes are read, so that nothing has to be kept in step; a revision that is undone makes it true again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .database import Database
from .errors import InvalidInput, NoteNotFound
from .note import Note
from .scope import covers
from .shown import shown
from .statements import rows, rows_in, run_many

__all__ = ["UNMADE", "Descent", "Made"]

_PARENTS = """
SELECT d.note, p.num, p.id, p.retired FROM derived d
JOIN note n ON n.num = d.note JOIN note p ON p.num = d.parent
WHERE d.note IN (?) AND p.lineage <> n.lineage
ORDER BY d.note, p.num
"""
# versions whose note still says the same, in a newer version: someone revised it and took the revision back
_SAYS_THE_SAME = """
SELECT p.num, c.num, c.retired FROM note p
JOIN note c ON c.lineage = p.lineage AND c.replaces IS NOT NULL
  AND c.text = p.text AND c.happened = p.happened AND c.facts = p.facts
WHERE p.num IN (?)
"""


@dataclass(frozen=True, slots=True)
class Made:
    """How a note came to be.

    Attributes:
        parents: ids of the notes it was made of, oldest first.
        stale: whether one of them, or of what they were made of, no longer says what it said.
    """

    parents: tuple[str, ...]
    stale: bool


UNMADE = Made((), stale=False)


class Descent:
    """Reads and extends table ``derived``; every method runs in the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, nums: Sequence[int], *, known: int | None = None) -> dict[int, Made]:
        """Returns what notes were made of, as of a change or now; notes that were made of nothing are left out."""
        parents: dict[int, list[tuple[int, str]]] = {}
        retired: dict[int, int | None] = {}
        asked, frontier = set(nums), list(nums)
        with self._database.reading() as connection:
            while frontier:
                level = rows_in(connection, _PARENTS, frontier)
                for num, parent, id, when in level:
                    parents.setdefault(num, []).append((parent, id))
                    retired[parent] = when
                frontier = sorted({parent for _, parent, _, _ in level} - asked)
                asked.update(frontier)
            moved_on = [num for num, when in retired.items() if when is not None and (known is None or when <= known)]
            same = {
                num
                for num, newer, when in rows_in(connection, _SAYS_THE_SAME, moved_on)
                if (when is None if known is None else newer <= known and (when is None or when > known))
            }
        stale = set(moved_on) - same
        for num in sorted(parents):  # a note is younger than what it was made of
            if any(parent in stale for parent, _ in parents[num]):
                stale.add(num)
        return {num: Made(tuple(id for _, id in parents[num]), num in stale) for num in nums if num in parents}

    def stale(self, ids: Collection[str], *, known: int | None = None) -> set[str]:
        """Returns which of these notes are stale."""
        with self._database.reading() as connection:
            if not ids or not rows(connection, "SELECT note FROM derived LIMIT 1"):
                return set()
            made = "SELECT id, num FROM note WHERE id IN (?) AND num IN (SELECT note FROM derived)"
            nums = dict(rows_in(connection, made, sorted(ids)))
            found = self.of(sorted(nums.values()), known=known)
        return {id for id, num in nums.items() if num in found and found[num].stale}

    def record(self, notes: Sequence[Note]) -> None:
        """Writes down what new notes were made of, as their ``parents`` say.

        Raises:
            NoteNotFound: one of those is not in the scope of the note that was made of it, or below.
            InvalidInput: one of those is in quarantine.
        """
        wanted = {parent for item in notes for parent in item.parents}
        if not wanted:
            return
        found = "SELECT id, num, scope, held FROM note WHERE id IN (?)"
        with self._database.reading() as connection:
            there = {id: rest for id, *rest in rows_in(connection, found, sorted(wanted))}
            links = []
            for item in notes:
                for parent in item.parents:
                    num, scope, _ = there.get(parent, (0, "", None))
                    if not covers(item.scope, scope):
                        raise NoteNotFound(
                            f"no note {shown(parent)} in scope {item.scope!r}; a note can only be made of notes of its "
                            "own scope and below, or it would carry their words elsewhere"
                        )
                    links.append((item.num, num))
            for parent, (_, _, held) in there.items():
                if held is not None:
                    raise InvalidInput(f"note {parent} is in quarantine; nothing is made of it until it is released")
            run_many(connection, "INSERT INTO derived (note, parent) VALUES (?, ?)", sorted(set(links)))
