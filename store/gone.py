"""Whether what a receipt names is gone: looked up anew, in every table, in the change log and in the files."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, inspect

from .checks import Finding
from .database import Database
from .errors import InvalidInput
from .scanning import scan
from .schema import meta
from .scrub import held_elsewhere, pieces_of
from .sqlite import SQLite
from .statements import insert, rows, rows_in

__all__ = ["check_bytes", "check_gone", "identity"]

_NUMBERED = (
    ("note", "num"),
    ("note", "previous"),
    ("embedding", "note"),
    ("next_embedding", "note"),
    ("triplet", "note"),
    ("mention", "note"),
    ("extraction", "note"),
    ("record", "note"),
    ("derived", "note"),
    ("derived", "parent"),
    ("words_docsize", "id"),
    ("words_document", "num"),
    ("words_posting", "num"),
)
_SHORTEST = 4  # bytes; what is shorter is found by chance


def identity(database: Database) -> str:
    """Returns the random name of this store, made when first asked for; a copy of the store has it too."""
    with database.reading() as connection:
        found = rows(connection, "SELECT value FROM meta WHERE key = 'store'")
    if not found:
        with database.writing() as connection:
            insert(connection, meta, ("key", "value"), [("store", secrets.token_hex(16))], unless_there=True)
            found = rows(connection, "SELECT value FROM meta WHERE key = 'store'")
    return str(found[0][0])


def check_gone(database: Database, ids: Sequence[str], change: int) -> Iterator[Finding]:
    """Yields what is found about notes that were forgotten, the last of them by this change."""
    with database.overseeing(), database.reading() as connection:
        logged = rows_in(connection, "SELECT seq, num, note FROM change WHERE op = 'forget' AND note IN (?)", list(ids))
        yield _logged(logged, ids, change)
        nums = [num for _, num, _ in logged]
        yield from _tables(connection, ids, nums)
        named = {file for (file,) in rows(connection, "SELECT file FROM record")}
    if isinstance(database, SQLite):
        yield _files(database, named)
        log = database.file.with_name(f"{database.file.name}-wal")
        size = log.stat().st_size if log.exists() else 0
        told = f"{size:,} bytes of it wait to be moved into the file" if size else "empty"
        yield Finding("write-ahead log", "ok", told)


def check_bytes(database: Database, words: Sequence[str]) -> Finding:
    """Has another process look for these words, and for the middles of them that full text keeps, in every file.

    Raises:
        InvalidInput: words too short to prove anything.
    """
    for one in words:
        if len(one.encode()) < _SHORTEST:
            raise InvalidInput(f"{one!r} is too short to look for: it would be found by chance; give {_SHORTEST} bytes")
    if not isinstance(database, SQLite):
        return Finding(
            "bytes", "warn", "the files of a server are not searched from here; erasing while forgetting does"
        )
    spelt = {one for word in words for one in (word, word.lower(), *pieces_of(word))}
    with database.reading() as connection:
        held = held_elsewhere(connection, spelt)
    remaining, spelt = sorted(held.intersection(words)), spelt - held
    found = scan(database.folder, sorted(one.encode() for one in spelt))
    kept = f"; {len(remaining)} of the words are in notes that remain, and prove nothing" if remaining else ""
    if found:
        where = ", ".join(f"{len(those)} in {name}" for name, those in sorted(found.items()))
        return Finding("bytes", "fail", f"still found: {where}; remove them: tercet doctor --erase{kept}")
    return Finding("bytes", "warn" if kept else "ok", f"another process found none of {len(spelt)} byte strings{kept}")


def _logged(logged: Sequence[tuple[int, int, str]], ids: Sequence[str], change: int) -> Finding:
    missing = set(ids) - {id for _, _, id in logged}
    if missing:
        return Finding("change log", "fail", f"knows of no forget of {len(missing):,} of {len(ids):,} notes")
    if logged and max(seq for seq, _, _ in logged) < change:
        return Finding("change log", "fail", f"the last forget of these notes is not change {change}")
    return Finding("change log", "ok", f"{len(ids):,} forgotten, the last in change {change}")


def _tables(connection: Connection, ids: Sequence[str], nums: Sequence[int]) -> Iterator[Finding]:
    back = rows_in(connection, "SELECT num FROM note WHERE id IN (?)", list(ids))
    if back:
        yield Finding(
            "notes", "fail", f"{len(back):,} are in the store, since change {min(back)[0]}; forget them again"
        )
    there = set(inspect(connection).get_table_names())
    left: dict[str, int] = {}
    for table, column in _NUMBERED:
        if table in there:
            counted = f"SELECT count(*) FROM {table} WHERE {column} IN (?)"
            left[table] = left.get(table, 0) + sum(count for (count,) in rows_in(connection, counted, nums))
    bad = {table: count for table, count in left.items() if count}
    if bad:
        told = ", ".join(f"{count:,} rows in {table}" for table, count in bad.items())
        yield Finding("tables", "fail", f"{told}; rebuild the forms: tercet rebuild")
    elif not back:
        yield Finding("tables", "ok", f"no row in {len(left)} tables of notes and forms")


def _files(database: SQLite, named: set[str]) -> Finding:
    folder = database.folder / "records"
    left = [path for path in folder.iterdir() if path.name not in named] if folder.exists() else []
    if left:
        return Finding("files", "fail", f"{len(left):,} files that no note has; remove them: tercet doctor --fix")
    return Finding("files", "ok", "no file of an explicit memory without its note")
