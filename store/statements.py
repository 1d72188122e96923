"""Statements handed to the driver as they are: one write is a dozen of them, and building each costs more than it does.

They are written once, with ``?`` for every value, in SQL that SQLite and PostgreSQL both know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.exc import DBAPIError

__all__ = ["batches", "insert", "numbered", "nums_of", "rows", "rows_in", "run", "run_in", "run_many"]

_BATCH = 500  # values in one statement


def rows(connection: Connection, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Returns the rows of a query with these values for its ``?``."""
    return _done(connection, "execute", sql, values).fetchall()  # type: ignore[no-any-return]


def batches(connection: Connection, sql: str, size: int) -> Iterator[list[tuple[Any, ...]]]:
    """Yields the rows of a query, so many at a time."""
    cursor = _done(connection, "execute", sql, ())
    while part := cursor.fetchmany(size):
        yield part


def run(connection: Connection, sql: str, *values: object) -> int:
    """Runs a statement that returns no rows; returns how many rows it changed."""
    return _done(connection, "execute", sql, values).rowcount  # type: ignore[no-any-return]


def run_many(connection: Connection, sql: str, batch: Sequence[tuple[object, ...]]) -> None:
    """Runs a statement once with each row of values; none is fine."""
    if batch:
        _done(connection, "executemany", sql, batch)


def rows_in(connection: Connection, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
    """Returns the rows of a query whose ``IN (?)`` stands for any number of values."""
    return [row for part in _parts(values) for row in rows(connection, _listed(sql, len(part)), *part)]


def run_in(connection: Connection, sql: str, values: Sequence[object]) -> int:
    """Runs a statement that returns no rows and whose ``IN (?)`` stands for any number of values."""
    return sum(run(connection, _listed(sql, len(part)), *part) for part in _parts(values))


def insert(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    batch: Iterable[tuple[object, ...]],
    *,
    unless_there: bool = False,
) -> None:
    """Inserts rows, their values in the order of ``columns``; none is fine.

    Args:
        connection: of the caller's transaction.
        table: where.
        columns: which.
        batch: what.
        unless_there: leave rows alone whose primary key is there already.
    """
    run_many(connection, _insertion(table.name, tuple(columns), unless_there), list(batch))


def numbered(connection: Connection, table: str, nums: Sequence[int]) -> set[int]:
    """Returns which of these notes have rows in a table."""
    if not nums:
        return set()
    between = f"SELECT DISTINCT note FROM {table} WHERE note BETWEEN ? AND ?"
    return {num for (num,) in rows(connection, between, min(nums), max(nums))}.intersection(nums)


def nums_of(connection: Connection, ids: Iterable[str]) -> list[int]:
    """Returns the numbers of the notes with these ids, in order; ids that no note has are left out."""
    return sorted(num for (num,) in rows_in(connection, "SELECT num FROM note WHERE id IN (?)", sorted(set(ids))))


def _parts(values: Sequence[object]) -> Iterator[Sequence[object]]:
    for start in range(0, len(values), _BATCH):
        yield values[start : start + _BATCH]


def _listed(sql: str, count: int) -> str:
    return sql.replace("IN (?)", f"IN ({', '.join('?' * count)})")


def _done(connection: Connection, way: str, sql: str, values: object) -> Any:  # noqa: ANN401  (the driver's own cursor)
    """Hands a statement to the driver, whose errors become SQLAlchemy's."""
    driver: Any = connection.connection
    cursor = driver.cursor()
    try:
        getattr(cursor, way)(_marked(sql, connection.dialect.paramstyle), values)
    except connection.dialect.loaded_dbapi.Error as error:
        raise DBAPIError(sql, None, error) from error
    return cursor


@cache
def _insertion(table: str, columns: tuple[str, ...], unless_there: bool) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    ending = " ON CONFLICT DO NOTHING" if unless_there else ""
    return f'INSERT INTO "{table}" ({names}) VALUES ({", ".join("?" * len(columns))}){ending}'


@cache
def _marked(sql: str, style: str) -> str:
    return sql if style == "qmark" else sql.replace("?", "%s")
