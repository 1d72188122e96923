"""A database as the forms see it: one consistent view per read, one writer at a time, all or nothing."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Connection

from . import forks

if TYPE_CHECKING:
    from .embeddings import Embeddings
    from .form import Among, Embedder

__all__ = ["Database", "Index", "RecordFiles", "WordIndex"]


@dataclass(frozen=True, slots=True)
class Index:
    """What an index of words is made of.

    Attributes:
        name: of the index.
        source: table or view it is made of; its column ``num`` numbers the rows.
        columns: of the source that are indexed.
        weights: per column, how much a word in it counts.
        owner: column of the source with the number of the note that a row belongs to.
        worth: column of the source that a row's score is multiplied by; empty for none.
    """

    name: str
    source: str
    columns: Sequence[str]
    weights: Sequence[float]
    owner: str = "num"
    worth: str = ""


class WordIndex(Protocol):
    """Full text over the rows of a table or view, ranked by BM25."""

    def add(self, nums: Collection[int]) -> None:
        """Indexes rows; those in the index already stay as they are."""
        ...

    def remove(self, nums: Collection[int]) -> None:
        """Takes rows out of the index, while they and what they show are still as they were indexed."""
        ...

    def best(self, words: Sequence[str], k: int, among: Among) -> list[tuple[int, int, float]]:
        """Returns the rows that match best, those of ``k`` of the notes that may be seen.

        Returns:
            (number of the row, of its note, score), best first; scores are positive.
        """
        ...

    def clear(self) -> None:
        """Empties the index."""
        ...

    def count(self) -> int:
        """Returns how many rows are indexed."""
        ...


class RecordFiles(Protocol):
    """Where the bytes of explicit memories are kept."""

    def keep(self, contents: Iterable[bytes]) -> list[str]:
        """Keeps bytes, all or none; returns the names to read them by."""
        ...

    def read(self, name: str) -> bytes | None:
        """Returns what is kept by a name; None where it cannot be read."""
        ...

    def every(self) -> list[Path]:
        """Returns the files that are there."""
        ...

    def paths(self, names: Iterable[str]) -> list[Path]:
        """Returns the files of these names."""
        ...

    def delete(self, files: Sequence[Path]) -> str:
        """Deletes files; returns what went wrong, if anything did."""
        ...


class Database(ABC):
    """Transactions, each of them of one thread; what differs between SQLite and PostgreSQL is in their classes.

    Attributes:
        place: what messages call the store.
    """

    place: str

    def __init__(self) -> None:
        self._current = threading.local()
        forks.known().add(self)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yields a connection with one consistent view; inside `writing`, the writer's own.

        Raises:
            StoreDamaged: the database is malformed.
            StoreBusy: another program keeps it locked.
            StoreError: it cannot be read.
        """
        open_already: Connection | None = getattr(self._current, "connection", None)
        if open_already is not None:
            yield open_already
            return
        with self._telling(), self._reader() as connection:
            self._current.connection = connection
            try:
                yield connection
            finally:
                self._current.connection = None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yields the one writing connection; commits at the end, rolls back on any exception.

        Inside another `writing` of the same thread it joins that transaction.

        Raises:
            StoreBusy: another writer held the lock longer than the time-out.
            StoreDamaged: the database is malformed.
            StoreError: the disk is full, or the database cannot be written.
        """
        open_already: Connection | None = getattr(self._current, "connection", None)
        if open_already is not None:
            if not open_already.get_execution_options().get("tercet_writes"):
                raise RuntimeError("a write was begun inside a read of the same thread")
            yield open_already
            return
        with self._telling(), self._writer() as connection:
            self._current.connection = connection
            try:
                yield connection
            finally:
                self._current.connection = None

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Inside `writing`: takes back what was done in the block if it raises, and only that."""
        connection: Connection = self._current.connection
        with connection.begin_nested():
            yield

    @contextmanager
    def overseeing(self) -> Iterator[None]:
        """Inside, this thread reads every scope: for what keeps the whole store in order, never for an answer.

        Only a database that itself knows whose rows are whose has to be told.
        """
        yield

    @abstractmethod
    def exclusive(self) -> AbstractContextManager[None]:
        """Holds the writer's lock against other threads and processes."""

    @abstractmethod
    def size(self) -> int:
        """Returns the bytes that the store takes."""

    @abstractmethod
    def close(self) -> None:
        """Closes every connection."""

    @abstractmethod
    def full_text(self, index: Index) -> WordIndex:
        """Returns an index of words."""

    @abstractmethod
    def vectors(self, embedder: Embedder) -> Embeddings:
        """Returns the form of vectors."""

    @abstractmethod
    def record_files(self) -> RecordFiles:
        """Returns where the bytes of explicit memories are kept."""

    @abstractmethod
    def _reader(self) -> AbstractContextManager[Connection]:
        """A connection in a transaction that reads."""

    @abstractmethod
    def _writer(self) -> AbstractContextManager[Connection]:
        """The connection in a transaction that writes, with the execution option ``tercet_writes``."""

    @abstractmethod
    def _telling(self) -> AbstractContextManager[None]:
        """Turns what the database says of itself, not of a statement, into an error that says what to do."""

    def begin_anew(self) -> None:
        """After a fork, in the child: drops connections and locks without closing the parent's."""
        self._current = threading.local()
        self._begin_anew()

    @abstractmethod
    def _begin_anew(self) -> None:
        """Drops the connections and locks of its own."""
