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

import numpy as np
import numpy.typing as npt

from ..engines.entities import names as names_in
from ..store.form import Among
from ..store.graph import Walk
from ..store.likeness import spelt_like
from ..store.names import fold, words_of
from ..store.note import Fact
from ..store.paths import Key, Path, Step, key_of, stated
from ..store.statements import nums_of
from ..store.store import Store
from ..store.ways import SURE, Way
from ..store.words import STOP
from .wording import LONGEST_PHRASE, Wording, wordings

__all__ = ["Answer", "answers", "on_the_way"]

_UNLIKE, _SPREAD = 0.15, 0.1  # likeness of unrelated words, and how it scatters
_FAN = 0.05  # cost of a step that leads to e times as many names
_LEAST = 0.2  # likeness below which no step is taken
_LEFT = 0.4  # cost of a telling word that no step explains
_AGAINST = 0.15  # cost of reading a fact the other way: whose child, for "child"
_CHARACTERS = 2_000  # of a question; a longer one asks no chain at its end
_STEPS = 4
_BEAM = 48  # sequences of relations
_READINGS = 3  # of them whose facts are looked up
_FULL = 0.3  # score of a chain that counts in full
_WAYSIDE = 0.25  # what a note on the way counts beside that at the end
_CHAINS = 64  # of one such sequence
_NAMES = 64  # from which one step is taken
_LOOKED_UP = 256  # facts of one step of one sequence
_COMPARED = 512  # relations whose vectors are made for one name; of a hub's others only the words count
_MOST = 10  # answers
_MISSPELT = 20_000  # names; among more, nobody looks for what a misspelt one may have meant
_UNKNOWN = 3  # names that are looked for so
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
    """Relations that a question may mean, one after the other, from the nodes of names that it may mean."""

    starts: tuple[int, ...]
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
    begun = _begun(question[:_CHARACTERS], walk)
    meant = [one for wording, starts in begun for one in _Beam(store, walk, wording).meant(starts)]
    meant.sort(key=lambda one: -one.fit)
    found: dict[str, Answer] = {}
    likely = [one for one in meant[:_READINGS] if one.fit > meant[0].fit / 2]
    for one, chain in _resolved(store, walk, likely, among, scope, as_of):
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
        unknown = [name for name in map(fold, names_in(question)) if name not in walk.names][:_UNKNOWN]
        near = {name: spelt_like(name, walk.names) for name in unknown}
        meant = {name: walk.names[others[0]] for name, others in near.items() if others}
        found = wordings(question, meant)
    for wording in found:
        yield wording, [meant[wording.name], *walk.also(meant[wording.name])]


class _Beam:
    """The search for the relations that a question means, from one name in it."""

    def __init__(self, store: Store, walk: Walk, wording: Wording) -> None:
        self._vectors = store.vectors
        self._walk = walk
        self._skipped = wording.skipped
        self._ends = [phrase.end for phrase in wording.phrases]
        self._starts = np.array([phrase.start for phrase in wording.phrases])
        self._texts = [text for phrase in wording.phrases for text in (phrase.text, phrase.asked or phrase.text)]
        self._stems = [_stems(text) for text in self._texts]
        # of so many relations, either way, chance alone makes one as like as this
        self._even = _UNLIKE + _SPREAD * math.sqrt(2 * math.log(2 * max(1, len(walk.ways.relations))))
        self._likeness: dict[str, npt.NDArray[np.float64]] = {}  # relation -> of each phrase

    def meant(self, starts: Sequence[int]) -> list[_Meant]:
        """Returns the sequences of relations that explain more than they leave open."""
        if _STEPS * (1 - self._even) < _LEFT * (self._skipped(0) - _STEPS * LONGEST_PHRASE):
            return []  # no chain can explain so many words
        states: dict[tuple[_Walked, int], float] = {((), 0): 0.0}
        reached: dict[_Walked, Sequence[int]] = {(): starts}
        best: dict[_Walked, float] = {}
        for _ in range(_STEPS):
            states = self._grown(states, reached)
            for (walked, place), fit in states.items():
                whole = fit - _LEFT * self._skipped(place)
                if whole > best.get(walked, 0.0):
                    best[walked] = whole
        return [_Meant(tuple(starts), walked, fit) for walked, fit in best.items()]

    def _grown(
        self, states: Mapping[tuple[_Walked, int], float], reached: dict[_Walked, Sequence[int]]
    ) -> dict[tuple[_Walked, int], float]:
        """Returns the best states with one more step, and notes down which nodes they reach."""
        onward = {walked: self._walk.ways.onward(reached[walked]) for walked in {walked: 0 for walked, _ in states}}
        self._compare({relation for ways in onward.values() for relation, _ in ways})
        gains = {walked: self._gains(walked, ways, len(reached[walked])) for walked, ways in onward.items()}
        grown: dict[tuple[_Walked, int], float] = {}
        for (walked, place), fit in states.items():
            passed = [self._skipped(place, start) for start in self._starts.tolist()]
            fits = fit + gains[walked] - _LEFT * np.array(passed)
            fits[:, self._starts < place] = -np.inf
            ways = list(onward[walked])
            for at in _greatest(fits.ravel(), _BEAM * LONGEST_PHRASE):  # as many phrases end at one word
                way, phrase = divmod(at, len(self._ends))
                key = (*walked, ways[way]), self._ends[phrase]
                new = float(fits[way, phrase])
                grown[key] = max(new, grown.get(key, new))
        best = dict(sorted(grown.items(), key=lambda pair: -pair[1])[:_BEAM])
        for walked, _ in best:
            reached[walked] = onward[walked[:-1]][walked[-1]][:_NAMES].tolist()
        return best

    def _gains(
        self, walked: _Walked, ways: Mapping[Way, npt.NDArray[np.int32]], reached: int
    ) -> npt.NDArray[np.float64]:
        """Returns what each way gains as the meaning of each phrase, less what it costs: (ways, phrases)."""
        gains = np.full((len(ways), len(self._ends)), -np.inf)
        for place, (way, targets) in enumerate(ways.items()):
            if walked and way == (walked[-1][0], not walked[-1][1]):
                continue  # back to all that have the same
            cost = self._even + (_AGAINST if way[1] != _told_of_the_object(way[0]) else 0.0)
            cost += _FAN * math.log(max(1.0, len(targets) / reached))
            likeness = self._likeness[way[0]]
            gains[place] = np.where(likeness >= _LEAST, likeness - cost, -np.inf)
        return gains

    def _compare(self, relations: Collection[str]) -> None:
        """Works out how well each phrase fits some relations: by their vectors, or by the words they share."""
        new = sorted(relation for relation in relations if relation not in self._likeness)
        if not new:
            return
        like = np.array([[_shared(stems, own) for stems in self._stems] for own in map(_stems, new)])
        if self._vectors and (few := new[: max(0, _COMPARED - len(self._likeness))]):
            vectors = self._vectors.phrases([*self._texts, *(relation.replace("_", " ") for relation in few)])
            count = len(self._texts)
            like[: len(few)] = np.maximum(like[: len(few)], vectors[count:] @ vectors[:count].T)
        self._likeness |= zip(new, like.reshape(len(new), len(self._ends), 2).max(axis=2), strict=True)


