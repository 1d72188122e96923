"""The form of vectors: embeddings in SQL rows, searched exactly by a faiss index that follows the change log.

The index lives in memory and is made from the rows, so a kill cannot leave it and the notes in disagreement, and
another process's write is seen at the next search.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import func, select

from .database import Database
from .errors import FormMismatch, InvalidInput
from .form import Among, Cue, Embedder, Hit, Vector
from .note import Note, spoken
from .progress import applied
from .schema import change, embedding, meta
from .statements import insert, numbered, nums_of, run

__all__ = ["Vectors", "faiss_device"]


class Vectors:
    """Exact inner-product search over unit vectors.

    Args:
        database: where the rows are.
        embedder: makes the vectors; a store remembers its name and refuses another.
    """

    name = "vectors"

    def __init__(self, database: Database, embedder: Embedder) -> None:
        self._database = database
        self._embedder = embedder
        self._mine = f"{embedder.name}/{embedder.dimensions}"
        self._lock = threading.Lock()
        self._staged = threading.local()
        self._index: Any = None  # faiss has no types
        self._seen = 0  # last change whose forgetting the index has followed
        self._newest = 0  # largest number in the index

    def remembered(self) -> bool:
        """Returns whether the store knows which embedder makes its vectors: this one.

        Raises:
            FormMismatch: the vectors of this store were made by another embedder.
        """
        with self._database.reading() as connection:
            theirs = connection.scalar(select(meta.c.value).where(meta.c.key == "embedder"))
        if theirs not in (None, self._mine):
            raise FormMismatch(
                f"the vectors of this store were made by {theirs}, not by {self._mine}; "
                "open it with that embedder, or export it and import it into a new store"
            )
        return theirs is not None

    def remember(self) -> None:
        """Writes down which embedder makes the vectors, in the caller's transaction.

        Raises:
            FormMismatch: another process has written down another one meanwhile.
        """
        if not self.remembered():
            with self._database.reading() as connection:
                connection.execute(meta.insert().values(key="embedder", value=self._mine))

    def stage(self, texts: Sequence[str]) -> None:
        """Embeds texts ahead of the transaction that adds them, so that no model runs while others wait.

        What is staged belongs to the calling thread, until its next `unstage`.
        """
        staged = self._staged.__dict__
        new = [words for words in dict.fromkeys(texts) if words not in staged]
        if new:
            staged.update(zip(new, self._checked(self._embedder.embed(new), len(new)), strict=True))

    def staged(self) -> Mapping[str, Vector]:
        """Returns what this thread has staged: text -> vector."""
        return dict(self._staged.__dict__)

    def lend(self, vectors: Mapping[str, Vector]) -> None:
        """Lets this thread use what another one has staged, until its next `unstage`."""
        self._staged.__dict__.update(vectors)

    def unstage(self) -> None:
        """Drops what this thread has staged."""
        self._staged.__dict__.clear()

    def embed(self, question: str) -> Vector:
        """Returns the unit vector of a question, shape (dimensions,)."""
        vector: Vector = self._checked(self._embedder.embed([question]), 1)[0]
        return vector

    def add(self, notes: Sequence[Note]) -> None:
        """Stores one vector per note; notes that have one are skipped."""
        with self._database.reading() as connection:
            present = numbered(connection, "embedding", [item.num for item in notes])
            new = [item for item in notes if item.num not in present]
            self.stage([spoken(item) for item in new])
            staged: dict[str, Vector] = self._staged.__dict__
            insert(connection, embedding, ("note", "vector"), [(i.num, packed(staged[spoken(i)])) for i in new])

    def remove(self, ids: Collection[str]) -> None:
        """Deletes the vectors of notes; the index follows at the next search."""
        with self._database.reading() as connection:
            for num in nums_of(connection, ids):
                run(connection, "DELETE FROM embedding WHERE note = ?", num)

    def search(self, cue: Cue, k: int, among: Among) -> list[Hit]:
        """Ranks by cosine, -1 to 1."""
        if cue.vector is None or k < 1:
            return []
        import faiss

        allowed = among.nums()
        if not len(allowed):
            return []
        with self._lock:
            self._follow()
            most = min(self._index.ntotal, len(allowed))
            if not most:
                return []
            # faiss keeps pointers to the selector and its bits only: they must live until the search is over
            bits = _bits(allowed)
            selector = faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg,arg-type]
            parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
            limit = k
            while True:
                limit = min(limit + 1, most)
                scores, nums = self._index.search(cue.vector[None], limit, params=parameters)
                if limit == most or scores[0][k - 1] > scores[0][-1]:
                    break
                limit *= 4  # a tie at the end: faiss says nothing of the order, so see all that are equal
        found = [(int(num), float(score)) for num, score in zip(nums[0], scores[0], strict=True) if num >= 0]
        return [Hit(num, score) for num, score in sorted(found, key=lambda pair: (-pair[1], pair[0]))[:k]]

    def applied(self) -> int:
        """Returns the number of the last change this form has seen."""
        return applied(self._database, self.name)

    def clear(self) -> None:
        """Deletes every vector."""
        with self._database.reading() as connection:
            connection.execute(embedding.delete())
        with self._lock:
            self._index = None

    def count(self) -> int:
        """Returns how many vectors are stored."""
        with self._database.reading() as connection:
            return connection.scalar(select(func.count()).select_from(embedding)) or 0

    def _follow(self) -> None:
        """Takes forgotten notes out of the index and new ones in; others of this process may have done so before.

        The caller's view may be older than the index. Then it adds nothing, and what the index knows beyond the
        view is kept out by the selector.
        """
        import faiss

        if self._index is None:
            self._index = faiss.IndexIDMap2(faiss.IndexFlatIP(self._embedder.dimensions))
            self._seen = self._newest = 0
        with self._database.reading() as connection:
            last = connection.scalar(select(func.max(change.c.seq))) or 0
            gone = connection.scalars(
                select(change.c.num).where(
                    change.c.seq > self._seen, change.c.op == "forget", change.c.num <= self._newest
                )
            ).all()
            rows = connection.execute(
                select(embedding.c.note, embedding.c.vector)
                .where(embedding.c.note > self._newest)
                .order_by(embedding.c.note)
            ).all()
        if gone:
            self._index.remove_ids(np.array(sorted(gone), np.int64))
        if rows:
            vectors = unpacked(b"".join(row.vector for row in rows)).reshape(len(rows), -1)
            self._index.add_with_ids(vectors, np.array([row.note for row in rows], np.int64))
            self._newest = rows[-1].note
        self._seen = max(self._seen, last)

    def _checked(self, vectors: Vector, count: int) -> Vector:
        expected = (count, self._embedder.dimensions)
        if vectors.shape != expected:
            raise InvalidInput(f"embedder {self._embedder.name!r} returned shape {vectors.shape}, not {expected}")
        if not np.isfinite(vectors).all():
            raise InvalidInput(f"embedder {self._embedder.name!r} returned a vector with NaN or infinity")
        return vectors.astype(np.float32)


def packed(vector: Vector) -> bytes:
    """Returns a unit vector as its row keeps it: half precision moves a cosine by less than one in a thousand."""
    return vector.astype("<f2").tobytes()


def unpacked(data: bytes) -> Vector:
    """Returns what `packed` made, in single precision."""
    return np.frombuffer(data, "<f2").astype(np.float32)


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
