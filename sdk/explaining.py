"""Why memories came: the names a question starts from, and the facts and links on the way to each memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..store.names import fold
from ..store.note import Fact
from .arguments import Moment, filtered
from .memory import Memory
from .recall import Recall

__all__ = ["Explanation", "Walked", "explain"]


@dataclass(frozen=True, slots=True)
class Walked:
    """One step on the way from a name in the question to a memory.

    Attributes:
        source: the name it starts from, as written.
        relation: of the fact, or ``"alias"``.
        target: the name it leads to, as written.
        backward: true when it goes from the fact's object to its subject.
        fact: with the notes that support it; None for an alias.
    """

    source: str
    relation: str
    target: str
    backward: bool
    fact: Fact | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A recall with what led to it.

    Attributes:
        names: those of the question that are in the graph, as written there.
        recall: the memories, each with its votes and its path.
        ways: for each memory, the steps of its path; none where no path leads to it.
    """

    names: tuple[str, ...]
    recall: Recall
    ways: tuple[tuple[Walked, ...], ...]


def explain(
    memory: Memory,
    question: str,
    *,
    k: int = 5,
    as_of: Moment | None = None,
    known_at: Moment | int | None = None,
) -> Explanation:
    """Reads, and returns beside the recall the names, facts and links that led to it.

    Args:
        memory: the handle.
        question: what is asked.
        k: most memories, 1 to 1,000.
        as_of: only what had happened by then.
        known_at: only what was known by then: a moment, or the number of a change.

    Raises:
        InvalidInput: as `Memory.read`.
    """
    store = memory._store  # the two are one face
    with store.database.reading():
        recall = memory.read(question, k=k, as_of=as_of, known_at=known_at)
        among = store.notes.among(filtered(memory.scope, store.notes.changes, as_of=as_of, known_at=known_at))
        walk = store.graph.walk(among)
        first = len(walk.nums)  # the notes' nodes come before the names'
        names = tuple(walk.surfaces[walk.names[name] - first] for name in store.graph.linked(recall.cue, among))
        known: dict[tuple[str, str, str], Fact | None] = {}

        def stated(subject: str, relation: str, object: str) -> Fact | None:
            key = (fold(subject), fold(relation), fold(object))
            if key not in known:
                if not all(key):
                    known[key] = None
                    return None
                found = memory.facts(
                    subject=subject, relation=relation, object=object, known_at=known_at, superseded=True, limit=1
                )
                known[key] = found[0] if found else None
            return known[key]

        def walked(path: Sequence[str]) -> tuple[Walked, ...]:
            steps = []
            for source, label, target in zip(path[::2], path[1::2], path[2::2], strict=False):
                backward, relation = label.startswith("← "), label.removeprefix("← ")
                sides = (target, relation, source) if backward else (source, relation, target)
                fact = None if label == "alias" else stated(*sides)
                steps.append(Walked(source, relation, target, backward, fact))
            return tuple(steps)

        return Explanation(names, recall, tuple(walked(found.why.path) for found in recall))
