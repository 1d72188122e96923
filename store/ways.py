"""Sure facts as steps between the names of a graph, each to be walked both ways, in three arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["SURE", "Way", "Ways", "ways_of"]

SURE = 0.7
"""Confidence of a fact that is walked: what a caller states or a model reads has more, what rules guess has less."""
Way = tuple[str, bool]
"""A folded relation, and whether it is walked against its facts, from object to subject."""
_MOST = 1_000  # steps from one name that are looked at: what is linked to all says nothing of one


@dataclass(frozen=True, slots=True)
class Ways:
    """Where the facts lead from each name.

    Attributes:
        relations: folded, each once.
        starts: shape (nodes + 1,): where the steps of each node begin.
        targets: the nodes that the steps lead to, in order of the nodes that they lead from.
        kinds: for each step twice the place of its relation, plus one if it is walked against the fact.
    """

    relations: tuple[str, ...]
    starts: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int32]
    kinds: npt.NDArray[np.int32]

    def onward(self, nodes: Iterable[int]) -> dict[Way, npt.NDArray[np.int32]]:
        """Returns for each way out of some nodes the nodes that it leads to, each once, in order."""
        parts = [slice(self.starts[node], min(self.starts[node] + _MOST, self.starts[node + 1])) for node in nodes]
        if not parts:
            return {}
        kinds = np.concatenate([self.kinds[part] for part in parts])
        targets = np.concatenate([self.targets[part] for part in parts])
        return {
            (self.relations[kind // 2], bool(kind % 2)): np.unique(targets[kinds == kind])
            for kind in np.unique(kinds).tolist()
        }


def ways_of(facts: Sequence[tuple[int, str, int]], nodes: int) -> Ways:
    """Returns the steps that facts allow.

    Args:
        facts: node of the subject, folded relation, node of the object.
        nodes: how many there are.
    """
    places = {relation: place for place, relation in enumerate(dict.fromkeys(relation for _, relation, _ in facts))}
    steps = np.array([(s, o, 2 * places[r]) for s, r, o in facts], np.int32).reshape(-1, 3)
    steps = np.concatenate([steps, steps[:, [1, 0, 2]] + np.array([0, 0, 1], np.int32)])
    steps = np.unique(steps, axis=0)  # by the node they lead from
    starts = np.searchsorted(steps[:, 0], np.arange(nodes + 1))
    return Ways(tuple(places), starts, np.ascontiguousarray(steps[:, 1]), np.ascontiguousarray(steps[:, 2]))
