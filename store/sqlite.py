"""The SQLite file: its settings, its one writer at a time, its checkpoints.

Settings follow what was measured to lose nothing: WAL with ``synchronous=FULL``, ``BEGIN IMMEDIATE`` for
writers, ``secure_delete``, and one lock file around every write and every checkpoint, because SQLite before
3.51.3 can corrupt a file when two connections write and checkpoint at the same instant.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from .database import Database, Index, WordIndex
from .errors import InvalidInput, StoreBusy, StoreDamaged, StoreError
from .files import Files
from .form import Embedder
from .fulltext import FullText
from .shown import shown
from .synced import sync_folder
from .vectors import Vectors

__all__ = ["SQLite"]

_CHECKPOINT_BYTES = 8 << 20
_PRAGMAS = (
    "synchronous=full",
    "foreign_keys=on",
    "secure_delete=on",
    "wal_autocheckpoint=0",
    f"journal_size_limit={_CHECKPOINT_BYTES}",  # a log that was longer once must not mean a checkpoint at every write
)
_FILE = "memory.db"
_POLL_SECONDS = 0.005  # how often a waiting writer looks; a write takes about as long
_NO_TEXT = "Could not decode to UTF-8"  # the driver's words, which have no code
_making = threading.Lock()
_READER_PATIENCE = 1.0  # seconds that a checkpoint waits for readers, while it keeps other writers out


class SQLite(Database):
    """One SQLite file in a folder of its own, readable and writable by its owner only.

    Args:
        folder: made if new (mode 0700).
        timeout: seconds to wait for another process's write before `StoreBusy`.

    Raises:
        InvalidInput: the folder is a link, not a folder, or writable by everybody, or its file is a link.
    """

    def __init__(self, folder: Path, *, timeout: float = 20.0) -> None:
        self.folder = folder = folder.absolute()  # connections are opened later: the working folder may be another then
        _prepare(folder)
        self.file = folder / _FILE
        self._timeout = timeout
        self.place = str(folder)
        self._make_locks()
        self._engine = _engine(self.file, timeout, self.exclusive)
        self._writing_engine = self._engine.execution_options(tercet_writes=True)
        super().__init__()

    def _make_locks(self) -> None:
        self._thread_lock = threading.RLock()
        self._file_lock = FileLock(self.folder / "writer.lock", mode=0o600)

    def _begin_anew(self) -> None:
        self._engine.dispose(close=False)
        self._make_locks()

    def full_text(self, index: Index) -> WordIndex:
        """Returns FTS5's index of words."""
        return FullText(self, index)

    def vectors(self, embedder: Embedder) -> Vectors:
        """Returns the form of vectors, searched by faiss."""
        return Vectors(self, embedder)

    def record_files(self) -> Files:
        """Returns the folder of explicit memories."""
        return Files(self.folder / "records")

    @contextmanager
    def _reader(self) -> Iterator[Connection]:
        # begun here: SQLAlchemy would begin with its own first statement, and what went to the driver before that
        # would have another view
        with self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _writer(self) -> Iterator[Connection]:
        with self.exclusive():
            with self._writing_engine.begin() as connection:
                yield connection
            if _size(self.folder / f"{_FILE}-wal") > _CHECKPOINT_BYTES:
                # truncating: a log that is only rewound keeps its size, and would be checkpointed at every write
                with suppress(StoreError):  # what was written is safe in the log, and the next write tries again
                    self.checkpoint(patience=0)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Holds the writer's lock against other threads and processes."""
        if not self._thread_lock.acquire(timeout=self._timeout):
            raise StoreBusy(f"another thread has been writing for over {self._timeout:g} s; try again")
        try:
            try:
                self._file_lock.acquire(timeout=self._timeout, poll_interval=_POLL_SECONDS)
            except Timeout:
                raise StoreBusy(
                    f"another process has been writing to {self.folder} for over {self._timeout:g} s; try again"
                ) from None
            except OSError as error:
                raise StoreError(f"{self._file_lock.lock_file}: {error.strerror}; nothing was changed") from error
            try:
                yield
            finally:
                self._file_lock.release()
        finally:
            self._thread_lock.release()

    def checkpoint(self, *, patience: float = _READER_PATIENCE) -> tuple[int, int, int]:
        """Moves the write-ahead log into the file and empties it.

        Args:
            patience: seconds to wait for readers that still need the log.

        Returns:
            SQLite's own answer: (busy, pages in the log, pages moved). ``busy`` is 1 while a reader keeps
            the log from being emptied; then nothing was erased from it.
        """
        with self._telling(), self.exclusive():
            raw = self._engine.raw_connection()
            try:
                cursor = raw.cursor()
                cursor.execute(f"PRAGMA busy_timeout={patience * 1000:.0f}")
                row: tuple[int, int, int] = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                cursor.execute(f"PRAGMA busy_timeout={self._timeout * 1000:.0f}")
            finally:
                raw.close()
        return row

    def rewrite(self) -> None:
        """Writes every page anew, with nothing in it but what is still there.

        ``secure_delete`` overwrites deleted rows, but not the copies that SQLite leaves in the free part of a page
        when it moves rows between pages.

        Raises:
            StoreError: there is no room for a second copy of the file.
        """
        with self._telling(), self.exclusive():
            raw = self._engine.raw_connection()
            try:
                raw.cursor().execute("VACUUM")
            finally:
                raw.close()

    def size(self) -> int:
        """Returns the bytes of every file in the folder."""
        return sum(_size(path) for path in self.folder.rglob("*") if path.is_file())

    def close(self) -> None:
        """Closes every connection; SQLite moves the log into the file when nobody else has it open."""
        self._engine.dispose()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Turns what SQLite says of its file, not of a statement, into an error that says what to do."""
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            exact = getattr(cause, "sqlite_errorcode", 0)
            code = exact & 0xFF  # the extended code holds the plain one in its lowest byte
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise StoreBusy(f"another program keeps {self.file} locked; try again") from error
            if exact == sqlite3.SQLITE_IOERR_FSYNC:
                raise StoreError(
                    f"{self.file}: {cause}; the disk did not confirm the write: see whether it is there, then try again"
                ) from error
            if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT) or str(cause).startswith(_NO_TEXT):
                # full text says so as well when the disk did not let it read
                raise self._damaged(cause) from error
            if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
                raise StoreError(f"{self.file}: {cause}; nothing was changed") from error
            raise
        except UnicodeDecodeError as error:
            if _of_the_driver(error):  # SQLite's own message quotes what it found in the file
                raise self._damaged(error) from error
            raise

    def _damaged(self, cause: object) -> StoreDamaged:
        return StoreDamaged(
            f"{self.file}: {cause}; try again, and if it stays so, run tercet rebuild, "
            "or restore the folder from a backup or an export"
        )


def _of_the_driver(error: BaseException) -> bool:
    """Whether a statement raised it, and not what else runs inside a read, such as a reranker of the caller's."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    name = str(last.tb_frame.f_globals.get("__name__", "")) if last else ""
    return name.startswith(("sqlalchemy.", f"{__package__}."))


