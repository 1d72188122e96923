"""What every form of vectors shares: which embedder made them, and embedding ahead of a transaction."""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

import numpy as np
from sqlalchemy import Connection, Table, func, select

from . import in_memory
from .database import Database
from .errors import FormMismatch, InvalidInput
from .form import Among, Cue, Embedder, Hit, Vector
from .halfvec import unpacked
from .note import Note, spoken
from .progress import applied
from .schema import embedding, meta
from .statements import insert, numbered, nums_of, rows, run

__all__ = ["Embeddings"]

_QUESTIONS = 256  # whose vectors are kept
_PHRASES = 4_096  # likewise


class Embeddings(ABC):
    """Unit vectors of notes, one row each.

    Args:
        database: where the rows are.
        embedder: makes the vectors; a store remembers its name and refuses another.

    Attributes:
        made_by: what the store remembers of the embedder: its name and how many numbers a vector has.
    """

    name = "vectors"

    def __init__(self, database: Database, embedder: Embedder) -> None:
        self._database = database
        self._embedder = embedder
        self.made_by = f"{embedder.name}/{embedder.dimensions}"
        self._staged = threading.local()
        self._asked = lru_cache(_QUESTIONS)(self._vector)
        self._phrases: dict[str, Vector] = {}
        self.place = database.place
        in_memory.watch(self)

    def drop(self) -> None:
        """Keeps no vectors of phrases any more, which may be words of notes."""
        self._phrases = {}

    def remembered(self) -> bool:
        """Returns whether the store knows which embedder makes its vectors: this one.

        Raises:
            FormMismatch: the vectors of this store were made by another embedder.
        """
        with self._database.reading() as connection:
            found = rows(connection, "SELECT value FROM meta WHERE key = 'embedder'")
        theirs = found[0][0] if found else None
        if theirs not in (None, self.made_by):
            raise FormMismatch(
                f"the vectors of this store were made by {theirs}, not by {self.made_by}; open it with that embedder, "
                "which can move it to another one: memory.embed_with(...)"
            )
        return theirs is not None

    def remember(self) -> None:
        """Writes down which embedder makes the vectors, in the caller's transaction.

        Raises:
            FormMismatch: another process has written down another one meanwhile.
        """
        if not self.remembered():
            with self._database.reading() as connection:
                connection.execute(meta.insert().values(key="embedder", value=self.made_by))

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has."""
        return self._embedder.dimensions

    def of(self, nums: Sequence[int]) -> dict[int, Vector]:
        """Returns the vectors of notes by number, shape (dimensions,); notes that have none are left out."""
        with self._database.reading() as connection:
            chosen = select(embedding.c.note, embedding.c.vector).where(embedding.c.note.in_(nums))
            return {num: unpacked(bytes(vector)) for num, vector in connection.execute(chosen).all()}

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

    def confidence(self, closest: float | None) -> float | None:
        """Returns how likely the store holds anything on a question, by the cosine of the note nearest to it.

        Args:
            closest: that cosine; None where no note was found.

        Returns:
            0..1; None if nobody has calibrated the embedder: it states ``certainty``, the slope and the offset of a
            logistic curve, or it does not.
        """
        curve: tuple[float, float] | None = getattr(self._embedder, "certainty", None)
        if curve is None or closest is None:
            return None if curve is None else 0.0
        return 1 / (1 + math.exp(-max(-700.0, curve[0] * closest + curve[1])))  # no further: e to the 710th overflows

    def embed(self, question: str) -> Vector:
        """Returns the unit vector of a question, shape (dimensions,), kept for when it is asked again soon."""
        vector: Vector = self._asked(question).copy()
        return vector

    def phrases(self, texts: Sequence[str]) -> Vector:
        """Returns a unit vector for each short text, shape (len(texts), dimensions); those of late are kept.

        What is kept is dropped whenever notes are forgotten: it may hold words of theirs.
        """
        known = self._phrases
        new = [text for text in dict.fromkeys(texts) if text not in known]
        made = dict(zip(new, self._checked(self._embedder.embed(new), len(new)), strict=True)) if new else {}
        vectors: Vector = np.stack([made[text] if text in made else known[text] for text in texts])
        if made and self._phrases is known:  # else somebody else's are newer, or notes were removed meanwhile
            self._phrases = known | made if len(known) + len(made) <= _PHRASES else made
        return vectors

    def _vector(self, question: str) -> Vector:
        vector: Vector = self._checked(self._embedder.embed([question]), 1)[0]
        return vector

    def add(self, notes: Sequence[Note]) -> None:
        """Stores one vector per note; notes that have one are skipped."""
        with self._database.reading() as connection:
            self.remembered()
            present = numbered(connection, "embedding", [item.num for item in notes])
            new = [item for item in notes if item.num not in present]
            self.stage([spoken(item) for item in new])
            staged: dict[str, Vector] = self._staged.__dict__
            self.keep(connection, embedding, [(item.num, staged[spoken(item)]) for item in new])

    def keep(self, connection: Connection, where: Table, vectors: Sequence[tuple[int, Vector]]) -> None:
        """Inserts vectors by note number into a table of vectors; those that are there already stay."""
        insert(connection, where, ("note", "vector"), [(n, self._row(v)) for n, v in vectors], unless_there=True)

    def remove(self, ids: Collection[str]) -> None:
        """Deletes the vectors of notes."""
        with self._database.reading() as connection:
            for num in nums_of(connection, ids):
                run(connection, "DELETE FROM embedding WHERE note = ?", num)

    def search(self, cue: Cue, k: int, among: Among) -> list[Hit]:
        """Ranks by cosine, -1 to 1.

        Raises:
            FormMismatch: the store has moved to another embedder since it was opened.
        """
        if cue.vector is None or k < 1:
            return []
        self.remembered()
        return self._nearest(cue.vector, k, among)

    def applied(self) -> int:
        """Returns the number of the last change this form has seen."""
        return applied(self._database, self.name)

    def clear(self) -> None:
        """Deletes every vector."""
        with self._database.reading() as connection:
            connection.execute(embedding.delete())

    def count(self) -> int:
        """Returns how many vectors are stored."""
        with self._database.reading() as connection:
            return connection.scalar(select(func.count()).select_from(embedding)) or 0

    @abstractmethod
    def _nearest(self, vector: Vector, k: int, among: Among) -> list[Hit]:
        """Ranks by cosine to a unit vector."""

    @abstractmethod
    def _row(self, vector: Vector) -> object:
        """Returns what the driver takes for a vector."""

    def _checked(self, vectors: Vector, count: int) -> Vector:
        expected = (count, self._embedder.dimensions)
        if vectors.shape != expected:
            raise InvalidInput(f"embedder {self._embedder.name!r} returned shape {vectors.shape}, not {expected}")
        if not np.isfinite(vectors).all():
            raise InvalidInput(f"embedder {self._embedder.name!r} returned a vector with NaN or infinity")
        return vectors.astype(np.float32)
