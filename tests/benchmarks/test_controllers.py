from __future__ import annotations

import numpy as np
import pytest
from benchmarks import diversity, reranking
from benchmarks.controllers import episodes, follow_up, small_talk, spelt, sums, with_episodes
from benchmarks.peers import Remembering
from factories import HashEmbedder, Memories  # type: ignore[import-not-found]

from tercet.adapters.dialogues import Transcript
from tercet.engines.small_talk import worth_reading


def test_choices_are_spelt_out_and_sums_are_no_questions() -> None:
    assert spelt(["I am (tired; busy) (today; now).", "Bye."]) == [
        "I am tired today.",
        "I am tired now.",
        "I am busy today.",
        "I am busy now.",
        "Bye.",
    ]
    assert not any(map(worth_reading, sums(50)))
    seen, held = small_talk()
    assert "Thank you!" in seen
    assert not set(seen) & set(held)


@pytest.mark.parametrize(
    ("question", "turned"),
    [
        ("Where did Mel go with Mel's kids?", ("Mel", "Where did they go with their kids?")),
        ("Where did Mel meet Kim?", None),
        ("Where did Melanie go?", None),
    ],
)
def test_a_follow_up_names_nobody(question: str, turned: tuple[str, str] | None) -> None:
    assert follow_up(question, ["Mel", "Kim"]) == turned


def test_an_episode_ends_where_a_turn_surprises_and_where_a_session_does(memory: Memories) -> None:
    said = ["tea is hot", "tea is hot indeed", "hot tea indeed", "trains run late", "late trains run", "hello"]
    turns = [
        {"source": f"D{n}", "speaker": "Ada", "text": text, "happened": "2024-05-02" if n == 5 else "2024-05-01"}
        for n, text in enumerate(said)
    ]
    transcript = Transcript("t", tuple(turns), ())
    of = episodes(transcript, Remembering(HashEmbedder(dimensions=256)))
    assert [of[f"D{n}"] for n in range(6)] == [1, 1, 1, 2, 2, 3]
    ada = memory()
    ada.write_many(turns)
    recall = ada.read("tea", k=6)
    assert sorted(with_episodes(recall, of, 0.5)) == sorted(of)
    assert with_episodes(recall, of, 0.0) == [one.note.source for one in recall]


def test_repeated_turns_are_of_the_same_source() -> None:
    made = diversity.repeated([{"source": "a", "text": "x", "thread": "t"}, {"source": "b", "text": "y"}], {"a"})
    assert [turn["source"] for turn in made] == ["a", "b", "a", "a", "a"]
    assert diversity.found_of(["a", "a", "c"], {"a", "b"}) == (0.5, 2.0)


def test_the_arms_of_reranking_are_compared_question_by_question(memory: Memories) -> None:
    arms = {name: reranking.Arm() for name in (reranking.WITHOUT, reranking.WITH, reranking.ALONE)}
    material = reranking.Material(
        "x",
        [{"text": f"note {n} of tea", "source": str(n)} for n in range(5)],
        [("note 3", "one", frozenset({"3"})), ("note 4", "two", frozenset({"4"}))],
    )
    embedder = HashEmbedder()

    class Late:
        weight = 0.5

        def rank(self, question: str, texts: list[str]) -> list[float]:
            return [float(np.sum(np.array(list(text)) == question[-1:])) if question else 0.0 for text in texts]

    reranking.ask(material, arms, embedder, Late())  # type: ignore[arg-type]
    found = reranking.figures(arms)
    assert found["questions"] == 2
    assert found["recall"][reranking.WITH]["5"] == 1.0
    assert set(found["gain@10 by kind"]) == {"one", "two"}
