"""Rows of somebody else's SQLite file, read without touching it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from ...store.errors import InvalidInput

__all__ = ["columns", "is_sqlite", "rows"]

_MAGIC = b"SQLite format 3\x00"
_BROKEN = (sqlite3.Error, UnicodeDecodeError)  # the latter: SQLite's own message quotes what it found in the file
_LONGEST = 16 << 20  # bytes of one value


def is_sqlite(file: Path) -> bool:
    """Returns whether a file begins as every SQLite file does."""
    try:
        with file.open("rb") as stream:
            return stream.read(len(_MAGIC)) == _MAGIC
    except OSError as error:
        raise InvalidInput(f"{file}: it cannot be read ({error.strerror})") from error


def columns(file: Path, table: str) -> frozenset[str]:
    """Returns the columns of a table; none if there is no such table (a view is none)."""
    with closing(_opened(file)) as connection:
        try:
            found = connection.execute(
                "SELECT c.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c "
                "WHERE m.type = 'table' AND m.name = ?",
                (table,),
            ).fetchall()
        except _BROKEN as error:
            raise _refusal(file, error) from error
    return frozenset(name for (name,) in found)


def rows(file: Path, table: str, names: Sequence[str]) -> Iterator[dict[str, object]]:
    """Yields the rows of a table as of one moment, in the order they were put in.

    Args:
        file: the SQLite file; it is opened read-only.
        table: its name, from code, never from the file.
        names: of the columns, likewise.

    Raises:
        InvalidInput: the file is damaged, or holds text that is not UTF-8.
    """
    with closing(_opened(file)) as connection:
        try:
            yield from (
                dict(zip(names, row, strict=True))
                for row in connection.execute(f"SELECT {', '.join(names)} FROM {table} ORDER BY rowid")
            )
        except _BROKEN as error:
            raise _refusal(file, error) from error


def _opened(file: Path) -> sqlite3.Connection:
    if not is_sqlite(file):
        raise InvalidInput(f"{file}: it is no SQLite file")
    # SQLite would leave its log files beside one in WAL mode; where there are none, nobody is writing to it
    at_rest = _in_wal_mode(file) and not Path(f"{file}-wal").exists()
    try:
        connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro{'&immutable=1' * at_rest}", uri=True)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
        connection.execute("PRAGMA trusted_schema = OFF")  # no function that the file's own schema names is run
    except _BROKEN as error:
        raise _refusal(file, error) from error
    return connection


def _in_wal_mode(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(20)[18:] == b"\x02\x02"


def _refusal(file: Path, error: Exception) -> InvalidInput:
    return InvalidInput(f"{file}: SQLite cannot read it ({error}); is the file whole?")
