"""Which notes go into quarantine together, and which come out of it.

What was made of a note is held with it: its words may be the poisoned ones. It comes back with it too, unless it was
held on its own account before, or something else that it was made of is still held.
"""

from __future__ import annotations

from .database import Database
from .lineages import Lineages
from .note import Note
from .selection import Chosen
from .statements import rows_in

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
    """Reads who is to be held or released; every method runs in the caller's transaction."""

    def __init__(self, database: Database, lineages: Lineages) -> None:
        self._database = database
        self._lineages = lineages

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
