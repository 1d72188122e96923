"""Where else a user could write a memory: each store opened in a folder, taking numbered texts with their vectors.

A store that is not installed is left out, and the table says so. What each keeps beyond the text and the vector
differs, and is said in its name.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tercet import Memory
from tercet.store.form import Vector

__all__ = ["ERASING", "STORES", "Given", "Notes", "Opened", "Write"]

Write = Callable[[Sequence[int]], None]


@dataclass(frozen=True, slots=True)
class Opened:
    """A store that takes notes by their numbers and forgets them again.

    Attributes:
        write: makes notes safe in all it keeps, in one call.
        forget: deletes notes the way its users are told to.
    """

    write: Write
    forget: Write


class Notes:
    """Numbered notes: a text of about 170 characters, a fact, and a vector that costs nothing to look up."""

    dimensions = 384

    def __init__(self, count: int, *, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        words = [f"{''.join(random.choice(list('abcdefghijklmnoprstuvw'), 5))}" for _ in range(4_000)]
        ranks = random.zipf(1.3, (count, 26)) % len(words)
        self.texts = [f"note {i}: " + " ".join(words[rank] for rank in row) for i, row in enumerate(ranks)]
        vectors = random.normal(size=(count, self.dimensions)).astype(np.float32)
        self.vectors: Vector = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def facts(self, i: int) -> list[tuple[str, str, str]]:
        """Returns what a note says, as a caller who knows would give it."""
        return [(f"person {i % 97}", "likes", f"thing {i % 301}")]


class Given:
    """An embedder that only looks up: the figures are of the store, not of a model."""

    name = "given"
    dimensions = Notes.dimensions

    def __init__(self, notes: Notes) -> None:
        self._vectors = dict(zip(notes.texts, notes.vectors, strict=True))
        self._other = notes.vectors[0]

    def embed(self, texts: Sequence[str]) -> Vector:
        """Returns unit vectors, shape (len(texts), dimensions)."""
        return np.stack([self._vectors.get(text, self._other) for text in texts])


@contextmanager
def tercet(folder: Path, notes: Notes, *, erase: bool = False) -> Iterator[Opened]:
    """Words, vectors, a fact, links and the change log, in one durable transaction a call."""
    ids: dict[int, str] = {}
    with Memory(folder / "bench.tercet", scope="bench", embedder=Given(notes), extractor=None) as memory:

        def write(nums: Sequence[int]) -> None:
            if len(nums) == 1:
                made = [memory.write(notes.texts[nums[0]], facts=notes.facts(nums[0]))]
            else:
                made = memory.write_many([{"text": notes.texts[i], "facts": notes.facts(i)} for i in nums])
            ids.update((i, note.id) for i, note in zip(nums, made, strict=True))

        def forget(nums: Sequence[int]) -> None:
            memory.forget(*(ids[i] for i in nums), erase=erase)

        yield Opened(write, forget)


@contextmanager
def floor(folder: Path, notes: Notes) -> Iterator[Opened]:
    """What SQLite itself needs for a row and its full text, written durably: the limit of every store on it."""
    with closing(sqlite3.connect(folder / "floor.db", isolation_level=None)) as database:
        for pragma in ("journal_mode=wal", "synchronous=full", "secure_delete=on"):
            database.execute(f"PRAGMA {pragma}")
        database.execute("CREATE TABLE note (num INTEGER PRIMARY KEY, text TEXT, vector BLOB)")
        database.execute("CREATE VIRTUAL TABLE words USING fts5(text, content='note', content_rowid='num')")

        def write(nums: Sequence[int]) -> None:
            rows = [(i, notes.texts[i], notes.vectors[i].astype("<f2").tobytes()) for i in nums]
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT INTO note VALUES (?, ?, ?)", rows)
            database.executemany("INSERT INTO words(rowid, text) VALUES (?, ?)", [row[:2] for row in rows])
            database.execute("COMMIT")

        def forget(nums: Sequence[int]) -> None:
            database.execute("BEGIN IMMEDIATE")
            database.executemany(
                "INSERT INTO words(words, rowid, text) SELECT 'delete', num, text FROM note WHERE num = ?",
                [(i,) for i in nums],
            )
            database.executemany("DELETE FROM note WHERE num = ?", [(i,) for i in nums])
            database.execute("COMMIT")

        yield Opened(write, forget)


@contextmanager
def naive(folder: Path, notes: Notes) -> Iterator[Opened]:
    """SQL with the driver's defaults, then an index file rewritten whole: how vector memories are often kept."""
    with closing(sqlite3.connect(folder / "naive.db")) as database:
        database.execute("CREATE TABLE note (num INTEGER PRIMARY KEY, text TEXT)")
        kept: dict[int, Vector] = {}

        def write(nums: Sequence[int]) -> None:
            database.executemany("INSERT INTO note VALUES (?, ?)", [(i, notes.texts[i]) for i in nums])
            database.commit()
            kept.update((i, notes.vectors[i]) for i in nums)
            np.save(folder / "index.npy", np.stack(list(kept.values())))

        def forget(nums: Sequence[int]) -> None:
            database.executemany("DELETE FROM note WHERE num = ?", [(i,) for i in nums])
            database.commit()
            for i in nums:
                del kept[i]
            np.save(folder / "index.npy", np.stack(list(kept.values())))

        yield Opened(write, forget)


