"""What a user could use instead of Tercet to find a turn again: full text, vectors, BM25 in memory, and their fusion.

Every peer takes the same ids and texts, and returns a reader: a question and k in, the ids of the best k out. What
the texts contain (date, speaker, the turn before) is the benchmark's choice, so that no peer has less to search than
Tercet.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Sequence

import bm25s
import numpy as np

from tercet.store.form import Embedder, Vector

__all__ = ["Reader", "Remembering", "bm25", "dense", "full_text", "fused", "peers"]

Reader = Callable[[str, int], list[str]]


class Remembering:
    """An embedder that embeds no text twice, so that vectors made for one arm serve the others.

    Attributes:
        seconds: time spent in the embedder itself so far.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[str, Vector] = {}
        self.name = embedder.name
        self.dimensions = embedder.dimensions
        self.seconds = 0.0

    @property
    def texts(self) -> int:
        """How many different texts were embedded."""
        return len(self._known)

    def embed(self, texts: Sequence[str]) -> Vector:
        """Returns unit vectors, shape (len(texts), dimensions)."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            start = time.perf_counter()
            vectors = self._embedder.embed(new)
            self.seconds += time.perf_counter() - start
            self._known.update(zip(new, vectors, strict=True))
        return np.stack([self._known[text] for text in texts])


def full_text(ids: Sequence[str], texts: Sequence[str]) -> Reader:
    """SQLite FTS5 with the porter stemmer; a question is the OR of its words, ranked by bm25()."""
    database = sqlite3.connect(":memory:")
    database.execute("CREATE VIRTUAL TABLE turn USING fts5(text, tokenize='porter unicode61')")
    database.executemany("INSERT INTO turn(rowid, text) VALUES (?, ?)", enumerate(texts))

    def read(question: str, k: int) -> list[str]:
        query = " OR ".join(f'"{word}"' for word in dict.fromkeys(re.findall(r"\w+", question.lower())))
        if not query:
            return []
        rows = database.execute(
            "SELECT rowid FROM turn WHERE turn MATCH ? ORDER BY bm25(turn), rowid LIMIT ?", (query, k)
        )
        return [ids[row] for (row,) in rows]

    return read


def bm25(ids: Sequence[str], texts: Sequence[str]) -> Reader:
    """The package bm25s as its README uses it: Lucene's BM25, English stop words, no stemmer."""
    index = bm25s.BM25()
    index.index(bm25s.tokenize(list(texts), stopwords="en", show_progress=False), show_progress=False)

    def read(question: str, k: int) -> list[str]:
        words = bm25s.tokenize([question], stopwords="en", show_progress=False)
        found, scores = index.retrieve(words, k=min(k, len(ids)), show_progress=False)
        return [ids[row] for row, score in zip(found[0], scores[0], strict=True) if score > 0]

    return read


def dense(ids: Sequence[str], texts: Sequence[str], *, turns: Embedder, questions: Embedder) -> Reader:
    """Exact cosine over all vectors, which is what every vector store approximates.

    Args:
        ids: of the texts.
        texts: what is embedded.
        turns: embeds the texts.
        questions: embeds the questions; apart, so that reading times include it.
    """
    vectors = turns.embed(texts)  # (texts, dimensions)

    def read(question: str, k: int) -> list[str]:
        scores = vectors @ questions.embed([question])[0]
        return [ids[row] for row in np.argsort(-scores, kind="stable")[:k]]

    return read


def fused(first: Reader, second: Reader, *, depth: int = 200) -> Reader:
    """Reciprocal rank fusion of two readers: Σ 1 / (60 + rank), the default of most hybrid stores (Cormack, 2009)."""

    def read(question: str, k: int) -> list[str]:
        scores: dict[str, float] = {}
        for reader in (first, second):
            for rank, found in enumerate(reader(question, depth), start=1):
                scores[found] = scores.get(found, 0.0) + 1 / (60 + rank)
        return sorted(scores, key=lambda found: -scores[found])[:k]

    return read


def peers(ids: Sequence[str], texts: Sequence[str], *, spoken: Sequence[str], embedder: Embedder) -> dict[str, Reader]:
    """Returns the four peers that every benchmark has, by name.

    Args:
        ids: of the texts.
        texts: what full text and BM25 search, with the date where there is one.
        spoken: what is embedded: the same texts as Tercet embeds, so that all have the same vectors.
        embedder: of the texts and of the questions.
    """
    words = full_text(ids, texts)
    vectors = dense(ids, spoken, turns=embedder, questions=embedder)
    return {
        "FTS5": words,
        "bm25s": bm25(ids, texts),
        "MiniLM": vectors,
        "FTS5 + MiniLM, RRF": fused(words, vectors),
    }
