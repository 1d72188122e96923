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
        newest: for each step the place of the newest fact that allows it, of all facts in the order they were stated.
    """

    relations: tuple[str, ...]
    starts: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int32]
    kinds: npt.NDArray[np.int32]
    newest: npt.NDArray[np.int32]

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

    def grown(self, facts: Sequence[tuple[int, str, int]], nodes: int, *, moved: int = 0) -> Ways:
        """Returns these steps and those that newer facts allow.

        Args:
            facts: node of the subject, folded relation, node of the object; the newest last.
            nodes: how many there are now.
            moved: by how much the numbers of all nodes with steps have grown since.
        """
        relations = dict.fromkeys((*self.relations, *(relation for _, relation, _ in facts)))
        places = {relation: place for place, relation in enumerate(relations)}
        said = int(self.newest.max(initial=-1)) + 1
        forth = np.array([(s, o, 2 * places[r], n) for n, (s, r, o) in enumerate(facts, said)], np.int32).reshape(-1, 4)
        back = forth[:, [1, 0, 2, 3]] + np.array([0, 0, 1, 0], np.int32)
        sources = np.repeat(np.arange(len(self.starts) - 1, dtype=np.int32), np.diff(self.starts)) + np.int32(moved)
        before = np.column_stack([sources, self.targets + np.int32(moved), self.kinds, self.newest])
        again = np.isin(sources, forth[:, :2])  # only their order changes
        steps = np.concatenate([before[~again], _ordered(np.concatenate([before[again], forth, back]))])
        steps = steps[np.argsort(steps[:, 0], kind="stable")]
        starts = np.searchsorted(steps[:, 0], np.arange(nodes + 1))
        targets, kinds, newest = (np.ascontiguousarray(column) for column in steps[:, 1:].T)
        return Ways(tuple(relations), starts, targets, kinds, newest)

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
    none = np.zeros(0, np.int32)
    return Ways((), np.zeros(1, np.int64), none, none, none).grown(facts, nodes)


def _ordered(steps: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Returns steps (from, to, kind, newest fact), each once, and in the order in which `Ways` has them."""
    steps = steps[np.lexsort((-steps[:, 3], steps[:, 1], steps[:, 2], steps[:, 0]))]
    steps = steps[_begins(steps[:, :3])]
    steps = steps[np.lexsort((-steps[:, 3], steps[:, 2], steps[:, 0]))]
    places = np.arange(len(steps))
    of_kind = places - np.maximum.accumulate(np.where(_begins(steps[:, [0, 2]]), places, 0))
    found: npt.NDArray[np.int32] = steps[np.lexsort((-steps[:, 3], steps[:, 2] % 2, of_kind, steps[:, 0]))]
    return found


def _begins(rows: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Returns which rows differ from those before them."""
    begins = np.ones(len(rows), bool)
    begins[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    return begins


def _once(nodes: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    _, first = np.unique(nodes, return_index=True)
    found: npt.NDArray[np.int32] = nodes[np.sort(first)]
    return found
