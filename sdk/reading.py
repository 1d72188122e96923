"""How the forms' votes become one ranking.

The prior is the min-max sum of words and vectors. Facts and names in the question seed Personalized PageRank, which
consumes the prior as its reset vector; its mass times the prior is the ranking. What stands in a dialogue is ranked
as a dialogue, and a story by its order, see dialogue_rank.py; what a question says of time, see asked_time.py.
Source: the project's measurements on LoCoMo and MuSiQue (docs/recall.md).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from ..engines.rerank import Reranker
from ..store.errors import InvalidInput
from ..store.form import Among, Cue, Hit
from ..store.names import fold
from ..store.notes import Turn
from ..store.shown import shown
from ..store.store import Store
from ..store.triplets import Matched
from .arranging import diverse, reranked
from .asked_time import asked_of, of_that_time, united
from .bridging import bridged
from .chains import Answer, answers, on_the_way
from .dialogue_rank import in_sessions, later_first, smoothed, spoken, wordiness

__all__ = ["FORMS", "Ranked", "Ranking", "likely", "min_max", "rank", "weighed"]

FORMS = ("words", "vectors", "triplets", "graph")
_DEPTH = 200  # candidates of each form
_VECTORS = 2.0  # weight of vectors beside words
_VECTORS_OF_TURNS = 0.5  # a terse turn out of its dialogue says too little for its vector to count as much
_FACTS = 3  # best facts that seed the graph
_FIRST = 12  # triplets among which these mostly are
_LINK = 1.0  # weight of a name in the question beside the best fact
_ALONE = 0.2  # what a note that only the links lead to counts, beside one that words and vectors find too
_GRAPH_OF_TURNS = 0.2  # adjacency says more in a dialogue than links
_BRIDGE = 0.3  # what a note gains that shares a rare name with the best, before its own nearness
_CHAIN = 2.0  # what the note gains that states the last fact of the chain a question describes
_TIME = 1.0  # what a note of the asked time gains: as much as all else can give (docs/time.md)
_TIME_OF_TURNS = 0.5  # in a dialogue the date is that of the session, and says less


@dataclass(frozen=True, slots=True)
class Ranked:
    """One note with the votes it got."""

    num: int
    score: float
    votes: Mapping[str, float]
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ranking:
    """What a read found.

    Attributes:
        found: notes, best first.
        confidence: how likely any of them is on what was asked: 0..1, or None if nobody can tell.
        answers: what the facts say, best first.
    """

    found: list[Ranked]
    confidence: float | None
    answers: Sequence[Answer] = ()


def rank(
    store: Store,
    question: str,
    k: int,
    *,
    among: Among,
    scope: str,
    by: Collection[str] = FORMS,
    as_of: str = "",
    reranker: Reranker | None = None,
    diversity: float = 0.0,
) -> Ranking:
    """Returns at most ``k`` notes out of ``among``; none for a question without words.

    Args:
        store: whose forms vote.
        question: what is asked.
        k: most notes.
        among: the notes that may come back.
        scope: of the reader, who decides which relations have one value at a time.
        by: the forms that may vote.
        as_of: what "last week" in the question is relative to, ISO 8601; empty for today.
        reranker: reads the best notes again; None to go without.
        diversity: how much a note that repeats better ones steps back, 0 to 1.
    """
    if not any(character.isalnum() for character in question):
        return Ranking([], None)
    vector = store.vectors.embed(question) if store.vectors and "vectors" in by else None
    confidence = None
    cue = Cue(question, vector)
    names: list[str] = []
    facts: list[Matched] = []
    seeds: dict[str, float] = {}
    hits: dict[str, list[Hit]] = {}
    within: set[int] = set()
    if "words" in by:
        hits["words"] = store.words.search(cue, _DEPTH, among)
        period = asked_of(question, as_of)
        if period:
            near, within = of_that_time(store, period, _DEPTH, among)
            hits["words"] = united(hits["words"], near)
    if store.vectors and vector is not None:
        hits["vectors"] = store.vectors.search(cue, _DEPTH, among)
        confidence = store.vectors.confidence(hits["vectors"][0].score if hits["vectors"] else None)
    votes = {name: min_max(found) for name, found in hits.items()}
    candidates = {num for vote in votes.values() for num in vote}
    turns = store.notes.turns(candidates)
    dialogue = spoken(turns, candidates)
    weight = _VECTORS_OF_TURNS * wordiness(turns) if dialogue else _VECTORS
    prior = weighed([(votes.get("words", {}), 1.0), (votes.get("vectors", {}), weight)])
    if "triplets" in by:
        facts = store.triplets.best(cue, _DEPTH, among)
        hits["triplets"] = _of_notes(facts)
        votes["triplets"] = min_max(hits["triplets"])
    if "graph" in by:
        names = store.graph.linked(question, among)
        seeds = _seeds(_likely_facts(store, facts, prior), names)
        hits["graph"] = store.graph.search(replace(cue, prior=_of_best(prior), seeds=seeds), _DEPTH, among)
        votes["graph"] = min_max(hits["graph"])
    final = _final(prior, hits.get("graph", []), votes, turns, question, dialogue=dialogue)
    shared: dict[int, tuple[float, str]] = {}
    if "graph" in by and vector is not None and not dialogue:
        shared = bridged(store, store.graph.walk(among), final, names, vector)
        votes["bridge"] = {num: vote for num, (vote, _) in shared.items()}
        final = weighed([(final, 1.0), (votes["bridge"], _BRIDGE)])
    ends = answers(store, question, among, scope=scope, as_of=as_of) if {"triplets", "graph"} <= set(by) else []
    told = on_the_way(store, ends)
    if told:
        votes["facts"] = {num: vote for num, (vote, _) in told.items()}
        final = weighed([(final, 1.0), (votes["facts"], _CHAIN)])
    if within:
        votes["time"] = dict.fromkeys(within, 1.0)
        final = weighed([(final, 1.0), (votes["time"], _TIME_OF_TURNS if dialogue else _TIME)])
    if reranker:
        final, votes["rerank"] = reranked(store, question, final, k, reranker)
    order = diverse(store, final, k, diversity) if diversity else _best(final)[:k]
    paths: dict[int, tuple[str, ...]] = {num: (name,) for num, (_, name) in shared.items()}
    paths |= _stated(store, facts, order)
    if "graph" in hits:
        paths |= store.graph.paths(names or seeds, order, among)
    paths |= {num: path for num, (_, path) in told.items()}
    found = [
        Ranked(num, final[num], {name: vote[num] for name, vote in votes.items() if num in vote}, paths.get(num, ()))
        for num in order
    ]
    return Ranking(found, confidence, ends)


def likely(ranking: Ranking, least: float) -> list[Ranked]:
    """Returns what was found, or nothing where the confidence is below ``least``.

    Raises:
        InvalidInput: ``least`` is no number from 0 to 1, or nothing here gives a confidence.
    """
    if isinstance(least, bool) or not isinstance(least, (int, float)) or not 0 <= least <= 1:
        raise InvalidInput(f"least must be a number from 0 to 1, not {shown(least)}")
    if not least or not ranking.found:
        return ranking.found
    if ranking.confidence is None:
        raise InvalidInput(
            "least needs the vectors of an embedder that was calibrated, as the default one is; "
            "leave it out, or give your embedder its `certainty` (docs/recall.md)"
        )
    return ranking.found if ranking.confidence >= least else []


def min_max(hits: Sequence[Hit]) -> dict[int, float]:
    """Scales scores so that the best is 1 and the worst of them 0; a single hit gets 1."""
    if not hits:
        return {}
    scores = [hit.score for hit in hits]
    low, width = min(scores), max(scores) - min(scores)
    if width <= 0:
        return {hit.num: 1.0 for hit in hits}
    return {hit.num: (score - low) / width for hit, score in zip(hits, scores, strict=True)}


def weighed(parts: Sequence[tuple[Mapping[int, float], float]]) -> dict[int, float]:
    """Returns the weighted sum of scores; a note that is missing in one counts as 0 there."""
    total: dict[int, float] = {}
    for scores, weight in parts:
        if total:
            for num, score in scores.items():
                total[num] = total.get(num, 0.0) + weight * score
        else:
            total = {num: weight * score for num, score in scores.items()}
    return total


def _final(
    prior: Mapping[int, float],
    graph: Sequence[Hit],
    votes: Mapping[str, Mapping[int, float]],
    turns: Mapping[int, Turn],
    question: str,
    *,
    dialogue: bool,
) -> dict[int, float]:
    """The prior and the graph that has consumed it; the graph or the facts where they are alone."""
    linked = votes.get("graph", {})
    if not prior:
        return dict(linked or votes.get("triplets", {}))
    if dialogue:
        smooth = smoothed(prior, turns)
        return in_sessions(weighed([(smooth, 1.0), (linked, _GRAPH_OF_TURNS)]), turns, question)
    fitting = _of_best(prior)
    if graph:
        reached = _of_best({hit.num: hit.score for hit in graph})
        least = min(reached.values())
        fitting = {
            num: reached.get(num, least) * (_ALONE + fitting.get(num, 0.0)) / (_ALONE + 1)
            for num in reached.keys() | fitting.keys()
        }
    return later_first(fitting, turns)


def _best(scores: Mapping[int, float]) -> list[int]:
    """Returns the notes, best first, of equals the first that was written."""
    return sorted(sorted(scores), key=scores.__getitem__, reverse=True)


def _of_best(scores: Mapping[int, float]) -> dict[int, float]:
    """Returns the scores as shares of the best one."""
    best = max(scores.values(), default=0.0) or 1.0
    return {num: score / best for num, score in scores.items()}


def _of_notes(facts: Sequence[Matched]) -> list[Hit]:
    """Returns each note with the score of the best of its facts, the first."""
    best: dict[int, float] = {}
    for _, num, score in facts:
        best.setdefault(num, score)
    return [Hit(num, score) for num, score in best.items()]


def _stated(store: Store, facts: Sequence[Matched], nums: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """Returns of some notes the best of the facts that match: subject, relation, object."""
    shown, best = set(nums), dict[int, int]()
    for fact, num, _ in facts:
        if num in shown:
            best.setdefault(num, fact)
    told = store.triplets.told(list(best.values())) if best else {}
    return {num: told[fact] for num, fact in best.items()}


def _likely_facts(
    store: Store, facts: Sequence[Matched], prior: Mapping[int, float]
) -> list[tuple[tuple[str, ...], float]]:
    """Returns the best three facts, folded, each with how well it fits.

    A short fact says too little of what it is about: it counts as much as its note fits the question, which makes
    the vector of the note stand in for one of the fact (docs/recall.md). Only of the first few the words are read,
    unless equals among them leave open which three are meant.
    """
    if not facts:
        return []
    low, high = facts[-1][2], facts[0][2]
    width = high - low
    own = [(score - low) / width if high > low else 1.0 for _, _, score in facts]
    fits = [fit * prior.get(num, 0.0) for fit, (_, num, _) in zip(own, facts, strict=True)] if prior else own
    least = sorted(fits, reverse=True)[:_FIRST][-1]
    every = [(num, fit) for (num, _, _), fit in zip(facts, fits, strict=True)]
    first = [(num, fit) for num, fit in every if fit >= least]
    chosen = _best_facts(store, first)
    values = {fit for _, fit in chosen}
    if len(first) < len(every) and (len(chosen) < _FACTS or len(values) < len(chosen)):
        chosen = _best_facts(store, every)
    return chosen[:_FACTS]


def _best_facts(store: Store, fits: Sequence[tuple[int, float]]) -> list[tuple[tuple[str, ...], float]]:
    """Returns the best facts and one more, of triplets and how well they fit; several notes may state one."""
    told = store.triplets.told([num for num, _ in fits])
    best: dict[tuple[str, ...], float] = {}
    for num, fit in fits:
        fact = tuple(map(fold, told[num]))
        best[fact] = max(best.get(fact, 0.0), fit)
    return sorted(best.items(), key=lambda pair: -pair[1])[: _FACTS + 1]


def _seeds(facts: Sequence[tuple[tuple[str, ...], float]], names: Sequence[str]) -> dict[str, float]:
    """Returns what seeds the graph: the names in the question, and both ends of the best facts."""
    seeds: dict[str, float] = {}
    for fact, fit in facts:
        for side in (fact[0], fact[2]):
            seeds[side] = seeds.get(side, 0.0) + (fit / facts[0][1] if facts[0][1] else 0.0)
    for name in names:
        seeds[name] = seeds.get(name, 0.0) + _LINK
    return seeds
