"""PostgreSQL: its transactions, its one writer at a time, and what its errors mean.

Writers take an advisory lock, so that changes are numbered without gaps and in the order of their commits. Readers
see one snapshot. Every transaction says at its beginning whose rows it may see; the server holds it to that
(row-level security, postgres_tables.py). Nothing is set for a session, so a pooler that hands connections from
transaction to transaction does no harm.
"""

from __future__ import annotations

import os
import re
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, TimeoutError

from .blobs import Blobs
from .database import Database, Index
from .errors import InvalidInput, MissingExtra, StoreBusy, StoreDamaged, StoreError
from .form import Embedder
from .pgvectors import PgVectors
from .postgres_pool import CONNECTIONS, Pools, begun
from .postings import Postings
from .scope import checked_scope

__all__ = ["EVERY_SCOPE", "Postgres", "is_url"]

EVERY_SCOPE = "*"
"""What a transaction says that keeps the whole store in order; no scope can be called so."""
_PATIENCE = 2.0  # seconds that a rewrite waits for a table, while everybody else waits behind it
_DRIVERS = ("postgresql", "postgresql+psycopg")
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL tercet.scope = '{scope}'"
# Read committed: what is read after the lock was waited for is what the writer before has committed.
_WRITE = (
    "BEGIN; SET LOCAL tercet.scope = '*'; SET LOCAL lock_timeout = {patience}; "
    "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'; "
    "SELECT pg_advisory_xact_lock(hashtextextended('tercet ' || current_schema(), 0))"
)
_UNKNOWN = (
    "the server was not reached, or the connection was lost: a write that was under way may have been kept or not; "
    "try again, a write with its idempotency key"
)
# Of the server's codes, as they begin: what they mean for a caller (postgresql.org/docs, appendix A).
_MEANINGS: tuple[tuple[tuple[str, ...], type[StoreError], str], ...] = (
    (("55P03", "40P01"), StoreBusy, "another process has been writing for too long; try again"),
    (("53300",), StoreBusy, "try again, or raise max_connections"),
    (("57014",), StoreBusy, "it took too long; nothing was changed"),
    (("08", "57P"), StoreError, _UNKNOWN),
    (("XX001", "XX002"), StoreDamaged, "restore the database from a backup or an export"),
    (("53", "25006"), StoreError, "nothing was changed"),
    (("28", "3D", "42501"), StoreError, "mend the URL, or the rights of its user"),
)


def is_url(location: str | os.PathLike[str]) -> bool:
    """Returns whether a memory's place is a database server and not a folder."""
    return "://" in os.fspath(location)