def _prepare(folder: Path) -> None:
    try:
        _refuse_unsafe(folder)
        for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
            missing.mkdir(mode=0o700 if missing == folder else 0o777, exist_ok=True)
            sync_folder(missing.parent)  # or a power cut may take the folder away, with all that was synced in it
        _make(folder / _FILE)
    except InvalidInput:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL or a lone surrogate in the name
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidInput(f"{shown(str(folder))} cannot be the folder of a memory: {reason}") from error


def _make(file: Path) -> None:
    """Makes a file if it is not there, so that SQLite gives its log and its index the same mode.

    One that is there is not opened: closing it would drop the locks of every connection that this process has to it,
    and another process would then take the log away from under them, with what they write.
    """
    with _making:
        if not file.exists():
            with suppress(FileExistsError):  # another process was quicker
                os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    wrong = errno.EISDIR if file.is_dir() else 0 if os.access(file, os.R_OK | os.W_OK) else errno.EACCES
    if wrong:
        raise OSError(wrong, os.strerror(wrong))


def _refuse_unsafe(folder: Path) -> None:
    if folder.is_symlink():
        raise InvalidInput(f"{folder} is a link; give the folder it points to")
    if folder.exists() and not folder.is_dir():
        raise InvalidInput(f"{folder} is a file; a memory is a folder")
    if os.name == "posix" and folder.exists() and folder.stat().st_mode & stat.S_IWOTH:
        raise InvalidInput(f"{folder} is writable by everybody; mend it with: chmod 700 {folder}")
    if (folder / _FILE).is_symlink():
        raise InvalidInput(f"{folder / _FILE} is a link; put the file itself there")


def _engine(file: Path, timeout: float, exclusive: Callable[[], AbstractContextManager[None]]) -> Engine:
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
        if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            with exclusive():  # a new file: turning the log on needs it alone, and SQLite does not wait for that
                connection.execute("PRAGMA journal_mode=wal")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("tercet_writes")
        # to the driver itself: each read begins so, and SQLAlchemy makes a result of it, which costs more than a query
        connection.connection.cursor().execute("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
