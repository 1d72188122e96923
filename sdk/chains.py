"""Answers out of facts: from a name in the question along the relations that its other words mean.

"What is the job of the wife of Ada's father?" names Ada; of the facts around her one fits "father", from there one
fits "wife", and then one fits "job": what stands at the end is the answer. A phrase fits a relation by the cosine of
their vectors, or by the words they share. Every step uses up some words of the question, and the chain that explains
most of them best wins (a beam search). It rests on the facts themselves: where they lead nowhere, no words help.
Facts that rules guessed are not walked: their relations are as many as their sentences.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ..engines.entities import names as names_in
from ..store.aliases import one_name
from ..store.form import Among
from ..store.graph import Walk
from ..store.likeness import spelt_like
from ..store.names import fold, words_of
from ..store.paths import Path, Step, onward
from ..store.patterns import Hop
from ..store.statements import nums_of
from ..store.store import Store
from ..store.ways import SURE, Way
from ..store.words import STOP
from .wording import Wording, wordings

__all__ = ["Answer", "answers", "on_the_way"]

_UNLIKE, _SPREAD = 0.15, 0.1  # likeness of unrelated words, and how it scatters
_FAN = 0.05  # cost of a step that leads to e times as many names
_LEAST = 0.2  # likeness below which no step is taken
_LEFT = 0.4  # cost of a telling word that no step explains
_AGAINST = 0.15  # cost of reading a fact the other way: whose child, for "child"
_STEPS = 4
_BEAM = 48  # sequences of relations
_READINGS = 3  # of them whose facts are looked up
_FULL = 0.3  # score of a chain that counts in full
_WAYSIDE = 0.25  # what a note on the way counts beside that at the end
_CHAINS = 64  # of one such sequence
_NAMES = 64  # from which one step is taken
_MOST = 10  # answers
_MISSPELT = 20_000  # names; among more, nobody looks for what a misspelt one may have meant
_ENDINGS = re.compile(r"(?<=\w{3})(?:ing|ies|es|ed|e|s|y)$")

_Walked = tuple[Way, ...]
_Chain = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What stands at the end of a chain of facts that a question's words describe.

    Attributes:
        name: as written.
        score: how much better the relations fit the question's words than unrelated ones would, less what they leave
            unexplained; above 0, comparable within one recall only.
        path: the facts from a name in the question to this one, with the notes that support them.
    """

    name: str
    score: float
    path: Path


@dataclass(frozen=True, slots=True)
class _Meant:
    """Relations that a question may mean, one after the other, from names that it may mean."""

    starts: tuple[str, ...]
    walked: _Walked
    fit: float


def answers(store: Store, question: str, among: Among, *, scope: str, as_of: str = "") -> list[Answer]:
    """Returns what the facts answer, best first; nothing where no chain explains more than it leaves open.

    Args:
        store: with the facts.
        question: in plain words.
        among: the notes that may support the facts.
        scope: of the reader, who decides which relations have one value at a time.
        as_of: what was true at this moment; empty for now.
    """
    walk = store.graph.walk(among)
    if not walk.ways.relations:
        return []
    meant = [one for wording, starts in _begun(question, walk) for one in _Beam(store, walk, wording).meant(starts)]
    meant.sort(key=lambda one: -one.fit)
    found: dict[str, Answer] = {}
    for one in (one for one in meant[:_READINGS] if one.fit > meant[0].fit / 2):
        for chain in _resolved(store, one, among, scope, as_of):
            name = chain[-1].target
            found.setdefault(_folded(name), Answer(name, one.fit, Path(chain, (name,))))
    return list(found.values())[:_MOST]


def on_the_way(store: Store, ends: Sequence[Answer]) -> dict[int, tuple[float, tuple[str, ...]]]:
    """Returns for the notes of chains of several facts a vote, the most at the end, and the way there."""
    found: dict[int, tuple[float, tuple[str, ...]]] = {}
    with store.database.reading() as connection:
        for answer in ends:
            steps = answer.path.steps
            for place in reversed(range(len(steps))) if len(steps) > 1 else ():
                share = 1.0 if place == len(steps) - 1 else _WAYSIDE
                vote = share * answer.score / max(_FULL, ends[0].score)
                for num in nums_of(connection, steps[place].fact.notes):
                    if vote > found.get(num, (0.0,))[0]:
                        found[num] = vote, replace(answer.path, steps=steps[: place + 1]).told
    return found


def _begun(question: str, walk: Walk) -> Iterator[tuple[Wording, list[int]]]:
    """Yields what the question says beside each name, and the nodes of what this name may mean."""
    meant: Mapping[str, int] = walk.names
    found = wordings(question, meant)
    if not found and len(walk.names) <= _MISSPELT:
        near = {fold(surface): spelt_like(fold(surface), walk.names) for surface in names_in(question)}
        meant = {name: walk.names[others[0]] for name, others in near.items() if others}
        found = wordings(question, meant)
    for wording in found:
        yield wording, [meant[wording.name], *walk.also(meant[wording.name])]


