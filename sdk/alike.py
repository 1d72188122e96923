"""Names that may mean the same one: proposals for a person, never merged by themselves."""

from __future__ import annotations

from dataclasses import dataclass

from ..store.likeness import spelt_alike
from ..store.names import fold
from ..store.selection import Filter
from .links import links
from .memory import Memory

__all__ = ["Alike", "alike"]

FIRST_NAME = "first name"


@dataclass(frozen=True, slots=True)
class Alike:
    """Two names that may mean the same one.

    Attributes:
        name: as first written.
        other: as first written.
        why: ``"first name"`` of a fuller name, ``"accents"`` that only one has, or ``"spelling"``.
        links: how many links both have together: the more, the more a decision changes.
    """

    name: str
    other: str
    why: str
    links: int


def alike(memory: Memory) -> list[Alike]:
    """Returns pairs of names that may mean the same one, those with the most links first.

    Args:
        memory: the handle; only names in notes that it may see.
    """
    store = memory._store  # the two are one face
    with store.database.reading():
        walk = store.graph.walk(store.notes.among(Filter(memory.scope)))
        edges = links(memory)
    first = len(walk.nums)  # the notes' nodes come before the names'
    surfaces = {name: walk.surfaces[node - first] for name, node in walk.names.items()}
    degrees = {
        name: int(walk.weights.indptr[node + 1] - walk.weights.indptr[node]) for name, node in walk.names.items()
    }
    found: dict[tuple[str, str], str] = {(one, other): why for one, other, why in spelt_alike(surfaces)}
    for edge in edges:
        one, other = sorted((fold(edge.source), fold(edge.target)))
        if edge.label == "alias" and one in surfaces and other in surfaces:
            found[one, other] = FIRST_NAME
    pairs = [
        Alike(surfaces[one], surfaces[other], why, degrees[one] + degrees[other]) for (one, other), why in found.items()
    ]
    return sorted(pairs, key=lambda pair: (-pair.links, pair.name, pair.other))
