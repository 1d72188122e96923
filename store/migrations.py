"""An empty database gets today's tables; an older store the steps that lead there from the number it remembers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

import numpy as np
from sqlalchemy import Connection, Table, inspect, select

from .errors import NewerStore, StoreDamaged
from .postgres_tables import create_tables, policies
from .schema import alias, change, extraction, meta, metadata, note

__all__ = ["STEPS", "VERSION", "migrate", "version_of"]

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


def _create(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        create_tables(connection, metadata, _WORDS_SOURCE)
        return
    metadata.create_all(connection)
    for statement in (_WORDS_SOURCE, _WORDS, _FACT_WORDS):
        connection.exec_driver_sql(statement)


def _m002_quarantine_quotas_half_precision(connection: Connection) -> None:
    for dropped in ("change_note", "change_lineage", "change_at", "note_lineage", "note_previous", "note_thread"):
        connection.exec_driver_sql(f"DROP INDEX IF EXISTS {dropped}")
        connection.exec_driver_sql(f"DROP INDEX IF EXISTS ix_{dropped}")
    connection.exec_driver_sql("ALTER TABLE note ADD COLUMN held INTEGER")
    connection.exec_driver_sql("ALTER TABLE relation RENAME TO relation_of_all")
    metadata.create_all(connection)  # the tables that are new
    connection.exec_driver_sql("INSERT INTO relation SELECT '', name, single FROM relation_of_all")
    connection.exec_driver_sql("DROP TABLE relation_of_all")
    for table in (change, note):
        for index in table.indexes:
            index.create(connection, checkfirst=True)
    for num, vector in connection.exec_driver_sql("SELECT note, vector FROM embedding").all():
        half = np.frombuffer(vector, "<f4").astype("<f2").tobytes()
        connection.exec_driver_sql("UPDATE embedding SET vector = ? WHERE note = ?", (half, num))


def _m003_aliases(connection: Connection) -> None:
    _new_table(connection, alias)


def _m004_worth_of_records(connection: Connection) -> None:
    if not any(column["name"] == "worth" for column in inspect(connection).get_columns("record")):
        connection.exec_driver_sql("ALTER TABLE record ADD COLUMN worth FLOAT NOT NULL DEFAULT 0")


def _m005_extractions(connection: Connection) -> None:
    _new_table(connection, extraction)


def _new_table(connection: Connection, table: Table) -> None:
    if inspect(connection).has_table(table.name):
        return  # the second step makes every table that is new
    table.create(connection)
    if connection.dialect.name == "postgresql":
        for statement in policies([table]):
            connection.exec_driver_sql(statement)


STEPS: Mapping[int, Callable[[Connection], None]] = {
    2: _m002_quarantine_quotas_half_precision,
    3: _m003_aliases,
    4: _m004_worth_of_records,
    5: _m005_extractions,
}
"""The number that a step leads to, and the step. Never edit one that was released."""
VERSION = max(STEPS)
"""Of today's tables."""


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
    if version > VERSION:
        raise NewerStore(
            f"this store is of version {version}, this Tercet knows up to {VERSION}; "
            "upgrade with: pip install --upgrade tercet"
        )
    if not version:
        _create(connection)
        connection.execute(meta.insert(), {"key": "version", "value": str(VERSION)})
        _name(connection)
    elif version < VERSION:
        for number in range(version + 1, VERSION + 1):
            STEPS[number](connection)
        connection.execute(meta.update().where(meta.c.key == "version").values(value=str(VERSION)))
        if connection.scalar(select(meta.c.value).where(meta.c.key == "store")) is None:
            _name(connection)


def _name(connection: Connection) -> None:
    """Gives the store a random name, which receipts bear."""
    connection.execute(meta.insert(), {"key": "store", "value": secrets.token_hex(16)})
