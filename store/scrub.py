"""Erasing: after the rows are deleted, their bytes go too, and another process looks whether they are gone.

A DELETE leaves words in the full text's shadow tables, copies in the free part of pages, pages in the write-ahead
log, and files in other places. Source of the order of steps: measured on SQLite 3.40; ``optimize`` merges the full
text's segments, ``VACUUM`` writes every page anew, a truncating checkpoint empties the log, and a sync, which SQLite
leaves out there, keeps a power cut from bringing the log back. The scan runs in another process because opening the
database file in this one would drop SQLite's locks on it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select, text

from .database import Database
from .errors import StoreError
from .names import words_of
from .note import Note
from .postgres import Postgres
from .postgres_scrub import scrub_server
from .scanning import scan
from .schema import embedding
from .scrubbed import Scrubbed
from .searching import Search
from .sqlite import SQLite
from .statements import batches
from .synced import sync_folder

__all__ = ["Needles", "held_elsewhere", "needles_of", "pieces_of", "scrub", "scrub_file"]

_SHORTEST = 6  # bytes; shorter runs are found by chance
_MOST = 16  # words of a note
_PIECE = 32  # bytes of a vector, so that a part of one is found too
_LOG, _SEARCH, _FREE = "write-ahead log", "scan", "free space inside memory.db"
_TOLD = 20  # notes whose words are looked for: each word costs a look through all that remains
_ROWS = 500  # read at once
_BETWEEN = "\x1f"  # the values of a row
_KEPT = {
    "note": ("text", "speaker", "source", "thread", "metadata", "facts", "key"),
    "triplet": ("subject", "relation", "object"),
    "mention": ("name", "surface"),
    "extraction": ("facts",),
    "relation": ("name",),
    "meta": ("value",),
    "sqlite_master": ("sql",),
}
"""The columns that may hold words, by table."""


@dataclass(frozen=True, slots=True)
class Needles:
    """Bytes that must not be found once a note is erased, by what they are.

    Attributes:
        words: texts as written, and middles of words out of everything a caller gave with a note; full text drops the
            beginnings that neighbours share and the endings that stemming takes. Like the vectors, of twenty notes
            spread over all of them where there are more.
        vectors: embeddings that no other note has, whole and in pieces.
        records: bytes out of the middle of explicit memories.
    """

    words: tuple[str, ...]
    vectors: tuple[bytes, ...]
    records: tuple[bytes, ...]

    def without(self, kept: Collection[str]) -> tuple[bytes, ...]:
        """Returns all but the words that remaining notes hold too: finding those would prove nothing."""
        return (*(word.encode() for word in self.words if word not in kept), *self.vectors, *self.records)


def needles_of(database: Database, victims: Sequence[Note], files: Sequence[Path]) -> Needles:
    """Returns what to look for; to be asked while the notes are still there, before they are deleted."""
    nums, told = [item.num for item in victims], _spread(victims)
    with database.reading() as connection:
        vectors = connection.scalars(
            select(embedding.c.vector)
            .where(embedding.c.note.in_([item.num for item in told]))
            .except_(select(embedding.c.vector).where(embedding.c.note.not_in(nums)))
        ).all()
    texts = {item.text for item in told if len(item.text.encode()) >= _SHORTEST}
    pieces = {spelt for piece in _pieces(told) for spelt in (piece, piece.lower())}
    return Needles(
        words=tuple(sorted(texts | pieces)),
        vectors=tuple(piece for vector in vectors for piece in _cut(bytes(vector))),
        records=tuple(filter(None, map(_middle, files))),
    )


def scrub(database: Database, needles: Needles) -> Scrubbed:
    """Removes the bytes of what was deleted from the database's files, and looks for them.

    The notes are forgotten already: what goes wrong here is told, not raised, so that there is a receipt of it.
    """
    if isinstance(database, Postgres):
        return scrub_server(database, lambda: needles.without(_held(database, needles)))
    if isinstance(database, SQLite):
        return scrub_file(database, needles)
    raise TypeError(f"nobody knows how to erase in a {type(database).__name__}")


def scrub_file(database: SQLite, needles: Needles) -> Scrubbed:
    """Does what `scrub` says for SQLite.

    The file is written anew where copies of rows are found in the free part of its pages, and where there is nothing
    to look for: that takes as long as copying it, and most forgets leave none.
    """
    steps: list[tuple[str, str, str]] = []
    left = [*_merged(database, steps), *_emptied(database, steps)]
    try:
        sought, found = _looked(database, needles)
        if found or not sought:
            steps = [step for step in steps if step[0] != _LOG]
            left = [*_merged(database, []), *_rewritten(database, steps), *_emptied(database, steps)]
            found = scan(database.folder, sought) if sought else {}
    except StoreError as error:
        steps.append((_SEARCH, "FAILED", str(error)))
        left.append(f"what the scan would have proved, here and beside the store: {error}")
        return Scrubbed(tuple(steps), tuple(left), clean=False, sought=())
    if sought:
        told = ", ".join(f"{len(those)} in {name}" for name, those in sorted(found.items())) or "0 found"
        proof = f"another process looked for {len(sought)} byte strings in every file: {told}"
        steps.append((_SEARCH, "STILL FOUND" if found else "nothing found", proof))
    left += [
        f"{name}, where {len(those)} of the byte strings were still found" for name, those in sorted(found.items())
    ]
    return Scrubbed(tuple(steps), tuple(left), not left, sought)


def _merged(database: SQLite, steps: list[tuple[str, str, str]]) -> list[str]:
    """Merges the segments of the full text, which keep deleted words; returns what is left."""
    try:
        with database.writing() as connection:
            for index in ("words", "fact_words"):
                connection.execute(text(f"INSERT INTO {index}({index}) VALUES('optimize')"))
    except StoreError as error:
        steps.append(("full text", "NOT merged", str(error)))
        return [f"words in the segments of the full text, which were not merged: {error}"]
    steps.append(("full text", "merged", "both indexes optimised, so that no segment keeps a deleted word"))
    return []


def _rewritten(database: SQLite, steps: list[tuple[str, str, str]]) -> list[str]:
    """Writes the file anew; returns what is left."""
    try:
        database.rewrite()
    except StoreError as error:
        steps.append(("database", "NOT written anew", str(error)))
        return [f"{_FREE}, which was not written anew: {error}"]
    steps.append(("database", "written anew", "VACUUM: no page keeps a copy of a deleted row"))
    return []


def _emptied(database: SQLite, steps: list[tuple[str, str, str]]) -> list[str]:
    """Empties the write-ahead log; returns what is left."""
    try:
        busy, pages, moved = database.checkpoint()
        _sync_log(database)
    except (StoreError, OSError) as error:
        steps.append((_LOG, "NOT emptied", str(error)))
        return [f"the {_LOG}, which was not emptied: {error}; then `tercet doctor --erase`"]
    steps.append(
        (_LOG, "NOT emptied" if busy else "emptied", f"checkpoint answered busy={busy}, log={pages}, moved={moved}")
    )
    if busy:
        return [f"the {_LOG}, until the reader that is open now closes: close it, then `tercet doctor --erase`"]
    return []


def _looked(database: SQLite, needles: Needles) -> tuple[tuple[bytes, ...], dict[str, list[bytes]]]:
    """Looks for the needles in another process, and meanwhile in this one for those that prove nothing.

    Returns:
        (what proves something; what of it each file holds, others left out).

    Raises:
        StoreError: one of the two could not be done.
    """
    with ThreadPoolExecutor(1) as meanwhile:
        kept = meanwhile.submit(_held, database, needles)
        every = needles.without(())
        seen = scan(database.folder, every) if every else {}
        sought = needles.without(kept.result())
    telling = set(sought)
    found = {name: [needle for needle in those if needle in telling] for name, those in seen.items()}
    return sought, {name: those for name, those in found.items() if those}


def _sync_log(database: SQLite) -> None:
    """Keeps a power cut from bringing back the log, and the files that were deleted.

    SQLite does not sync the log it has emptied. It holds its locks on its other two files, so that opening and
    closing this one drops none of them.
    """
    for path in (database.file.with_name(f"{database.file.name}-wal"), database.folder / "records"):
        if path.is_dir():
            sync_folder(path)
        elif path.exists():
            with path.open("r+b") as file:  # Windows syncs only what may be written to
                os.fsync(file.fileno())


def _spread(victims: Sequence[Note]) -> Sequence[Note]:
    """Some of the notes, evenly spread, the first and the last among them."""
    if len(victims) <= _TOLD:
        return victims
    return [victims[place * (len(victims) - 1) // (_TOLD - 1)] for place in range(_TOLD)]


def pieces_of(told: str) -> list[str]:
    """Returns middles of the longest words of a text: full text may drop their beginnings and their endings."""
    words = {word for word in words_of(told) if word.isascii() and len(word) >= _SHORTEST + 2}
    longest = sorted(words, key=lambda word: (-len(word), word))
    return [spelt for word in longest[:_MOST] for spelt in dict.fromkeys((word[2:8], word[2:8].lower()))]


def held_elsewhere(connection: Connection, words: Collection[str]) -> set[str]:
    """Returns those of these strings that something in the store holds, in whatever case.

    Finding them would prove nothing. That something is notes, what was derived of them, or the tables' names.
    """
    asked = list(words)
    search, found = Search([one.lower().encode() for one in asked]), set[int]()
    for table, columns in _KEPT.items():
        if table == "sqlite_master" and connection.dialect.name != "sqlite":
            continue
        # one value a row: there are many rows, and making Python's values of them is what takes the time
        told = f" || '{_BETWEEN}' || ".join(f"coalesce(\"{name}\", '')" for name in columns)
        for part in batches(connection, f"SELECT {told} FROM {table}", _ROWS):
            found |= search.within(_BETWEEN.join([value for (value,) in part]).lower().encode())
    return {asked[place] for place in found}


def _held(database: Database, needles: Needles) -> set[str]:
    with database.overseeing(), database.reading() as connection:
        return held_elsewhere(connection, needles.words)


def _pieces(victims: Sequence[Note]) -> list[str]:
    """Middles of the longest words given with each note, as they were written."""
    pieces = set()
    for item in victims:
        words = {word for told in _told(item) for word in words_of(told) if word.isascii()}
        longest = sorted((word for word in words if len(word) >= _SHORTEST + 2), key=lambda word: (-len(word), word))
        pieces |= {word[2 : 2 + _SHORTEST] for word in longest[:_MOST]}
    return sorted(pieces)


def _told(item: Note) -> Iterator[str]:
    """Everything a caller gave with a note."""
    yield from (item.text, item.speaker, item.source, item.thread, item.key or "")
    yield json.dumps(item.metadata, ensure_ascii=False)
    for fact in item.facts:
        yield from (fact.subject, fact.relation, fact.object)


def _cut(vector: bytes) -> Iterator[bytes]:
    """A vector, and its pieces that say something."""
    yield vector
    for start in range(0, len(vector), _PIECE):
        piece = vector[start : start + _PIECE]
        if len(set(piece)) > _PIECE // 2:
            yield piece


def _middle(path: Path) -> bytes:
    """64 bytes out of the middle of a file; empty when it is gone already or says nothing there."""
    try:
        data = path.read_bytes()
    except OSError:  # it is gone already, or cannot be read, by the scan neither
        return b""
    piece = data[len(data) // 2 :][:64]
    return piece if len(set(piece)) > 16 else b""
