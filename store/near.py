"""Explicit memories in RAM: those used often, lately, for their size; shared by all handles of a process on one store.

A copy stands under the name of its file. Names are drawn once and never used again, and who wants a copy has just read
the name from its row: so what was forgotten, by whichever process, is never handed out, whatever RAM still holds. That
it does not hold it either is what `follow` is for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import numpy.typing as npt

from . import forks
from .errors import InvalidInput
from .form import Record
from .tier import Tier

__all__ = ["Near", "Tiers", "near"]

_PER_ARRAY = 256  # bytes that an array takes beside its numbers
_sharing = threading.Lock()
_shared: WeakValueDictionary[str, Near] = WeakValueDictionary()


@dataclass(frozen=True, slots=True)
class Tiers:
    """How much room explicit memories get, and when they get it.

    Attributes:
        ram: most bytes in RAM, of all handles of this process on one store together; the last one that was opened
            with tiers says. 0 for none.
        disk: most bytes in the store, of every model and scope together.
        at_once: keep a memory on disk when it is first used. Otherwise it is, until its second use, words and a copy
            in RAM: most memories are never used twice, and disk is what they cost.
    """

    ram: int = 256 * 2**20
    disk: int = 4 * 2**30
    at_once: bool = False

    def __post_init__(self) -> None:
        for name in ("ram", "disk"):
            if getattr(self, name) < 0:
                raise InvalidInput(f"{name}={getattr(self, name)}; a budget is a number of bytes, at least 0")


class Near:
    """The copies of one store; may be used from several threads.

    Args:
        budget: most bytes.
    """

    def __init__(self, budget: int) -> None:
        self._begin(budget)
        forks.known().add(self)

    def _begin(self, budget: int) -> None:
        self._lock = threading.Lock()
        self._tier: Tier[str, Record] = Tier(budget)
        self._seen: int | None = None
        self._age = 0

    def begin_anew(self) -> None:
        """After a fork, in the child: keeps no copies."""
        self._begin(self.budget)

    def __len__(self) -> int:
        """Returns how many copies there are."""
        return len(self._tier)

    def __contains__(self, file: object) -> bool:
        """Returns whether there is a copy of a file; this is no use of it."""
        return file in self._tier

    @property
    def nbytes(self) -> int:
        """Returns the bytes that the copies take."""
        return self._tier.nbytes

    @property
    def budget(self) -> int:
        """Returns the most bytes."""
        return self._tier.budget

    def limit(self, budget: int) -> None:
        """Changes the budget; what is worth the least goes at once."""
        with self._lock:
            self._tier.limit(budget)

    def get(self, file: str) -> Record | None:
        """Returns the copy of a file, or None; either way it was used once more."""
        with self._lock:
            return self._tier.get(file)

    def put(self, file: str, record: Record, *, age: int) -> None:
        """Keeps a copy, if it is worth more than what would have to go, and nothing was forgotten since.

        Args:
            file: its name.
            record: what it holds; its arrays can no longer be written to.
            age: what `follow` returned before the row of the file was read.
        """
        arrays = {name: _fixed(array) for name, array in record.items()}
        size = sum(array.nbytes + _PER_ARRAY for array in arrays.values())
        with self._lock:
            if age == self._age:
                self._tier.put(file, arrays, size)

    def drop(self, files: Collection[str]) -> None:
        """Drops copies; unknown names are ignored."""
        with self._lock:
            self._tier.drop(files)

    def follow(self, last: int, named: Callable[[int], Collection[str] | None]) -> int:
        """Drops what is gone since the last time.

        Args:
            last: number of the store's last change.
            named: takes the number of the last change that was seen and returns the files that may be kept; None
                where nothing was forgotten or replaced since.

        Returns:
            for `put`: how often something was dropped here.
        """
        with self._lock:
            seen, self._seen = self._seen, last
            kept = None if seen is None or seen == last else named(seen)
            if kept is not None:
                self._tier.drop([file for file in self._tier if file not in kept])
                self._age += 1
            return self._age


def near(place: str, budget: int | None) -> Near:
    """Returns the copies of the store at a place, shared as long as any handle of this process holds them.

    Args:
        place: of the store.
        budget: most bytes; None to leave it at what another handle set, or at the default.
    """
    with _sharing:
        found = _shared.get(place)
        if found is None:
            found = _shared[place] = Near(Tiers().ram if budget is None else budget)
    if budget is not None:
        found.limit(budget)
    return found


def _fixed(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Returns an array that nobody can write to, since others will read it."""
    if not array.flags.writeable:
        return array
    fixed = array.view()
    fixed.flags.writeable = False
    return fixed
