"""The form of vectors: embeddings in SQL rows, searched exactly by a faiss index that follows the change log.

The index lives in memory and is made from the rows, so a kill cannot leave it and the notes in disagreement, and
another process's write is seen at the next search.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from . import forks
from .database import Database
from .embeddings import Embeddings
from .form import Among, Embedder, Hit, Vector
from .halfvec import packed, unpacked
from .progress import writes
from .statements import rows, rows_in

__all__ = ["Vectors", "faiss_device"]


class Vectors(Embeddings):
    """Exact inner-product search over unit vectors.

    Args:
        database: where the rows are.
        embedder: makes the vectors; a store remembers its name and refuses another.
    """

    def __init__(self, database: Database, embedder: Embedder) -> None:
        super().__init__(database, embedder)
        self.begin_anew()
        forks.known().add(self)

    def begin_anew(self) -> None:
        """Has no index yet; after a fork, in the child, none that another thread may have been in the middle of."""
        self._lock = threading.Lock()
        self._index: Any = None  # faiss has no types
        self._seen = 0  # last change whose forgetting the index has followed
        self._newest = 0  # largest number in the index

    def of(self, nums: Sequence[int]) -> dict[int, Vector]:
        """Returns the vectors of notes by number, shape (dimensions,); notes that have none are left out."""
        with self._database.reading() as connection:
            found = rows_in(connection, "SELECT note, vector FROM embedding WHERE note IN (?)", nums)
        vectors = unpacked(b"".join(vector for _, vector in found)).reshape(-1, self._embedder.dimensions)
        return {num: vector for (num, _), vector in zip(found, vectors, strict=True)}

    def _nearest(self, vector: Vector, k: int, among: Among) -> list[Hit]:
        with self._lock, self._followed():
            for least in (2 * k, 16 * k):
                nums, scores, whole = self._found(vector, least)
                seen = among.admits(nums)
                if whole or np.count_nonzero(seen) >= k:
                    return _hits(nums[seen][:k], scores[seen][:k])
            allowed = among.nums()
            nums, scores, _ = self._found(vector, k, allowed=allowed)
            return _hits(nums[:k], scores[:k])

    def _found(
        self, vector: Vector, least: int, *, allowed: npt.NDArray[np.int64] | None = None
    ) -> tuple[npt.NDArray[np.int64], Vector, bool]:
        """Returns the best of all vectors or of those allowed, ``least`` or more, and whether there are no others.

        Faiss says nothing of the order of equals, so those that are equal to the last one found are left out.
        """
        import faiss

        parameters = None
        total = self._index.ntotal if allowed is None else min(self._index.ntotal, len(allowed))
        if allowed is not None and total:
            # faiss keeps pointers to the selector and its bits only: they must live until the search is over
            bits = _bits(allowed)
            selector = faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg,arg-type]
            parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        limit = least
        while True:
            limit = min(limit + 1, total)
            if not limit:
                return np.zeros(0, np.int64), np.zeros(0, np.float32), True
            with _one_thread():
                (scores,), (nums,) = self._index.search(vector[None], limit, params=parameters)
            if limit == total or scores[least - 1] > scores[-1]:
                break
            limit *= 4
        kept = nums >= 0
        if limit < total:
            kept &= scores > scores[-1]
        order = np.flatnonzero(kept)[np.lexsort((nums[kept], -scores[kept]))]
        return nums[order], scores[order], limit == total

    def clear(self) -> None:
        """Deletes every vector."""
        super().clear()
        with self._lock:
            self._index = None

    def _row(self, vector: Vector) -> bytes:
        return packed(vector)

    @contextmanager
    def _followed(self) -> Iterator[None]:
        """Inside, the index is as the caller's view; what a write has added, and may yet take back, leaves it after."""
        import faiss

        with self._database.reading() as connection:
            newest = self._newest
            self._follow(connection)
            try:
                yield
            finally:
                if self._newest > newest and writes(connection):
                    self._index.remove_ids(faiss.IDSelectorRange(newest + 1, self._newest + 1))
                    self._newest = newest

    def _follow(self, connection: Connection) -> None:
        """Takes forgotten notes out of the index and new ones in; others of this process may have done so before.

        The caller's view may be older than the index. Then it adds nothing, and what the index knows beyond the
        view is kept out by the selector.
        """
        import faiss

        if self._index is None:
            # the rows' own half precision: as exact as they are, in half the memory, and read in less time
            halves, cosine = faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
            self._index = faiss.IndexIDMap2(faiss.IndexScalarQuantizer(self._embedder.dimensions, halves, cosine))
            self._seen = self._newest = 0
        if not writes(connection):
            ((last,),) = rows(connection, "SELECT coalesce(max(seq), 0) FROM change")
            forgotten = "SELECT num FROM change WHERE seq > ? AND op = 'forget' AND num <= ? ORDER BY num"
            gone = rows(connection, forgotten, self._seen, self._newest)
            if gone:
                self._index.remove_ids(np.array(gone, np.int64).ravel())
            self._seen = max(self._seen, last)
        new = "SELECT note, vector FROM embedding WHERE note > ? ORDER BY note"
        added = rows(connection, new, self._newest)
        if added:
            vectors = unpacked(b"".join(vector for _, vector in added)).reshape(len(added), -1)
            self._index.add_with_ids(vectors, np.array([num for num, _ in added], np.int64))
            self._newest = added[-1][0]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Inside, faiss makes no threads: it shares out questions, of which there is one, and others would only wait."""
    import faiss

    usual = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # of the calling thread alone
    try:
        yield
    finally:
        faiss.omp_set_num_threads(usual)


def _hits(nums: npt.NDArray[np.int64], scores: Vector) -> list[Hit]:
    return [Hit(num, score) for num, score in zip(nums.tolist(), scores.tolist(), strict=True)]


def _bits(nums: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Returns one bit per number from 0 on, set for those given; faiss tests a bit faster than a member of a set."""
    flags = np.zeros(int(nums[-1]) + 1, bool)
    flags[nums] = True
    return np.packbits(flags, bitorder="little")


def faiss_device() -> str:
    """Returns the version of faiss and what it was built for."""
    import faiss

    cards = int(faiss.get_num_gpus()) if hasattr(faiss, "get_num_gpus") else 0
    return f"{faiss.__version__} on {f'{cards} GPU' if cards else 'the CPU'}"