class _Beam:
    """The search for the relations that a question means, from one name in it."""

    def __init__(self, store: Store, walk: Walk, wording: Wording) -> None:
        self._vectors = store.vectors
        self._walk = walk
        self._phrases = wording.phrases
        self._skipped = wording.skipped
        # of so many relations, either way, chance alone makes one as like as this
        self._even = _UNLIKE + _SPREAD * math.sqrt(2 * math.log(2 * max(1, len(walk.ways.relations))))
        self._likeness: dict[str, npt.NDArray[np.float64]] = {}  # relation -> of each phrase

    def meant(self, starts: Sequence[int]) -> list[_Meant]:
        """Returns the sequences of relations that explain more than they leave open."""
        states: dict[tuple[_Walked, int], float] = {((), 0): 0.0}
        reached: dict[_Walked, Sequence[int]] = {(): starts}
        best: dict[_Walked, float] = {}
        for _ in range(_STEPS):
            states = self._grown(states, reached)
            for (walked, place), fit in states.items():
                whole = fit - _LEFT * self._skipped(place)
                if whole > best.get(walked, 0.0):
                    best[walked] = whole
        names = tuple(self._walk.surfaces[node - len(self._walk.nums)] for node in starts)
        return [_Meant(tuple(map(_folded, names)), walked, fit) for walked, fit in best.items()]

    def _grown(
        self, states: Mapping[tuple[_Walked, int], float], reached: dict[_Walked, Sequence[int]]
    ) -> dict[tuple[_Walked, int], float]:
        """Returns the best states with one more step, and notes down which nodes they reach."""
        onward = {walked: self._walk.ways.onward(reached[walked]) for walked in {walked for walked, _ in states}}
        self._compare({relation for ways in onward.values() for relation, _ in ways})
        grown: dict[tuple[_Walked, int], float] = {}
        for (walked, place), fit in states.items():
            for way, targets in onward[walked].items():
                if walked and way == (walked[-1][0], not walked[-1][1]):
                    continue  # back to all that have the same
                cost = self._even + (_AGAINST if way[1] != _told_of_the_object(way[0]) else 0.0)
                cost += _FAN * math.log(max(1.0, len(targets) / len(reached[walked])))
                for phrase, likeness in zip(self._phrases, self._likeness[way[0]].tolist(), strict=True):
                    if phrase.start >= place and likeness >= _LEAST:
                        key = (*walked, way), phrase.end
                        new = fit + likeness - cost - _LEFT * self._skipped(place, phrase.start)
                        grown[key] = max(new, grown.get(key, new))
        best = dict(sorted(grown.items(), key=lambda pair: -pair[1])[:_BEAM])
        for walked, _ in best:
            reached[walked] = onward[walked[:-1]][walked[-1]][:_NAMES].tolist()
        return best

    def _compare(self, relations: Collection[str]) -> None:
        """Works out how well each phrase fits some relations: by their vectors, or by the words they share."""
        new = sorted(relation for relation in relations if relation not in self._likeness)
        texts = [text for phrase in self._phrases for text in (phrase.text, phrase.asked or phrase.text)]
        if not new:
            return
        shared = np.array([[_shared(text, relation) for text in texts] for relation in new])
        if self._vectors:
            vectors = self._vectors.phrases([*texts, *(relation.replace("_", " ") for relation in new)])
            shared = np.maximum(shared, vectors[len(texts) :] @ vectors[: len(texts)].T)
        self._likeness |= zip(new, shared.reshape(len(new), len(self._phrases), 2).max(axis=2), strict=True)


def _resolved(store: Store, meant: _Meant, among: Among, scope: str, as_of: str) -> list[_Chain]:
    """Returns the chains of facts that hold, the surest first; those that come back to where they were are last."""
    names: list[str] = [one_name(among.merged(), name) for name in meant.starts]
    chains: list[_Chain] = [()]
    for relation, backward in meant.walked:
        hop = Hop(relation, "<" if backward else ">")
        steps: dict[str, list[Step]] = defaultdict(list)
        for step in onward(store.database, store.triplets, names, hop, among, scope=scope, as_of=as_of):
            if step.fact.confidence >= SURE:
                steps[_folded(step.source)].append(step)
        chains = [
            (*chain, step)
            for chain in chains
            for name in ([_folded(chain[-1].target)] if chain else names)
            for step in steps[name]
        ][:_CHAINS]
        names = list(dict.fromkeys(_folded(chain[-1].target) for chain in chains))
    return sorted(chains, key=lambda chain: (_returns(chain), -Path(chain, ()).confidence))


def _returns(chain: _Chain) -> bool:
    return _folded(chain[-1].target) in {_folded(step.source) for step in chain}


def _told_of_the_object(relation: str) -> bool:
    """Whether "Ada's daughter" is read against the fact, as in "Mia, daughter of, Ada"."""
    return relation.endswith(" of")


def _shared(phrase: str, relation: str) -> float:
    """Returns the share of words that two phrases have in common, whatever their endings: 0..1."""
    left, right = _stems(phrase), _stems(relation)
    return 2 * len(left & right) / (len(left) + len(right)) if left and right else 0.0


@lru_cache(maxsize=1 << 12)
def _stems(text: str) -> frozenset[str]:
    words = [word for word in words_of(text.replace("_", " ")) if word not in STOP]
    return frozenset(_ENDINGS.sub("", word) for word in words)


def _folded(name: str) -> str:
    return fold(name) or name.strip()
