"""The graph of the notes that one search may see, as arrays; it never changes, so threads may walk it together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from .forward_push import pushed_pagerank
from .pagerank import personalized_pagerank
from .ways import Ways

__all__ = ["Walk"]

_DAMPING = 0.85
_TOLERANCE = 1e-4  # the first hundreds of ranks are settled long before their last digits are
_LOCALLY = 200_000  # edges; above, mass is pushed from the seeds instead of going round the whole graph
_LONGEST_PATH = 4
_SEARCHED = 5_000


@dataclass(frozen=True)
class Walk:
    """Notes and the names in them; the nodes of the notes come first, in order, then those of the names.

    Attributes:
        nums: of the notes, ascending.
        names: folded name -> node; names that are one have one node.
        surfaces: as first written, per name.
        weights: of the edges, both ways.
        told_in: per node, how many notes mention it.
        labels: places of two names among ``surfaces`` -> relation of the first fact between them, either way.
        aliases: nodes of a first name and of a full one, shape (aliases, 2).
        ways: where sure facts lead.
        stated: weights of the edges but for the aliases.
        fuller: first word -> the full names that begin with it, no more than are needed to see that they are too many.
        whole: whether no fact was left out because no note mentions what it is about.
    """

    nums: npt.NDArray[np.int64]
    names: dict[str, int]
    surfaces: list[str]
    weights: csr_array
    told_in: npt.NDArray[np.int64]
    labels: dict[tuple[int, int], str]
    aliases: npt.NDArray[np.int64]
    ways: Ways
    stated: csr_array
    fuller: dict[str, tuple[str, ...]]
    whole: bool

    @cached_property
    def degrees(self) -> npt.NDArray[np.float64]:
        """The sum of each node's weights."""
        return np.asarray(self.weights.sum(axis=0), np.float64).ravel()

    def ranked(self, reset: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Returns the PageRank mass of every node from a reset vector that has a positive sum."""
        if self.weights.nnz > 2 * _LOCALLY:  # an edge is there in both directions
            return pushed_pagerank(self.weights, reset, degree=self.degrees, damping=_DAMPING)
        return personalized_pagerank(self.weights, reset, degree=self.degrees, damping=_DAMPING, tolerance=_TOLERANCE)

    def places(self, nums: Sequence[int]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Returns the nodes of those notes that are in the graph, and which are."""
        asked = np.array(nums, np.int64)
        places = np.searchsorted(self.nums, asked)
        there: npt.NDArray[np.bool_] = np.append(self.nums, -1)[places] == asked
        return places[there], there

    @cached_property
    def _named(self) -> npt.NDArray[np.int64]:
        """Where, among its neighbours, those of each node begin that are names: they come after the notes."""
        notes = np.cumsum(np.append(0, self.weights.indices < len(self.nums)))
        starts: npt.NDArray[np.int64] = self.weights.indptr[:-1].astype(np.int64) + np.diff(notes[self.weights.indptr])
        return starts

    def paths(self, starts: Collection[int], goals: Collection[int]) -> dict[int, tuple[str, ...]]:
        """Returns the shortest way from one of the names to each note, names and relations in turn.

        One breadth-first search for all goals; a way has at most four steps, and a search stops after some thousand
        names, because nobody reads an explanation through a hub. Goals that were not reached are left out.
        """
        indices, pointers, first = self.weights.indices, self.weights.indptr, len(self.nums)
        wanted = {goal: indices[pointers[goal] : pointers[goal + 1]] - first for goal in goals}
        level = np.array(sorted(starts), np.int64) - first
        gone_through, searched = 0, len(set(starts))
        met = np.zeros(len(self.surfaces), bool)
        met[level] = True
        before = np.full(len(met), -1, np.int32)
        order = np.zeros(len(met), np.int32)  # in which names were gone through, from 1 on; 0 for the others
        found: dict[int, tuple[str, ...]] = {}
        for steps in range(_LONGEST_PATH + 1):
            room = _SEARCHED - searched
            if room <= 0 or not wanted or not len(level):
                break
            new, places = self._beyond(level[:0] if steps == _LONGEST_PATH else level, met)
            gone = len(level) if len(new) < room else int(places[room - 1]) + 1
            order[level[:gone]] = np.arange(gone_through + 1, gone_through + gone + 1)
            gone_through += gone if steps else len(set(level[:gone].tolist()))
            new, places = new[places < gone], places[places < gone]
            before[new] = level[places]
            searched += len(new)
            met[new] = True
            for goal, names in list(wanted.items()):
                reached = names[order[names] > 0]
                if len(reached):
                    _, nearest = min(zip(order[reached].tolist(), reached.tolist(), strict=True))
                    found[goal] = self._told(before, nearest)
                    del wanted[goal]
            level = new
        return found

    def surface(self, node: int) -> str:
        """Returns the name of a node as written, or as names that are one are shown."""
        return self.surfaces[node - len(self.nums)]

    def beside(self, node: int) -> npt.NDArray[np.integer[Any]]:
        """Returns the nodes next to one: of a note the names in it, of a name the notes and then other names."""
        return self.weights.indices[self.weights.indptr[node] : self.weights.indptr[node + 1]]

    def mentioning(self, name: int) -> npt.NDArray[np.integer[Any]]:
        """Returns the nodes of the notes that mention a name."""
        return self.beside(name)[: self.told_in[name]]

    def label(self, node: int, other: int) -> str:
        """Returns what the edge from a name to another stands for: a relation, with an arrow if backward, or alias."""
        one, two = node - len(self.nums), other - len(self.nums)
        backward = self.labels.get((two, one), "alias")
        return self.labels.get((one, two), backward if backward == "alias" else f"← {backward}")

    def also(self, node: int) -> list[int]:
        """Returns the nodes of the full names that a first name may stand for, or of the first name in a full one."""
        near = self.weights.indices[self._named[node] : self.weights.indptr[node + 1]].tolist()
        return [other for other in near if self.label(node, other) == "alias"]

    def _beyond(
        self, level: npt.NDArray[np.int64], met: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Returns the names next to some that were not met yet, in order, and the place of the one each is next to.

        Names are told by their places among all names.
        """
        first, last = self._named[level + len(self.nums)], self.weights.indptr[level + len(self.nums) + 1]
        sizes = last - first
        ends = np.cumsum(sizes)
        edges = np.arange(ends[-1] if len(ends) else 0) + np.repeat(first - (ends - sizes), sizes)
        others = self.weights.indices[edges] - len(self.nums)
        places = np.repeat(np.arange(len(level)), sizes)
        fresh = np.flatnonzero(~met[others])
        others, places = others[fresh], places[fresh]
        nth = np.arange(len(others))
        earliest = np.empty(len(met), np.int64)
        earliest[others[::-1]] = nth[::-1]  # of one that comes more than once, the first comes last
        once = earliest[others] == nth
        return others[once].astype(np.int64), places[once]

    def _told(self, before: npt.NDArray[np.int32], last: int) -> tuple[str, ...]:
        names = [last]
        while before[names[-1]] >= 0:
            names.append(int(before[names[-1]]))
        names.reverse()
        told = [self.surfaces[names[0]]]
        for left, right in pairwise(names):
            told += [self.label(left + len(self.nums), right + len(self.nums)), self.surfaces[right]]
        return tuple(told)
