"""Small deterministic parts for tests: an embedder, an extractor and an encoder that need no model."""

import re
import secrets
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
from servers import Server  # type: ignore[import-not-found]

from tercet.sdk import Memory
from tercet.store.form import Embedder, Extractor, Record, Vector
from tercet.store.names import words_of
from tercet.store.note import Note, Triplet
from tercet.store.postings import Postings
from tercet.store.sqlite import SQLite
from tercet.store.store import Store

__all__ = ["HashEmbedder", "HashEncoder", "Memories", "PatternExtractor", "disagreements", "on_disk"]

_FACT = re.compile(r"\b(\w+) (lives in|likes|knows|works at) (\w+)")
_NAME = re.compile(r"\b[A-Z]\w+")


class HashEmbedder:
    """A bag of hashed words: texts that share words are similar, and every process computes the same."""

    def __init__(self, *, dimensions: int = 48, name: str = "hash") -> None:
        self.name = name
        self.dimensions = dimensions

    def embed(self, texts: Sequence[str]) -> Vector:
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in words_of(text.casefold()):
                digest = blake2b(word.encode(), digest_size=8).digest()
                row[int.from_bytes(digest[:4], "big") % self.dimensions] += 1.0 if digest[4] & 1 else -1.0
            if not row.any():
                row[0] = 1.0
            row /= np.linalg.norm(row)
        return vectors


class PatternExtractor:
    """Capitalised words are names; "X lives in Y" and a few more are facts of low confidence."""

    name = "pattern"

    def triplets(self, note: Note) -> list[Triplet]:
        return [
            Triplet(subject, relation, target, valid_from=note.happened, confidence=0.4, extractor="rule")
            for subject, relation, target in _FACT.findall(note.text)
        ]

    def entities(self, note: Note) -> list[str]:
        return list(dict.fromkeys([*([note.speaker] if note.speaker else []), *_NAME.findall(note.text)]))

    def entities_of(self, question: str) -> list[str]:
        return list(dict.fromkeys(_NAME.findall(question)))


class HashEncoder:
    """One key and one value of eight numbers per word and layer, out of the word's hash."""

    def __init__(self, *, fingerprint: str = "hash-encoder:1") -> None:
        self.fingerprint = fingerprint
        self.encoded = 0

    def encode(self, texts: Sequence[str]) -> list[Record]:
        self.encoded += len(texts)
        return [self._record(words_of(text.casefold()) or [""]) for text in texts]

    def _record(self, words: Sequence[str]) -> Record:
        numbers = [np.frombuffer(blake2b(word.encode(), digest_size=32).digest(), np.uint8) for word in words]
        table = (np.stack(numbers).astype(np.float32) - 127.5)[None]  # (1, words, 32)
        return {
            f"layers.{layer}.{kind}": table[:, :, 16 * layer + start : 16 * layer + start + 8]
            for layer in (0, 1)
            for kind, start in (("key", 0), ("value", 8))
        }


class Memories:
    """Opens memories that need no model; all of them are closed after the test.

    Args:
        home: folder of the test.
        server: where memories are kept instead, if a test is run over PostgreSQL.
    """

    def __init__(self, home: Path, server: Server | None = None) -> None:
        self.home = home
        self.server = server
        self._name = f"{home.name[:30]}_{secrets.token_hex(4)}"
        self._opened: list[Memory] = []

    def __call__(
        self,
        scope: str = "ada",
        folder: str = "memory",
        *,
        embedder: Embedder | None = HashEmbedder(),  # noqa: B008
        extractor: Extractor | None = PatternExtractor(),  # noqa: B008
    ) -> Memory:
        opened = Memory(self.place(folder), scope=scope, embedder=embedder, extractor=extractor)
        self._opened.append(opened)
        return opened

    def place(self, folder: str = "memory") -> str | Path:
        """Returns where a memory is, for handles and stores that a test opens itself."""
        return self.server.url(f"{self._name}_{folder}"[-63:]) if self.server else self.home / folder

    def close(self) -> None:
        for opened in self._opened:
            opened.close()
        if self.server:
            self.server.drop()


def on_disk(store: Store) -> SQLite:
    """Returns the database of a store that is known to be one in a folder."""
    assert isinstance(store.database, SQLite)
    return store.database


def disagreements(store: Store) -> list[str]:
    """Returns what is wrong with a store: every form must hold the same notes as the table of notes."""
    wrong = []
    on_sqlite = isinstance(store.database, SQLite)
    with store.database.overseeing(), store.database.reading() as connection:

        def column(query: str) -> list[object]:
            return [row[0] for row in connection.exec_driver_sql(query)]

        if on_sqlite and (answer := column("PRAGMA integrity_check")) != ["ok"]:
            wrong.append(f"integrity: {answer}")
        if on_sqlite and (answer := column("PRAGMA foreign_key_check")):
            wrong.append(f"foreign keys: {answer}")
        in_index = "SELECT id FROM {}_docsize" if on_sqlite else "SELECT num FROM {}_document"
        notes = set(column("SELECT num FROM note"))
        if (indexed := set(column(in_index.format("words")))) != notes:
            wrong.append(f"words hold {indexed ^ notes}")
        if store.vectors and (vectors := set(column("SELECT note FROM embedding"))) != notes:
            wrong.append(f"vectors hold {vectors ^ notes}")
        facts = set(column("SELECT num FROM triplet"))
        if (indexed := set(column(in_index.format("fact_words")))) != facts:
            wrong.append(f"the words of facts hold {indexed ^ facts}")
        for table in ("triplet", "mention", "record"):
            if orphans := set(column(f"SELECT note FROM {table}")) - notes:
                wrong.append(f"{table} names {orphans}")
        if orphans := set(column("SELECT previous FROM note WHERE previous IS NOT NULL")) - notes:
            wrong.append(f"turns follow {orphans}")
        if current := column("SELECT lineage FROM note WHERE retired IS NULL GROUP BY lineage HAVING count(*) > 1"):
            wrong.append(f"more than one current version of {current}")
        changes = column("SELECT seq FROM change ORDER BY seq")
        if changes != list(range(1, len(changes) + 1)):
            wrong.append("changes are not numbered one by one")
        last = len(changes)
        for name, reached in connection.exec_driver_sql("SELECT name, applied FROM form"):
            if reached != last:
                wrong.append(f"{name} has seen {reached} of {last}")
    # full text is checked against the notes, value for value
    if not on_sqlite:
        wrong += [
            f"{index} does not fit {misfits}"
            for index, form in (("words", store.words), ("fact_words", store.triplets))
            if isinstance(form.index, Postings) and (misfits := form.index.misfits())
        ]
        return wrong
    with store.database.writing() as connection:
        for index in ("words", "fact_words"):
            connection.exec_driver_sql(f"INSERT INTO {index}({index}, rank) VALUES('integrity-check', 1)")
    return wrong
