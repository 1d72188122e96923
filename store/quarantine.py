"""Which notes go into quarantine together, and which come out of it.

What was made of a note is held with it: its words may be the poisoned ones. It comes back with it too, unless it was
held on its own account before, or something else that it was made of is still held.
"""

from __future__ import annotations

from collections.abc import Sequence

from .database import Database
from .lineages import Lineages
from .note import Note
from .notes import Notes, without
from .selection import Chosen
from .statements import rows_in
from .turns import Turns

__all__ = ["Quarantine"]

_STILL_HELD = """
SELECT d.note, d.parent FROM derived d JOIN note p ON p.num = d.parent WHERE d.note IN (?) AND p.held IS NOT NULL
"""
# made of what was held already when they were: nobody held them on their own account
_HELD_ALONG = """
SELECT DISTINCT n.num FROM note n JOIN derived d ON d.note = n.num
WHERE n.num IN (?) AND (
  SELECT c.op FROM change c
  WHERE c.num = d.parent AND c.num <> c.seq AND c.op IN ('quarantine', 'release') AND c.seq < n.held
  ORDER BY c.seq DESC LIMIT 1
) = 'quarantine'
"""


class Quarantine:
    """Holds notes and lets them go; every method runs in the caller's transaction."""

    def __init__(self, database: Database, notes: Notes, lineages: Lineages, turns: Turns) -> None:
        self._database = database
        self._notes = notes
        self._lineages = lineages
        self._turns = turns

    def to_hold(self, chosen: Chosen) -> list[Note]:
        """Returns every version of the notes that are meant, then of what was made of them, that is not held yet."""
        meant = self._lineages.versions(self._lineages.chosen(chosen))
        return [item for item in (*meant, *self._lineages.derived(meant)) if item.held is None]

    def to_release(self, chosen: Chosen) -> list[Note]:
        """Returns every held version of the notes that are meant, and of what was held along with them."""
        meant = self._lineages.versions(self._lineages.chosen(chosen))
        freed = [item for item in meant if item.held is not None]
        nums = {item.num for item in freed}
        made = [item for item in self._lineages.derived(freed) if item.held is not None and item.num not in nums]
        with self._database.reading() as connection:
            asked = [item.num for item in made]
            along = {num for (num,) in rows_in(connection, _HELD_ALONG, asked)}
            kept_by: dict[int, set[int]] = {}
            for num, parent in rows_in(connection, _STILL_HELD, asked):
                kept_by.setdefault(num, set()).add(parent)
        for root in self._lineages.roots(made):  # in the order they were written: what they were made of comes first
            versions = [item for item in self._lineages.versions([root]) if item.held is not None]
            held_by = set().union(*(kept_by.get(item.num, set()) for item in versions))
            if any(item.num in along for item in versions) and held_by <= nums:
                freed += versions
                nums |= {item.num for item in versions}
        return freed

    def hold(self, items: Sequence[Note], *, at: str) -> int:
        """Puts notes in quarantine; turns after them follow those before them. Returns the last change."""
        with self._turns.after([item.num for item in items]) as after:
            self._notes.follow(without(after, items))
        return self._notes.mark(items, "quarantine", at=at)

    def let_go(self, items: Sequence[Note], *, at: str) -> int:
        """Takes notes out of quarantine; they take their place in their threads. Returns the last change."""
        turns = [item for item in items if item.thread and item.retired is None]
        for turn in sorted(turns, key=lambda turn: turn.position):
            now = self._notes.by_num([turn.num])[turn.num]  # an earlier turn may have come back before it
            after = self._notes.would_follow(now)
            with self._turns.indexed(after):
                self._notes.follow({item.num: now.num for item in after})
        return self._notes.mark(items, "release", at=at)
