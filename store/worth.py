"""How much each explicit memory on disk is worth keeping: its uses, which age by the calendar, for its size.

A use counts for one, and for half as much after each 30 days. Kept as a binary logarithm of half-lives since 1970, in
which nothing has to be aged where nothing was used. `Tier` has another clock, uses, and besides lets nothing in that is
worth less than what would have to go; here a new record always goes in, and uses are forgotten with the row.
"""

from __future__ import annotations

import math
import time
from collections import Counter

from sqlalchemy import Connection

from .statements import rows, rows_in, run_in, run_many

__all__ = ["aged", "drop_least", "note_uses"]

_HALF_LIFE = 30 * 24 * 3600  # seconds


def aged(worth: float | None = None, *, uses: int = 1, now: float | None = None) -> float:
    """Returns what a record is worth after so many uses more.

    Args:
        worth: before; None for a record that is new.
        uses: now.
        now: seconds since 1970; the clock's time if left out.
    """
    today = (time.time() if now is None else now) / _HALF_LIFE + math.log2(max(uses, 1))
    # log2(2 ** worth + 2 ** today), without the powers
    return today if worth is None else max(worth, today) + math.log2(1 + 2 ** -abs(worth - today))


def note_uses(connection: Connection, uses: Counter[str]) -> None:
    """Counts uses of files, in the caller's transaction; files that are gone are ignored.

    Args:
        connection: in a transaction that writes.
        uses: file -> how often; emptied.
    """
    taken = dict(uses.popitem() for _ in range(len(uses)))
    found = rows_in(connection, "SELECT file, worth FROM record WHERE file IN (?)", sorted(taken))
    changed = [(aged(worth, uses=taken[file]), file) for file, worth in found]
    if changed:
        run_many(connection, "UPDATE record SET worth = ? WHERE file = ?", changed)


def drop_least(connection: Connection, budget: int) -> list[str]:
    """Deletes the rows that are worth the least for their size until all files together are within the budget.

    Returns:
        the files that no row names any more.
    """
    ((held,),) = rows(connection, "SELECT coalesce(sum(bytes), 0) FROM record")
    total = int(held)
    if total <= budget:
        return []
    every = rows(connection, "SELECT file, bytes, worth FROM record")
    dropped = []
    for file, size, _ in sorted(every, key=lambda row: (row[2] - math.log2(max(1, row[1])), row[0])):
        if total <= budget:
            break
        total -= size
        dropped.append(file)
    run_in(connection, "DELETE FROM record WHERE file IN (?)", dropped)
    return dropped
