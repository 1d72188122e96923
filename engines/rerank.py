"""Reading the best notes again: what a reranker is, and late interaction, which needs no further model."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..store.errors import InvalidInput
from ..store.form import Vector
from .embedder import HubEmbedder, MiniLM

__all__ = ["LateInteraction", "Reranker"]


class Reranker(Protocol):
    """Says how well texts fit a question; ``Memory(reranker=...)`` asks it about the best notes of a read.

    It may state a ``weight``: how much its word counts beside the score of the forms, 1 where it states none.
    """

    def rank(self, question: str, texts: Sequence[str]) -> Sequence[float]:
        """Returns one number per text, higher is better; only comparable within this call."""
        ...


class LateInteraction:
    """ColBERT's score by the token vectors of the embedder at hand: each token of the question finds its nearest.

    The score is the sum over the question's tokens of their largest cosine to a token of the text (Khattab and
    Zaharia, SIGIR 2020). The embedder was not trained for it; what that gains is in docs/recall.md. Token vectors are
    computed when a text is first read and kept in memory, those used last, under a budget, and without the text; a
    forget through the handle that has this reranker drops all of them.

    Args:
        embedder: whose tokens; the memory's own, for example.
        budget: bytes of token vectors that are kept, in half precision.
    """

    weight = 0.5

    def __init__(self, embedder: MiniLM | HubEmbedder | None = None, *, budget: int = 64 << 20) -> None:
        if budget < 0:
            raise InvalidInput(f"budget={budget}; it must be a number of bytes, at least 0")
        self._embedder = embedder or MiniLM()
        self._budget = budget
        self._kept: OrderedDict[bytes, npt.NDArray[np.float16]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def rank(self, question: str, texts: Sequence[str]) -> list[float]:
        """Returns the score of each text; 0 where one has no tokens.

        Raises:
            InvalidInput: a value that is no text.
        """
        asked = self._embedder.token_vectors([question])[0]  # (question's tokens, dimensions)
        return [float((asked @ found.T).max(axis=1).sum()) if len(found) else 0.0 for found in self._of(texts)]

    def clear(self) -> None:
        """Drops every vector that is kept."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def _of(self, texts: Sequence[str]) -> list[Vector]:
        names = {text: _digest(text) for text in texts}
        with self._lock:
            found = {text: self._kept[name].astype(np.float32) for text, name in names.items() if name in self._kept}
            for text in found:
                self._kept.move_to_end(names[text])
        new = [text for text in dict.fromkeys(texts) if text not in found]
        if new:
            made = dict(zip(new, self._embedder.token_vectors(new), strict=True))
            found |= made
            with self._lock:
                for text, vectors in made.items():
                    self._keep(names[text], vectors)
        return [found[text] for text in texts]

    def _keep(self, name: bytes, vectors: Vector) -> None:
        half = vectors.astype(np.float16)
        if name in self._kept or half.nbytes > self._budget:
            return
        self._kept[name] = half
        self._bytes += half.nbytes
        while self._bytes > self._budget:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
