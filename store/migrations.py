"""Numbered steps from an empty file to today's tables; a store remembers the number it has reached."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, inspect, select

from .errors import NewerStore, StoreDamaged
from .schema import meta, metadata

__all__ = ["MIGRATIONS", "migrate", "version_of"]

_MONTHS = "January February March April May June July August September October November December".split()
_MONTH_CASES = " ".join(f"WHEN '{number:02}' THEN '{month} '" for number, month in enumerate(_MONTHS, 1))

# What full text sees of a note: its date in words, who spoke, the text, and the turn before it.
_WORDS_SOURCE = f"""
CREATE VIEW words_source AS
SELECT n.num AS num,
  CASE WHEN length(n.happened) >= 10
    THEN CAST(substr(n.happened, 9, 2) AS INTEGER) || ' ' ELSE '' END
  || CASE substr(n.happened, 6, 2) {_MONTH_CASES} ELSE '' END
  || substr(n.happened, 1, 4) AS day,
  n.speaker AS speaker, n.text AS body, coalesce(p.text, '') AS previous
FROM note n LEFT JOIN note p ON p.num = n.previous
"""
_WORDS = """
CREATE VIRTUAL TABLE words USING fts5(
  day, speaker, body, previous,
  content='words_source', content_rowid='num', tokenize="porter unicode61 remove_diacritics 2")
"""
_FACT_WORDS = """
CREATE VIRTUAL TABLE fact_words USING fts5(
  subject, relation, object,
  content='triplet', content_rowid='num', tokenize="porter unicode61 remove_diacritics 2")
"""


def _m001_first_tables(connection: Connection) -> None:
    metadata.create_all(connection)
    for statement in (_WORDS_SOURCE, _WORDS, _FACT_WORDS):
        connection.exec_driver_sql(statement)


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (_m001_first_tables,)
"""In order; the number of a migration is its place, counted from 1. Never edit one that was released."""


def version_of(connection: Connection) -> int:
    """Returns the number of the last migration the store has seen; 0 for an empty file."""
    if not inspect(connection).has_table("meta"):
        return 0
    value = connection.scalar(select(meta.c.value).where(meta.c.key == "version"))
    if value is None or not value.isdigit():
        raise StoreDamaged(f"the store says its version is {value!r}; restore it from an export")
    return int(value)


def migrate(connection: Connection) -> None:
    """Brings the store to today's tables, inside the caller's transaction.

    Raises:
        NewerStore: a later version of Tercet wrote it.
    """
    version = version_of(connection)
    if version > len(MIGRATIONS):
        raise NewerStore(
            f"this store is of version {version}, this Tercet knows up to {len(MIGRATIONS)}; "
            "upgrade with: pip install --upgrade tercet"
        )
    if version == len(MIGRATIONS):
        return
    for step in MIGRATIONS[version:]:
        step(connection)
    row = {"key": "version", "value": str(len(MIGRATIONS))}
    if version:
        connection.execute(meta.update().where(meta.c.key == "version").values(value=row["value"]))
    else:
        connection.execute(meta.insert(), row)
