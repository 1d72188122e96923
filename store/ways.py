"""Sure facts as steps between the names of a graph, each to be walked both ways, in three arrays."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["SURE", "Way", "Ways", "ways_of"]

SURE = 0.7
"""Confidence of a fact that is walked: what a caller states or a model reads has more, what rules guess has less."""
Way = tuple[str, bool]
"""A folded relation, and whether it is walked against its facts, from object to subject."""
_MOST = 1_000  # steps in one go that are looked at: what is linked to all says nothing of one
_EACH = 50  # of each name, where there are many


@dataclass(frozen=True, slots=True)
class Ways:
    """Where the facts lead from each name.

    Attributes:
        relations: folded, each once.
        starts: shape (nodes + 1,): where the steps of each node begin.
        targets: the nodes that the steps lead to, in order of the nodes that they lead from; of each the newest of
            every kind, then the second newest, and so on.
        kinds: for each step twice the place of its relation, plus one if it is walked against the fact.
    """

    relations: tuple[str, ...]
    starts: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int32]
    kinds: npt.NDArray[np.int32]

    def onward(self, nodes: Collection[int]) -> dict[Way, npt.NDArray[np.int32]]:
        """Returns for each way out of some nodes the nodes that it leads to, each once, of one node the newest first.

        Of one node 1,000 steps count, of many at least 50 each.
        """
        parts = [part for _, part in self._parts(nodes)]
        if not parts:
            return {}
        kinds = np.concatenate([self.kinds[part] for part in parts])
        targets = np.concatenate([self.targets[part] for part in parts])
        return {
            (self.relations[kind // 2], bool(kind % 2)): _once(targets[kinds == kind])
            for kind in np.unique(kinds).tolist()
        }

    def along(self, nodes: Collection[int], way: Way, most: int) -> list[tuple[int, int]]:
        """Returns the steps of one way out of some nodes, from and to which, of each at most so many."""
        kind = 2 * self.relations.index(way[0]) + way[1]
        return [
            (node, target)
            for node, part in self._parts(nodes)
            for target in self.targets[part][self.kinds[part] == kind][:most].tolist()
        ]

    def _parts(self, nodes: Collection[int]) -> Iterator[tuple[int, slice]]:
        most = max(_EACH, _MOST // max(1, len(nodes)))
        for node in nodes:
            yield node, slice(self.starts[node], min(self.starts[node] + most, self.starts[node + 1]))


def ways_of(facts: Sequence[tuple[int, str, int]], nodes: int) -> Ways:
    """Returns the steps that facts allow.

    Args:
        facts: node of the subject, folded relation, node of the object; the newest last.
        nodes: how many there are.
    """
    places = {relation: place for place, relation in enumerate(dict.fromkeys(relation for _, relation, _ in facts))}
    steps = np.array([(s, o, 2 * places[r]) for s, r, o in reversed(facts)], np.int32).reshape(-1, 3)
    steps = np.concatenate([steps, steps[:, [1, 0, 2]] + np.array([0, 0, 1], np.int32)])
    _, newest = np.unique(steps, axis=0, return_index=True)
    steps = steps[np.sort(newest)]
    steps = steps[np.lexsort((_rank(steps), steps[:, 0]))]
    starts = np.searchsorted(steps[:, 0], np.arange(nodes + 1))
    return Ways(tuple(places), starts, np.ascontiguousarray(steps[:, 1]), np.ascontiguousarray(steps[:, 2]))


def _rank(steps: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Returns how many steps of the same kind from the same node stand before each."""
    order = np.lexsort((steps[:, 2], steps[:, 0]))
    grouped = steps[order][:, [0, 2]]
    first = np.ones(len(order), bool)
    first[1:] = (grouped[1:] != grouped[:-1]).any(axis=1)
    places = np.arange(len(order))
    rank = np.empty(len(order), np.int64)
    rank[order] = places - np.maximum.accumulate(np.where(first, places, 0))
    return rank


def _once(nodes: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    _, first = np.unique(nodes, return_index=True)
    found: npt.NDArray[np.int32] = nodes[np.sort(first)]
    return found
