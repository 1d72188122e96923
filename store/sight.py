"""Which notes may be seen, in memory: listed once for each filter, and followed as notes are written."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, select

from . import forks
from .database import Database
from .progress import State, state, touched
from .schema import note

__all__ = ["Sight"]

_FILTERS = 8  # whose notes are kept


class Sight:
    """The numbers of the notes that filters admit.

    Args:
        database: where the notes are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.begin_anew()
        forks.known().add(self)

    def begin_anew(self) -> None:
        """Keeps nothing; after a fork, in the child."""
        self._lock = threading.Lock()
        self._kept: dict[Hashable, tuple[State, npt.NDArray[np.int64]]] = {}

    def nums(self, key: Hashable, conditions: Sequence[ColumnElement[bool]]) -> npt.NDArray[np.int64]:
        """Returns the numbers of the notes that fit, ascending.

        Args:
            key: stands for the conditions.
            conditions: on table ``note``.
        """
        with self._database.reading() as connection:
            now, kept = state(connection), self._kept.get(key)
            if now is None:
                return self._listed(conditions, 0)
            if kept and kept[0] == now:
                return kept[1]
            done = touched(connection, kept[0], now) if kept else None
            if kept is None or done is None:
                nums = self._listed(conditions, 0)
            else:
                # the number of a note is that of the change that wrote it
                older = [num for num, _ in done if num <= kept[0].seq]
                again = [self._listed(conditions, 0, older)] if older else []
                stayed = np.setdiff1d(kept[1], older, assume_unique=True) if older else kept[1]
                nums = np.concatenate([stayed, *again, self._listed(conditions, kept[0].seq)])
                nums = np.sort(nums) if older else nums
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = now, nums
            if len(self._kept) > _FILTERS:
                del self._kept[next(iter(self._kept))]
        return nums

    def _listed(
        self, conditions: Sequence[ColumnElement[bool]], after: int, among: Sequence[int] | None = None
    ) -> npt.NDArray[np.int64]:
        query = select(note.c.num).where(note.c.num > after, *conditions).order_by(note.c.num)
        if among is not None:
            query = query.where(note.c.num.in_(among))
        with self._database.reading() as connection:
            nums: npt.NDArray[np.int64] = np.fromiter((row[0] for row in connection.execute(query)), np.int64)
        return nums
