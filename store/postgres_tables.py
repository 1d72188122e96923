"""The tables in PostgreSQL: those of every database, the inverted indexes, and whose rows are whose.

Row-level security holds every transaction to the scope that it named at its beginning (`tercet.scope`), also the
tables' owner. One that named none is refused, or sees nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, LargeBinary, MetaData, Table, Text
from sqlalchemy.exc import DBAPIError

from .errors import StoreError
from .postings import INDEXES

__all__ = ["OPEN", "create_tables", "policies"]

OPEN = frozenset({"form", "full_text", "meta"})
"""Tables without words of anybody's notes, which every transaction may see: versions and counts."""
_EVERY = "current_setting('tercet.scope') = '*'"
_INSTR = (  # as SQLite calls it
    "CREATE FUNCTION instr(text, text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE "
    "AS 'SELECT strpos($1, $2)'"
)


def create_tables(connection: Connection, metadata: MetaData, words_source: str) -> None:
    """Makes the tables in the connection's schema, with their policies.

    Args:
        connection: of the transaction.
        metadata: the tables of every database.
        words_source: the statement that makes the view which full text is made of.

    Raises:
        StoreError: the database keeps no UTF-8, or has no pgvector and may not be given it.
    """
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise StoreError(f"the database keeps text as {encoding}; make one with: CREATE DATABASE … ENCODING 'UTF8'")
    _need_pgvector(connection)
    connection.exec_driver_sql(_INSTR)
    metadata.create_all(connection, checkfirst=False)
    connection.exec_driver_sql(words_source)
    connection.exec_driver_sql("ALTER VIEW words_source SET (security_invoker = true)")
    # all at once: a hundred round trips would take longer than what is done
    connection.exec_driver_sql("; ".join([*policies(metadata.sorted_tables), *_indexes(), *_blobs()]))


def policies(tables: list[Table]) -> Iterator[str]:
    """Yields what new tables need beside their columns: being held to the scope of a transaction, and no samples."""
    for table in tables:
        yield from _unsampled(table)
        if table.name in OPEN:
            continue
        if table.name == "relation":  # what a scope says of relations holds below it
            own = "current_setting('tercet.scope')"
            sees = f"scope = '' OR starts_with({own} || '/', scope || '/') OR starts_with(scope, {own} || '/')"
        elif "scope" in table.c:
            own = "current_setting('tercet.scope')"
            sees = f"scope = {own} OR (scope > {own} || '/' AND scope < {own} || '0')"
        elif "note" in table.c:
            sees = f'EXISTS (SELECT FROM note WHERE note.num = "{table.name}".note)'
        else:
            sees = "false"
        yield from _held(table.name, sees)


def _unsampled(table: Table) -> Iterator[str]:
    """Keeps what people said out of the planner's samples, and uncompressed, so that a search for it finds it."""
    for column in table.c:
        if isinstance(column.type, (Text, LargeBinary)) or column.name == "key":
            yield f'ALTER TABLE "{table.name}" ALTER COLUMN "{column.name}" SET STATISTICS 0'
            yield f'ALTER TABLE "{table.name}" ALTER COLUMN "{column.name}" SET STORAGE EXTERNAL'


def _held(table: str, sees: str) -> Iterator[str]:
    yield f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY'
    yield f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY'
    yield f'CREATE POLICY scope ON "{table}" USING ({_EVERY} OR {sees})'


def _indexes() -> Iterator[str]:
    yield 'CREATE TABLE full_text (name text COLLATE "C" PRIMARY KEY, rows bigint NOT NULL, tokens bigint NOT NULL)'
    for name, owner in INDEXES.items():
        yield f"INSERT INTO full_text (name, rows, tokens) VALUES ('{name}', 0, 0)"
        yield (
            f"CREATE TABLE {name}_posting (term bigint, num bigint, frequency float8 NOT NULL, "
            "length integer NOT NULL, places integer[] NOT NULL, PRIMARY KEY (term, num))"
        )
        yield f"CREATE TABLE {name}_document (num bigint PRIMARY KEY, length integer NOT NULL, terms bigint[] NOT NULL)"
        for kept in (f"{name}_posting", f"{name}_document"):
            yield from _held(kept, f"EXISTS (SELECT FROM {owner} WHERE {owner}.num = {kept}.num)")


def _blobs() -> Iterator[str]:
    """The bytes of explicit memories, which go with the rows that name them."""
    yield (
        'CREATE TABLE blob (file text COLLATE "C" PRIMARY KEY REFERENCES record (file) ON DELETE CASCADE '
        "DEFERRABLE INITIALLY DEFERRED, data bytea STORAGE EXTERNAL NOT NULL)"
    )
    yield "ALTER TABLE blob ALTER COLUMN data SET STATISTICS 0"
    yield from _held("blob", "EXISTS (SELECT FROM record WHERE record.file = blob.file)")


def _need_pgvector(connection: Connection) -> None:
    if connection.exec_driver_sql("SELECT 1 FROM pg_extension WHERE extname = 'vector'").scalar():
        return
    try:
        with connection.begin_nested():
            connection.exec_driver_sql("CREATE EXTENSION vector")
    except DBAPIError as error:
        raise StoreError(
            f"the database has no pgvector ({' '.join(str(error.orig).split())}); "
            "as a superuser, in that database: CREATE EXTENSION vector"
        ) from error
