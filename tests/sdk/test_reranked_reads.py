"""A reranker reads the best notes again; its word counts, and what is wrong with it is said."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from factories import HashEmbedder  # type: ignore[import-not-found]

from tercet.sdk import Memory
from tercet.store.errors import EngineError


class Longest:
    """Likes long texts, and keeps what it was asked."""

    weight = 10.0

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []

    def rank(self, question: str, texts: Sequence[str]) -> list[float]:
        self.asked.append((question, list(texts)))
        return [float(len(text)) for text in texts]


class Wrong:
    def __init__(self, answer: object) -> None:
        self.answer = answer

    def rank(self, question: str, texts: Sequence[str]) -> Sequence[float]:
        return self.answer  # type: ignore[return-value]


def test_its_word_counts_and_its_vote_is_told(tmp_path: Path) -> None:
    longest = Longest()
    with Memory(tmp_path / "m", scope="ada", embedder=HashEmbedder(), reranker=longest) as memory:
        memory.write("tea", speaker="Ada")
        memory.write("tea and a very long story about it")
        recall = memory.read("tea", k=2)
        assert recall[0].note.text == "tea and a very long story about it"
        assert recall[0].why.votes["rerank"] == 1.0
        assert recall[1].why.votes["rerank"] == 0.0
        assert "rerank 1.00" in str(recall[0].why)
        assert sorted(longest.asked[0][1]) == ["Ada: tea", "tea and a very long story about it"]
        assert memory.read("zzz", by=["words"]).notes == ()
        assert len(longest.asked) == 1, "where nothing was found nobody is asked"


def test_it_reads_a_hundred_at_the_most_unless_more_are_wanted(tmp_path: Path) -> None:
    longest = Longest()
    with Memory(tmp_path / "m", scope="ada", embedder=None, reranker=longest) as memory:
        memory.write_many([f"tea number {n}" for n in range(150)])
        assert len(memory.read("tea", k=5)) == 5
        assert len(memory.read("tea", k=120)) == 120
    assert [len(asked[1]) for asked in longest.asked] == [100, 120]


@pytest.mark.parametrize(
    "answer",
    [
        [],
        [1.0],
        [1.0, float("nan")],
        [[1.0, 2.0]],
        [[1.0], [1.0, 2.0]],
        ["0.5", "0.7"],
        ["good", "bad"],
        [None, 1.0],
        [10**400, 1],
        (one for one in (1.0, 2.0)),
        None,
    ],
)
def test_what_is_no_ranking_is_refused(tmp_path: Path, answer: object) -> None:
    with Memory(tmp_path / "m", scope="ada", embedder=None, reranker=Wrong(answer)) as memory:
        memory.write_many(["tea one", "tea two"])
        with pytest.raises(EngineError, match="one finite number for each"):
            memory.read("tea")


def test_it_sees_no_note_of_another_scope(tmp_path: Path) -> None:
    longest = Longest()
    with (
        Memory(tmp_path / "m", scope="ada", embedder=None) as ada,
        Memory(tmp_path / "m", scope="mia", embedder=None, reranker=longest) as mia,
    ):
        ada.write("tea of Ada")
        mia.write("tea of Mia")
        mia.read("tea")
    assert longest.asked == [("tea", ["tea of Mia"])]


def test_what_a_reranker_keeps_goes_with_a_forget(tmp_path: Path) -> None:
    class Keeping(Longest):
        def clear(self) -> None:
            self.asked.clear()

    keeping = Keeping()
    with Memory(tmp_path / "m", scope="ada", embedder=HashEmbedder(), reranker=keeping) as memory:
        secret = memory.write("My PIN is 4711.")
        memory.read("PIN")
        assert keeping.asked
        memory.forget(secret.id)
        assert not keeping.asked