class Postgres(Database):
    """The tables in one schema of one database of a PostgreSQL server.

    Args:
        url: ``postgresql+psycopg://user:password@host/database``; ``postgresql://`` means the same.
        scope: what reads may see, with all below it; None for every scope.
        timeout: seconds to wait for another writer before `StoreBusy`.

    Raises:
        InvalidInput: another kind of URL, or one without a database.
        MissingExtra: the driver is not installed.
    """

    def __init__(self, url: str, *, scope: str | None = None, timeout: float = 20.0) -> None:
        target = _checked(url)
        self.place = _shown(target)
        self._scope = EVERY_SCOPE if scope is None else checked_scope(scope)
        self._timeout = timeout
        self._make_locks()
        self._engine = Pools.taken(target, timeout)
        self._release = weakref.finalize(self, Pools.given_back, self._engine)
        self._writing_engine = self._engine.execution_options(
            tercet_begin=_WRITE.format(patience=round(timeout * 1000)), tercet_writes=True
        )
        super().__init__()

    def _make_locks(self) -> None:
        self._thread_lock = threading.RLock()
        self._overseen = threading.local()

    def _begin_anew(self) -> None:
        Pools.begin_anew()
        self._engine.dispose(close=False)
        self._make_locks()

    @contextmanager
    def overseeing(self) -> Iterator[None]:
        """Inside, this thread reads every scope: for what keeps the whole store in order, never for an answer."""
        before = self._sees()
        self._overseen.scope = EVERY_SCOPE
        try:
            with self._switched(before):
                yield
        finally:
            self._overseen.scope = before

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Holds the writer's lock against other threads, processes and hosts."""
        with self.writing():
            yield

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """Yields a connection outside of any transaction, for what PostgreSQL does only there."""
        with self._telling(), self._engine.execution_options(tercet_begin="").connect() as connection:
            yield connection

    def rewrite(self) -> int:
        """Writes every table and index anew, with nothing in them but what may still be seen.

        Returns:
            How many deleted rows had to be kept, because a transaction that is open may still see them.

        Raises:
            StoreBusy: somebody used a table all the time.
            StoreError: there is no room for a second copy of a table.
        """
        kept: list[int] = []

        def notice(said: Any) -> None:  # noqa: ANN401  (the driver's own)
            # "… dead row versions cannot be removed yet", in whatever language: the number comes first
            if number := re.match(r"\s*(\d+)\b", said.message_detail or ""):
                kept.append(int(number[1]))

        with self.alone() as connection:
            driver: Any = connection.connection.driver_connection
            driver.add_notice_handler(notice)
            try:
                connection.exec_driver_sql(f"SET lock_timeout = {round(_PATIENCE * 1000)}")
                for name in self._tables(connection):
                    connection.exec_driver_sql(f'VACUUM (FULL, VERBOSE) "{name}"')
                    connection.exec_driver_sql(f'ANALYZE "{name}"')
            finally:
                driver.remove_notice_handler(notice)
                connection.exec_driver_sql("RESET lock_timeout")
        return sum(kept)

    def size(self) -> int:
        """Returns the bytes of the tables and their indexes."""
        with self.reading() as connection:
            found = connection.exec_driver_sql(
                "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class "
                "WHERE relkind = 'r' AND relnamespace = quote_ident(current_schema())::regnamespace"
            )
            return int(found.scalar_one())

    def close(self) -> None:
        """Closes the connections, unless another handle of this process uses them too."""
        self._release()

    def full_text(self, index: Index) -> Postings:
        """Returns an inverted index in tables."""
        return Postings(self, index)

    def vectors(self, embedder: Embedder) -> PgVectors:
        """Returns the form of vectors, searched by pgvector."""
        return PgVectors(self, embedder)

    def record_files(self) -> Blobs:
        """Returns the table of explicit memories."""
        return Blobs(self)

    def _sees(self) -> str:
        return getattr(self._overseen, "scope", self._scope)

    @contextmanager
    def _switched(self, before: str) -> Iterator[None]:
        """Lets a transaction that has begun already see every scope for a while."""
        connection: Connection | None = getattr(self._current, "connection", None)
        reads = connection is not None and not connection.get_execution_options().get("tercet_writes")
        if connection is None or not reads or before == EVERY_SCOPE:
            yield
            return
        connection.exec_driver_sql(f"SET LOCAL tercet.scope = '{EVERY_SCOPE}'")
        try:
            yield
        except DBAPIError:
            raise  # the transaction has failed: it answers nothing any more
        except BaseException:
            connection.exec_driver_sql(f"SET LOCAL tercet.scope = '{before}'")
            raise
        connection.exec_driver_sql(f"SET LOCAL tercet.scope = '{before}'")

    @contextmanager
    def _reader(self) -> Iterator[Connection]:
        engine = self._engine.execution_options(tercet_begin=_READ.format(scope=self._sees()))
        with begun(engine) as connection:
            yield connection
            connection.commit()  # nothing was written; a rollback would make the driver forget what it has prepared

    @contextmanager
    def _writer(self) -> Iterator[Connection]:
        if not self._thread_lock.acquire(timeout=self._timeout):
            raise StoreBusy(f"another thread has been writing for over {self._timeout:g} s; try again")
        try:
            with begun(self._writing_engine) as connection:
                yield connection
                connection.commit()
        finally:
            self._thread_lock.release()

    def _tables(self, connection: Connection) -> list[str]:
        found = connection.exec_driver_sql(
            "SELECT relname FROM pg_class WHERE relkind = 'r' "
            "AND relnamespace = quote_ident(current_schema())::regnamespace ORDER BY relname"
        )
        return [str(name) for name in found.scalars()]

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise StoreBusy(f"all {CONNECTIONS} connections to {self.place} are in use; try again") from error
        except DBAPIError as error:
            told = self._told(error)
            if told is None:
                raise
            raise told from error

    def _told(self, error: DBAPIError) -> StoreError | None:
        """Returns what an error of the server means for a caller, None where it is a mistake of a statement."""
        state: str | None = getattr(error.orig, "sqlstate", None)
        said = " ".join(str(error.orig).split())
        if state is None:  # the driver's own, not the server's
            unreached = type(error.orig).__name__ in ("OperationalError", "ConnectionTimeout", "InterfaceError")
            return StoreError(f"{self.place}: {said}; {_UNKNOWN}") if unreached else None
        for states, kind, mend in _MEANINGS:
            if state.startswith(states):
                return kind(f"{self.place}: {said}; {mend}")
        return None


def _checked(url: str) -> URL:
    try:
        target = make_url(url)
    except (ArgumentError, ValueError):
        raise InvalidInput("this is no URL; a memory is a folder, or postgresql://user@host/database") from None
    if target.drivername not in _DRIVERS:
        raise InvalidInput(
            f"a memory cannot be kept in {target.drivername}://; give a folder, or postgresql://user@host/database"
        )
    if not target.database:
        raise InvalidInput(f"{_shown(target)} names no database; give postgresql://user@host/database")
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise MissingExtra("PostgreSQL needs psycopg; install it with: pip install 'tercet[postgres]'") from None
    return target.set(drivername="postgresql+psycopg")


def _shown(target: URL) -> str:
    """Returns a URL without its password and without what else was given to the driver."""
    host = target.host or target.query.get("host") or ""
    port = f":{target.port}" if target.port else ""
    user = f"{target.username}@" if target.username else ""
    return f"postgresql://{user}{host}{port}/{target.database or ''}"