def _greatest(values: npt.NDArray[np.float64], count: int) -> list[int]:
    """Returns the places of the greatest finite values, in order of their places."""
    finite = np.flatnonzero(values > -np.inf)
    if len(finite) > count:
        finite = np.sort(finite[np.argpartition(-values[finite], count)[:count]])
    return [int(place) for place in finite]


def _resolved(
    store: Store, walk: Walk, meant: Sequence[_Meant], among: Among, scope: str, as_of: str
) -> Iterator[tuple[_Meant, _Chain]]:
    """Yields the chains of facts that hold, in order of what is meant, then the surest first.

    Those that come back to where they were are last.
    """
    steps = [_steps(walk, one) for one in meant]
    facts: dict[Key, list[Fact]] = defaultdict(list)
    wanted = {key for levels in steps for level in levels for key in level}
    for fact in stated(store.database, store.triplets, wanted, among, scope=scope, as_of=as_of):
        if fact.confidence >= SURE:
            facts[key_of(fact)].append(fact)
    for one, levels in zip(meant, steps, strict=True):
        chains: list[_Chain] = [()]
        for (_, backward), level in zip(one.walked, levels, strict=True):
            onward: dict[str, list[Step]] = defaultdict(list)
            for step in (Step(fact, backward) for key in level for fact in facts[key]):
                onward[_folded(step.source)].append(step)
            names = [_folded(walk.surface(node)) for node in one.starts]
            chains = [
                (*chain, step)
                for chain in chains
                for name in ([_folded(chain[-1].target)] if chain else names)
                for step in onward[name]
            ][:_CHAINS]
        chains.sort(key=lambda chain: (_returns(chain), -Path(chain, ()).confidence))
        yield from ((one, chain) for chain in chains)


def _steps(walk: Walk, meant: _Meant) -> list[list[Key]]:
    """Returns the facts that each step of a sequence may use, whether they hold or not."""
    nodes: Sequence[int] = meant.starts
    found: list[list[Key]] = []
    for relation, backward in meant.walked:
        pairs = walk.ways.along(nodes, (relation, backward), _LOOKED_UP // max(1, len(nodes)))
        named = [(_folded(walk.surface(near)), _folded(walk.surface(far))) for near, far in pairs]
        found.append([(far, relation, near) if backward else (near, relation, far) for near, far in named])
        nodes = list(dict.fromkeys(far for _, far in pairs))[:_NAMES]
    return found


def _returns(chain: _Chain) -> bool:
    return _folded(chain[-1].target) in {_folded(step.source) for step in chain}


def _told_of_the_object(relation: str) -> bool:
    """Whether "Ada's daughter" is read against the fact, as in "Mia, daughter of, Ada"."""
    return relation.endswith(" of")


def _shared(left: Collection[str], right: Collection[str]) -> float:
    """Returns the share of stems that two phrases have in common: 0..1."""
    return 2 * len(set(left) & set(right)) / (len(left) + len(right)) if left and right else 0.0


def _stems(text: str) -> frozenset[str]:
    """Returns the telling words of a phrase without their endings."""
    words = [word for word in words_of(text.replace("_", " ")) if word not in STOP]
    return frozenset(_ENDINGS.sub("", word) for word in words)


def _folded(name: str) -> str:
    return fold(name) or name.strip()
