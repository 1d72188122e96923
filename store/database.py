"""The SQLite file: its settings, its one writer at a time, its checkpoints.

Settings follow what was measured to lose nothing: WAL with ``synchronous=FULL``, ``BEGIN IMMEDIATE`` for
writers, ``secure_delete``, and one lock file around every write and every checkpoint, because SQLite before
3.51.3 can corrupt a file when two connections write and checkpoint at the same instant.
"""

from __future__ import annotations

import os
import stat
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import URL, Connection, Engine, create_engine, event

from .errors import InvalidInput, StoreBusy

__all__ = ["Database"]

_PRAGMAS = (
    "journal_mode=wal",
    "synchronous=full",
    "foreign_keys=on",
    "secure_delete=on",
    "wal_autocheckpoint=0",
)
_CHECKPOINT_BYTES = 8 << 20
_FILE = "memory.db"


class Database:
    """One SQLite file in a folder of its own, readable and writable by its owner only.

    Args:
        folder: made if new (mode 0700).
        timeout: seconds to wait for another process's write before `StoreBusy`.

    Raises:
        InvalidInput: the folder is a link, not a folder, or writable by everybody.
    """

    def __init__(self, folder: Path, *, timeout: float = 20.0) -> None:
        self.folder = folder
        _prepare(folder)
        self.file = folder / _FILE
        self._timeout = timeout
        self._thread_lock = threading.RLock()
        self._file_lock = FileLock(folder / "writer.lock", mode=0o600)
        self._current = threading.local()
        self._engine = _engine(self.file, timeout)
        self._writer = self._engine.execution_options(tercet_writes=True)
        _forget_connections_in_children(self._engine)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yields a connection with one consistent view; inside `writing`, the writer's own."""
        open_already: Connection | None = getattr(self._current, "connection", None)
        if open_already is not None:
            yield open_already
            return
        with self._engine.connect() as connection:
            self._current.connection = connection
            try:
                yield connection
            finally:
                self._current.connection = None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yields the one writing connection; commits at the end, rolls back on any exception.

        Inside another `writing` of the same thread it joins that transaction.

        Raises:
            StoreBusy: another writer held the lock longer than the time-out.
        """
        open_already: Connection | None = getattr(self._current, "connection", None)
        if open_already is not None:
            if not open_already.get_execution_options().get("tercet_writes"):
                raise RuntimeError("a write was begun inside a read of the same thread")
            yield open_already
            return
        with self.exclusive():
            with self._writer.begin() as connection:
                self._current.connection = connection
                try:
                    yield connection
                finally:
                    self._current.connection = None
            if _size(self.folder / f"{_FILE}-wal") > _CHECKPOINT_BYTES:
                self.checkpoint("PASSIVE")

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Holds the writer's lock against other threads and processes."""
        if not self._thread_lock.acquire(timeout=self._timeout):
            raise StoreBusy(f"another thread has been writing for over {self._timeout:g} s; try again")
        try:
            try:
                self._file_lock.acquire(timeout=self._timeout)
            except Timeout:
                raise StoreBusy(
                    f"another process has been writing to {self.folder} for over {self._timeout:g} s; try again"
                ) from None
            try:
                yield
            finally:
                self._file_lock.release()
        finally:
            self._thread_lock.release()

    def checkpoint(self, mode: str = "TRUNCATE") -> tuple[int, int, int]:
        """Moves the write-ahead log into the file.

        Returns:
            SQLite's own answer: (busy, pages in the log, pages moved). ``busy`` is 1 while a reader keeps
            the log from being emptied; then nothing was erased from it.
        """
        with self.exclusive():
            raw = self._engine.raw_connection()
            try:
                row: tuple[int, int, int] = raw.cursor().execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
            finally:
                raw.close()
        return row

    def size(self) -> int:
        """Returns the bytes of every file in the folder."""
        return sum(_size(path) for path in self.folder.rglob("*") if path.is_file())

    def close(self) -> None:
        """Closes every connection; the log is moved into the file when nobody else reads."""
        if self.file.exists():
            self.checkpoint()
        self._engine.dispose()


def _prepare(folder: Path) -> None:
    if folder.is_symlink():
        raise InvalidInput(f"{folder} is a link; give the folder it points to")
    if folder.exists() and not folder.is_dir():
        raise InvalidInput(f"{folder} is a file; a memory is a folder")
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
    elif os.name == "posix" and folder.stat().st_mode & stat.S_IWOTH:
        raise InvalidInput(f"{folder} is writable by everybody; mend it with: chmod 700 {folder}")
    # made here, so that SQLite gives its log and its index the same mode
    os.close(os.open(folder / _FILE, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600))


def _engine(file: Path, timeout: float) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(file)),
        connect_args={"timeout": timeout},
        pool_size=8,
        max_overflow=56,
        pool_timeout=timeout,
    )

    @event.listens_for(engine, "connect")
    def settings(connection: Any, record: object) -> None:  # noqa: ANN401  (the driver's own connection)
        connection.isolation_level = None  # SQLAlchemy begins, not the driver
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("tercet_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _forget_connections_in_children(engine: Engine) -> None:
    """SQLite connections must not cross a fork: the child drops them without closing the parent's files."""
    if hasattr(os, "register_at_fork"):
        known = weakref.ref(engine)

        def drop() -> None:
            alive = known()
            if alive is not None:
                alive.dispose(close=False)

        os.register_at_fork(after_in_child=drop)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
