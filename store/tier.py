"""Which explicit memories stay near under a budget of bytes: those used often, lately, for their size.

Every use counts for one, and is worth half as much after each half-life, told in uses of anything. So a burst of
memories that are read once cannot push out what is read every day (as it does where the least recently used one goes),
and what was read every day last year goes in the end (as it does not where uses are only counted). Uses of what is not
kept are counted too: the second use of something may win it a place that the first did not (TinyLFU, arXiv 1512.00727).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Collection, Hashable, Iterator
from typing import Generic, TypeVar

__all__ = ["Tier"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_REMEMBERED = 8  # times as many uses are remembered as things are kept
_LEAST_REMEMBERED = 1024


class Tier(Generic[K, V]):
    """Keeps values by their keys, never more than ``budget`` bytes of them.

    Args:
        budget: most bytes.
        half_life: uses after which a use counts half; left out, ten for each thing that is kept, 256 at least.
        on_drop: called with the key and the value of what had to go; not for what `drop` was told to drop.
    """

    def __init__(
        self, budget: int, *, half_life: int | None = None, on_drop: Callable[[K, V], None] | None = None
    ) -> None:
        self.budget = budget
        self.nbytes = 0
        self._half_life = half_life
        self._on_drop = on_drop
        self._kept: dict[K, tuple[V, int]] = {}
        self._worth: dict[K, float] = {}  # binary logarithms, so that old uses need not be halved one by one
        self._now = 0.0  # in half-lives
        self._heap: list[tuple[float, int, K]] = []  # worth for the size, when it was noted, whose
        self._noted = 0

    def __len__(self) -> int:
        """Returns how many values are kept."""
        return len(self._kept)

    def __contains__(self, key: object) -> bool:
        """Returns whether a value is kept; this is no use of it."""
        return key in self._kept

    def __iter__(self) -> Iterator[K]:
        """Yields the keys of what is kept."""
        return iter(self._kept)

    def limit(self, budget: int) -> None:
        """Changes the budget; what is worth the least for its size goes until the rest fits."""
        self.budget = budget
        while self.nbytes > budget and (lowest := self._lowest()) is not None:
            self._let_go(lowest[1])

    def get(self, key: K) -> V | None:
        """Returns the value of a key, or None; either way it was used once more."""
        self._use(key)
        found = self._kept.get(key)
        if found is None:
            return None
        self._note(key, found[1])
        return found[0]

    def put(self, key: K, value: V, nbytes: int) -> bool:
        """Keeps a value, if it is worth more than what would have to go for it.

        A value that is kept already is replaced, or stays where the new one is refused. This is no use of it: ask with
        `get` before.

        Args:
            key: of the value.
            value: to keep.
            nbytes: its size.

        Returns:
            whether it is kept now.
        """
        before = self._kept.get(key)
        self.drop([key], forget=False)
        worth = self._for_size(key, nbytes)
        going: dict[K, int] = {}
        while self.budget - self.nbytes + sum(going.values()) < nbytes:
            lowest = self._lowest()
            if lowest is not None:
                going[lowest[1]] = self._kept[lowest[1]][1]
            if lowest is None or lowest[0] >= worth:
                for back, size in going.items():
                    self._note(back, size)
                if before is not None:
                    self._kept[key] = before
                    self.nbytes += before[1]
                    self._note(key, before[1])
                return False
        for gone in going:
            self._let_go(gone)
        self._kept[key] = value, nbytes
        self.nbytes += nbytes
        self._note(key, nbytes)
        return True

    def drop(self, keys: Collection[K], *, forget: bool = True) -> None:
        """Drops values; unknown keys are ignored.

        Args:
            keys: of the values.
            forget: also that they were ever used.
        """
        for key in keys:
            if key in self._kept:
                self.nbytes -= self._kept.pop(key)[1]
            if forget:
                self._worth.pop(key, None)

    def _let_go(self, key: K) -> None:
        dropped, size = self._kept.pop(key)
        self.nbytes -= size
        if self._on_drop is not None:
            self._on_drop(key, dropped)

    def _use(self, key: K) -> None:
        self._now += 1 / (self._half_life or max(256, 10 * len(self._kept)))
        before = self._worth.get(key)
        # log2(2 ** before + 2 ** now), without the powers, which would soon be too large
        self._worth[key] = (
            self._now if before is None else self._now + math.log2(1 + 2 ** max(before - self._now, -1000.0))
        )
        if len(self._worth) > 2 * max(_LEAST_REMEMBERED, _REMEMBERED * len(self._kept)):
            others = sorted((other for other in self._worth if other not in self._kept), key=self._worth.__getitem__)
            for other in others[: len(others) // 2]:
                del self._worth[other]

    def _for_size(self, key: K, nbytes: int) -> float:
        return self._worth.get(key, -math.inf) - math.log2(max(1, nbytes))

    def _note(self, key: K, nbytes: int) -> None:
        self._noted += 1
        heapq.heappush(self._heap, (self._for_size(key, nbytes), self._noted, key))
        if len(self._heap) > 4 * len(self._kept) + 64:
            self._heap = [(self._for_size(k, size), n, k) for n, (k, (_, size)) in enumerate(self._kept.items())]
            self._noted = len(self._heap)
            heapq.heapify(self._heap)

    def _lowest(self) -> tuple[float, K] | None:
        """Takes what is worth the least for its size from the heap."""
        while self._heap:
            worth, _, key = heapq.heappop(self._heap)
            if key in self._kept and worth == self._for_size(key, self._kept[key][1]):
                return worth, key
        return None
