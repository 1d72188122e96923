"""The facts that seed the graph are the best of all that match, though only of the first the words are read."""

import random

from factories import Memories  # type: ignore[import-not-found]

from tercet.sdk import reading
from tercet.store.names import fold
from tercet.store.store import Store
from tercet.store.triplets import Matched

Fits = list[tuple[tuple[str, ...], float]]


def by_all(store: Store, facts: list[Matched], prior: dict[int, float]) -> Fits:
    """As it is meant: every fact with the best of its notes, the three best of them, of equals the first."""
    told = store.triplets.told([num for num, _, _ in facts])
    low, high = (facts[-1][2], facts[0][2]) if facts else (0.0, 0.0)
    best: dict[tuple[str, ...], float] = {}
    for num, note, score in facts:
        own = (score - low) / (high - low) if high > low else 1.0
        fact = tuple(map(fold, told[num]))
        best[fact] = max(best.get(fact, 0.0), own * prior.get(note, 0.0) if prior else own)
    return sorted(best.items(), key=lambda pair: -pair[1])[:3]


def test_they_are_those_that_reading_all_of_them_finds(memory: Memories) -> None:
    choose = random.Random(7)
    ada = memory("ada", extractor=None)
    names = ["Ada", "Mia", "Ben", "the Mia", "Porto"]
    ada.write_many(
        {"text": f"note {n}", "facts": [(choose.choice(names), choose.choice("pqr"), choose.choice(names))]}
        for n in range(60)
    )
    store = ada._store
    every = [(num, num) for num in range(1, 61)]
    different = set()
    for _ in range(600):
        chosen = choose.sample(every, choose.randint(0, 60))
        scores = sorted((choose.choice([1.0, 1.5, choose.random() * 3]) for _ in chosen), reverse=True)
        facts = [(num, note, score) for (num, note), score in zip(chosen, scores, strict=True)]
        likely = {note: choose.choice([0.0, 0.5, choose.random()]) for _, note in chosen if choose.random() < 0.6}
        prior = choose.choice([likely, {}])
        found = reading._likely_facts(store, facts, prior)
        assert found == by_all(store, facts, prior)
        different.add(tuple(fact for fact, _ in found))
    assert len(different) > 100, "or the drawing is no test"
