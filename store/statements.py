"""Statements handed to the driver as they are: one write is a dozen of them, and building each costs more than it does.

They are written once, with ``?`` for every value, in SQL that SQLite and PostgreSQL both know.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, CursorResult, Table

__all__ = ["insert", "numbered", "nums_of", "run"]


def run(connection: Connection, sql: str, *values: object) -> CursorResult[*tuple[Any, ...]]:
    """Runs one statement with these values for its ``?``."""
    return connection.exec_driver_sql(_marked(sql, connection.dialect.paramstyle), values)


def insert(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Iterable[tuple[object, ...]],
    *,
    unless_there: bool = False,
) -> None:
    """Inserts rows, their values in the order of ``columns``; none is fine.

    Args:
        connection: of the caller's transaction.
        table: where.
        columns: which.
        rows: what.
        unless_there: leave rows alone whose primary key is there already.
    """
    if batch := list(rows):
        sql = _insertion(table.name, tuple(columns), unless_there)
        connection.exec_driver_sql(_marked(sql, connection.dialect.paramstyle), batch)


@cache
def _insertion(table: str, columns: tuple[str, ...], unless_there: bool) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    ending = " ON CONFLICT DO NOTHING" if unless_there else ""
    return f'INSERT INTO "{table}" ({names}) VALUES ({", ".join("?" * len(columns))}){ending}'


@cache
def _marked(sql: str, style: str) -> str:
    return sql if style == "qmark" else sql.replace("?", "%s")


def numbered(connection: Connection, table: str, nums: Sequence[int]) -> set[int]:
    """Returns which of these notes have rows in a table."""
    if len(nums) == 1:
        return {num for (num,) in run(connection, f"SELECT note FROM {table} WHERE note = ? LIMIT 1", *nums)}
    if not nums:
        return set()
    between = f"SELECT DISTINCT note FROM {table} WHERE note BETWEEN ? AND ?"
    return {num for (num,) in run(connection, between, min(nums), max(nums))}.intersection(nums)


def nums_of(connection: Connection, ids: Iterable[str]) -> list[int]:
    """Returns the numbers of the notes with these ids, in order; ids that no note has are left out."""
    return sorted(num for id in set(ids) for (num,) in run(connection, "SELECT num FROM note WHERE id = ?", id))
