from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from benchmarks.peers import Reader, Remembering, bm25, dense, full_text, fused

from tercet.store.form import Vector

IDS = ["t0", "t1", "t2", "t3"]
TEXTS = ["the dog sleeps", "a boat in the harbour", "the dogs of the harbour", "nothing here"]


class Letters:
    """Counts of the letters a-z, as unit vectors; remembers what it was asked."""

    name = "letters"
    dimensions = 26

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def embed(self, texts: Sequence[str]) -> Vector:
        self.asked.append(list(texts))
        counts = np.array([[text.count(chr(97 + i)) for i in range(26)] for text in texts], dtype=np.float32)
        unit: Vector = counts / np.linalg.norm(counts, axis=1, keepdims=True)
        return unit


def test_full_text_stems_and_takes_no_syntax() -> None:
    read = full_text(IDS, TEXTS)
    assert set(read("dog", 5)) == {"t0", "t2"}
    assert read("dogs harbour", 1) == ["t2"]
    assert read('"NEAR( NOT', 5) == []
    assert read("?!", 5) == []


def test_bm25_leaves_out_what_does_not_match() -> None:
    read = bm25(IDS, TEXTS)
    assert read("boat", 4) == ["t1"]
    assert set(read("harbour", 10)) == {"t1", "t2"}


def test_dense_ranks_everything_by_cosine() -> None:
    letters = Letters()
    read = dense(IDS, TEXTS, turns=letters, questions=letters)
    assert read("nothing here", 1) == ["t3"]
    assert sorted(read("x dog", 10)) == IDS


def test_fusion_adds_reciprocal_ranks() -> None:
    def fixed(*ranking: str) -> Reader:
        return lambda question, k: list(ranking[:k])

    read = fused(fixed("a", "b", "c"), fixed("c", "b"))
    # a: 1/61; b: 2/62; c: 1/63 + 1/61
    assert read("", 3) == ["c", "b", "a"]
    assert fused(fixed("a", "b"), fixed("c"), depth=1)("", 9) == ["a", "c"]


def test_no_text_is_embedded_twice() -> None:
    letters = Letters()
    remembering = Remembering(letters)
    first = remembering.embed(["a", "b", "a"])
    again = remembering.embed(["b", "c"])
    assert letters.asked == [["a", "b"], ["c"]]
    assert remembering.texts == 3
    np.testing.assert_array_equal(first[1], again[0])
    np.testing.assert_array_equal(first[0], first[2])
    assert remembering.seconds > 0


@pytest.mark.parametrize("k", [1, 3])
def test_readers_return_at_most_k(k: int) -> None:
    letters = Letters()
    words, vectors = full_text(IDS, TEXTS), dense(IDS, TEXTS, turns=letters, questions=letters)
    for read in (words, bm25(IDS, TEXTS), vectors, fused(words, vectors)):
        assert len(read("the dog in the harbour", k)) <= k