@contextmanager
def chroma(folder: Path, notes: Notes) -> Iterator[Opened]:
    """The package chromadb on its own disk format: text and vector."""
    import chromadb  # type: ignore[import-not-found]

    settings = chromadb.Settings(anonymized_telemetry=False)
    client = chromadb.PersistentClient(path=str(folder / "chroma"), settings=settings)
    collection = client.create_collection("bench", metadata={"hnsw:space": "cosine"}, embedding_function=None)

    def write(nums: Sequence[int]) -> None:
        collection.add(
            ids=[str(i) for i in nums],
            documents=[notes.texts[i] for i in nums],
            embeddings=notes.vectors[list(nums)],
        )

    yield Opened(write, lambda nums: collection.delete(ids=[str(i) for i in nums]))


@contextmanager
def langgraph(folder: Path, notes: Notes) -> Iterator[Opened]:
    """The package langgraph-checkpoint-sqlite: text as JSON; without vectors where Python cannot load extensions."""
    from langgraph.store.base import PutOp  # type: ignore[import-not-found]
    from langgraph.store.sqlite import SqliteStore  # type: ignore[import-not-found]

    vectors = Given(notes)
    with closing(sqlite3.connect(folder / "langgraph.db", isolation_level=None, check_same_thread=False)) as database:
        index = {"dims": Notes.dimensions, "embed": lambda texts: vectors.embed(texts).tolist(), "fields": ["text"]}
        store = SqliteStore(database, index=index if hasattr(database, "enable_load_extension") else None)
        store.setup()

        def write(nums: Sequence[int]) -> None:
            store.batch([PutOp(("bench",), str(i), {"text": notes.texts[i]}) for i in nums])

        def forget(nums: Sequence[int]) -> None:
            for i in nums:
                store.delete(("bench",), str(i))

        yield Opened(write, forget)


@contextmanager
def json_lines(folder: Path, notes: Notes) -> Iterator[Opened]:
    """A whole JSON file rewritten at every call, as the MCP memory server does: no vectors."""
    kept: dict[int, str] = {}
    file = folder / "memory.json"

    def write(nums: Sequence[int]) -> None:
        kept.update((i, notes.texts[i]) for i in nums)
        file.write_text(json.dumps(kept))

    def forget(nums: Sequence[int]) -> None:
        for i in nums:
            del kept[i]
        file.write_text(json.dumps(kept))

    yield Opened(write, forget)


Opening = Callable[[Path, Notes], AbstractContextManager[Opened]]
STORES: dict[str, Opening] = {
    "Tercet: words, vectors, facts, links": tercet,
    "floor: SQLite row + FTS5, synced": floor,
    "LangGraph SqliteStore": langgraph,
    "Chroma: text + HNSW": chroma,
    "naive: SQL, then an index file": naive,
    "naive: one JSON file": json_lines,
}

ERASING: dict[str, Opening] = {"Tercet, erase=True": partial(tercet, erase=True), **STORES}
