"""A recall says how likely the memory holds anything on what was asked, and can be empty where it does not."""

from collections.abc import Iterator

import numpy as np
import pytest
from factories import Memories  # type: ignore[import-not-found]

from tercet.engines.embedder import CallableEmbedder, MiniLM
from tercet.sdk import Memory
from tercet.store.errors import InvalidInput


@pytest.fixture(scope="module")
def memories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memories]:
    opened = Memories(tmp_path_factory.mktemp("confidence"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def ada(memories: Memories) -> Memory:
    """A memory with the default embedder."""
    opened: Memory = memories(embedder=MiniLM())
    opened.write_many(
        [
            {"text": "I moved to Lisbon in March, to a flat near the river.", "speaker": "Ada"},
            {"text": "My daughter Mia works at the Crumb bakery.", "speaker": "Ada"},
            {"text": "I am allergic to peanuts.", "speaker": "Ada"},
        ]
    )
    return opened


@pytest.mark.parametrize(
    "question", ["Where does Ada's daughter Mia work?", "Which city did Ada move to?", "What is Ada allergic to?"]
)
def test_what_was_told_is_likely(ada: Memory, question: str) -> None:
    recall = ada.read(question, least=0.5)
    assert recall
    assert recall.confidence is not None
    assert recall.confidence >= 0.5


@pytest.mark.parametrize(
    "question", ["How do I sort a list in Rust?", "Who won the chess championship of 1972?", "What is 17 times 23?"]
)
def test_what_was_never_told_is_unlikely_and_recalls_nothing_where_asked_to(ada: Memory, question: str) -> None:
    recall = ada.read(question)
    assert recall, "without `least` every read returns the nearest"
    assert recall.confidence is not None
    assert recall.confidence < 0.2
    assert not ada.read(question, least=0.2)


def test_an_empty_recall_still_says_how_likely_it_would_have_been(ada: Memory) -> None:
    assert ada.read("How do I sort a list in Rust?", least=0.9).confidence == pytest.approx(
        ada.read("How do I sort a list in Rust?").confidence
    )


def test_a_shorter_recall_keeps_its_confidence(ada: Memory) -> None:
    recall = ada.read("What is Ada allergic to?")
    assert recall[:1].confidence == recall.without({recall[0].note.id}).confidence == recall.confidence


def test_an_empty_memory_is_sure_of_nothing(memories: Memories) -> None:
    assert memories(folder="empty", embedder=MiniLM()).read("Where does Ada live?").confidence == 0.0


def test_nobody_knows_what_the_cosines_of_an_embedder_mean_that_was_not_calibrated(memories: Memories) -> None:
    same = CallableEmbedder(lambda texts: np.tile([1.0, 0.0], (len(texts), 1)), name="same", dimensions=2)
    memory = memories(folder="same", embedder=same)
    memory.write("I moved to Lisbon.")
    assert memory.read("Lisbon?").confidence is None
    assert memory.read("Lisbon?", least=0.0)
    with pytest.raises(InvalidInput, match="calibrated"):
        memory.read("Lisbon?", least=0.5)


def test_without_vectors_there_is_no_confidence(ada: Memory) -> None:
    assert ada.read("What is Ada allergic to?", by=("words",)).confidence is None


@pytest.mark.parametrize("least", [-0.1, 1.1, float("nan"), True, "0.5", None])
def test_a_chance_is_from_0_to_1(ada: Memory, least: object) -> None:
    with pytest.raises(InvalidInput, match="least must be a number from 0 to 1"):
        ada.read("Where does Ada live?", least=least)  # type: ignore[arg-type]
