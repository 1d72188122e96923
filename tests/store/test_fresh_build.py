"""Forgetting notes and writing them again, over and over, leaves no trace in any score: bit for bit a fresh build's."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from factories import HashEmbedder, Memories, disagreements  # type: ignore[import-not-found]

from tercet.engines.rules import RuleExtractor
from tercet.sdk import Memory

PEOPLE = "Ada Mia Ben Lena Theo Kim".split()
PLACES = "Lisbon Porto Faro Braga Évora 東京".split()
THINGS = "tea bread rivers trains chess the cello".split()
QUESTIONS = [
    "Where does Ada live?",
    "Who likes tea and who likes chess?",
    "What did Mia say about Porto in May 2024?",
    "Does Theo know Kim?",
    "trains to Faro",
    "When did Ben move?",
    "What do I like?",
    "Lena's brother",
]
FORMS = [("words", "vectors", "triplets", "graph"), ("words",), ("vectors",), ("triplets",), ("graph",)]


def drafts(count: int, random: Random) -> list[dict[str, Any]]:
    """Returns notes with turns, dates and facts, some of them with the same words."""
    made = []
    for number in range(count):
        who, other = random.sample(PEOPLE, 2)
        place, thing = random.choice(PLACES), random.choice(THINGS)
        text = random.choice(
            [
                f"{who} moved to {place} and likes {thing}.",
                f"I met {other} in {place}.",
                f"{who} knows {other}; they play {thing} on Sundays.",
                f"Do you like {thing}?",
                f"{other} is {who}'s neighbour in {place}.",
            ]
        )
        draft: dict[str, Any] = {"text": text, "speaker": who, "happened": f"2024-{1 + number % 12:02}-09"}
        if number % 3:
            draft["thread"] = f"t{number % 5}"
        if number % 4 == 0:
            draft["facts"] = [(who, "lives in", place), (other, "likes", thing)]
        made.append(draft)
    return made


def seen(memory: Memory) -> list[object]:
    """Returns every read with its scores, votes and paths, to the last bit."""
    return [
        [
            (r.note.text, r.note.thread, r.score.hex(), {n: v.hex() for n, v in r.why.votes.items()}, r.why.path)
            for r in memory.read(question, k=50, by=by, as_of=as_of)
        ]
        for question in QUESTIONS
        for by in FORMS
        for as_of in (None, "2024-06-30")
    ]


def differing(memories: Memories, *, notes: int, times: int, looks: int) -> int:
    """Forgets and writes again; returns how often what is read differed from a fresh build's."""
    random = Random(5)
    options = {"embedder": HashEmbedder(), "extractor": RuleExtractor()}
    churned: Memory = memories("ada", "churned", **options)
    content = {note.id: draft for draft in drafts(notes, random) for note in churned.write_many([draft])}
    done = wrong = 0
    for look in range(1, looks + 1):
        while done < times * look // looks:
            gone = random.sample(list(content), min(random.randint(1, 10), times - done))
            churned.forget(*gone)
            again = [content.pop(id) for id in gone]
            random.shuffle(again)
            content |= {note.id: draft for note, draft in zip(churned.write_many(again), again, strict=True)}
            done += len(gone)
        assert disagreements(churned._store) == []
        fresh: Memory = memories("ada", f"fresh-{look}", **options)
        for draft in content.values():  # in the order in which they now stand
            fresh.write(**draft)
        wrong += sum(ours != theirs for ours, theirs in zip(seen(churned), seen(fresh), strict=True))
        assert any(len(read) > 10 for read in seen(fresh))  # type: ignore[arg-type]
        fresh.close()
    return wrong


def test_scores_are_those_of_a_fresh_build(memory: Memories) -> None:
    assert differing(memory, notes=60, times=150, looks=2) == 0


@pytest.mark.slow
def test_scores_are_those_of_a_fresh_build_after_ten_thousand(memory: Memories) -> None:
    assert differing(memory, notes=300, times=10_000, looks=4) == 0


def test_a_note_too_many_would_be_noticed(memory: Memories) -> None:
    one, other = memory("ada", "one"), memory("ada", "other")
    for ada in (one, other):
        ada.write_many(drafts(40, Random(1)))
    assert seen(one) == seen(other)
    other.write("Ada likes tea.")
    assert seen(one) != seen(other)
