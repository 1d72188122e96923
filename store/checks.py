"""What `tercet doctor` looks at in a store: its files, the database, the forms, and what this machine brings."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DatabaseError

from .agreement import notes_with_other_mentions, notes_with_other_triplets, notes_without_vector
from .errors import TercetError
from .migrations import VERSION, version_of
from .schema import change, embedding, form, meta, record
from .scrub import Needles, scrub_file
from .sqlite import SQLite
from .vectors import faiss_device

__all__ = ["Finding", "check_machine", "check_store", "empty_log", "filesystem_of", "wal_is_safe"]

_NETWORK = re.compile(
    r"nfs\d?|cifs|smb\w*|9p|afs|ceph|glusterfs|lustre|gpfs|beegfs|davfs|ncpfs"
    r"|fuse\.(sshfs|s3fs|rclone|glusterfs\w*|ceph\w*)"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: what.
        level: ``"ok"``, ``"warn"`` (works, but know this) or ``"fail"`` (do something).
        detail: what was found, and the mend where there is one.
    """

    check: str
    level: Literal["ok", "warn", "fail"]
    detail: str


def check_machine() -> list[Finding]:
    """Returns what SQLite and faiss of this machine can do."""
    version = sqlite3.sqlite_version
    if wal_is_safe(sqlite3.sqlite_version_info):
        sqlite = Finding("sqlite", "ok", version)
    else:
        sqlite = Finding(
            "sqlite",
            "warn",
            f"{version} can damage a file when two connections write and checkpoint at the same instant (mended in "
            "3.51.3, 3.50.7 and 3.44.6); Tercet locks around both, so let no other program write to memory.db",
        )
    return [sqlite, Finding("faiss", "ok", faiss_device())]


def check_store(folder: Path) -> list[Finding]:
    """Returns what is found about a store; nothing in it is changed, and a damaged store raises nothing.

    Args:
        folder: the memory's folder; it must exist.
    """
    found = [_permissions(folder), _filesystem(folder)]
    if any(one.level == "fail" for one in found):
        return found
    try:
        database = SQLite(folder)
    except TercetError as error:
        return [*found, Finding("database", "fail", str(error))]
    try:
        # a writer's transaction: full text can only be checked by one, and nothing may change meanwhile
        with database.writing() as connection:
            found += _database(connection, folder)
    except TercetError as error:
        found.append(Finding("database", "fail", str(error)))
    except DatabaseError as error:
        found.append(Finding("database", "fail", f"{error.orig}; restore the folder from a backup or an export"))
    finally:
        database.close()
    return found


def empty_log(folder: Path) -> Finding:
    """Merges the full text and empties the write-ahead log, so that bytes of forgotten notes leave the files."""
    database = SQLite(folder)
    try:
        done = scrub_file(database, Needles((), (), ()))
    finally:
        database.close()
    if done.left:
        return Finding("erase", "fail", f"not reached: {'; '.join(done.left)}")
    return Finding("erase", "ok", ", ".join(f"{store} {action}" for store, action, _ in done.steps))


def wal_is_safe(version: tuple[int, ...]) -> bool:
    """Returns whether a version of SQLite is without the WAL-reset bug: in 3.7.0 to 3.51.2, mended in two branches."""
    return version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)


def filesystem_of(path: Path, mounts: str) -> str:
    """Returns the type of the file system that a path lies on; empty if unknown.

    Args:
        path: absolute.
        mounts: in the form of Linux' ``/proc/mounts``.
    """
    best, kind = -1, ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields[1]))
        if path.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), fields[2]
    return kind


def _permissions(folder: Path) -> Finding:
    if folder.is_symlink() or not folder.is_dir():
        return Finding("files", "fail", f"{folder} is no folder of its own; a memory is one, and no link")
    if os.name != "posix":
        return Finding("files", "ok", f"{folder}")
    if folder.stat().st_mode & stat.S_IWOTH:
        return Finding("files", "fail", f"everybody may write to {folder}; mend it with: chmod 700 {folder}")
    if folder.stat().st_mode & 0o077:  # inside a folder that only its owner may enter, no mode of a file lets others in
        return Finding(
            "files", "warn", f"others on this machine may look into {folder}; mend it with: chmod -R go= {folder}"
        )
    return Finding("files", "ok", f"{folder}, for its owner only")


def _filesystem(folder: Path) -> Finding:
    mounts = Path("/proc/mounts")
    kind = filesystem_of(folder.resolve(), mounts.read_text(errors="replace")) if mounts.exists() else ""
    if _NETWORK.fullmatch(kind):
        return Finding(
            "file system",
            "warn",
            f"{kind}: SQLite's log needs shared memory and locks that network file systems break; use a local disk",
        )
    return Finding("file system", "ok", kind or "not known on this system")


def _database(connection: Connection, folder: Path) -> Iterator[Finding]:
    answer = connection.exec_driver_sql("PRAGMA quick_check(5)").scalars().all()
    if list(answer) != ["ok"]:
        yield Finding("database", "fail", f"damaged: {'; '.join(answer)[:300]}; restore a backup or an export")
        return
    version = version_of(connection)
    if version > VERSION:
        yield Finding("database", "fail", f"of version {version}; this Tercet knows up to {VERSION}")
        return
    if version < VERSION:
        yield Finding("database", "warn", f"of version {version}; it becomes {VERSION} when next opened")
        return
    orphans = len(connection.exec_driver_sql("PRAGMA foreign_key_check").all())
    if orphans:
        yield Finding("database", "fail", f"{orphans} rows belong to no note; rebuild the forms: tercet rebuild")
    else:
        size = (folder / "memory.db").stat().st_size
        yield Finding("database", "ok", f"whole, version {version}, {size / 1e6:,.1f} MB")
    yield from _forms(connection, folder)


def _forms(connection: Connection, folder: Path) -> Iterator[Finding]:
    notes = _count(connection, "note")
    last = connection.scalar(select(func.max(change.c.seq))) or 0
    seen = dict(connection.execute(select(form.c.name, form.c.applied)).all())
    yield Finding("notes", "ok", f"{notes:,}, {last:,} changes")
    for name, index, items in (("words", "words", notes), ("triplets", "fact_words", _count(connection, "triplet"))):
        indexed = _count(connection, f"{index}_docsize")
        mend = f"make it anew: tercet rebuild --form {name}"
        if not _fits(connection, index):
            yield Finding(name, "fail", f"the full text does not fit what it is made of; {mend}")
        elif indexed != items:
            yield Finding(name, "fail", f"{indexed:,} of {items:,} are in the full text; {mend}")
        elif name == "triplets" and (wrong := notes_with_other_triplets(connection)):
            yield Finding(name, "fail", f"those of {wrong:,} notes are not what the notes state; {mend}")
        else:
            yield _followed(name, seen, last, f"{items:,} in the full text, which fits them")
    if wrong := notes_with_other_mentions(connection):
        mend = "make it anew: tercet rebuild --form graph"
        yield Finding("graph", "fail", f"{wrong:,} notes do not mention what their facts are about; {mend}")
    else:
        yield _followed("graph", seen, last, f"{_count(connection, 'mention'):,} mentions of names")
    yield _vectors(connection, notes, seen, last)
    yield _records(connection, folder)


def _vectors(connection: Connection, notes: int, seen: dict[str, int], last: int) -> Finding:
    made_by = connection.scalar(select(meta.c.value).where(meta.c.key == "embedder"))
    if made_by is None:
        return Finding("vectors", "ok", "none; this memory has never been opened with an embedder")
    if seen.get("vectors", 0) < last:
        return Finding(
            "vectors", "warn", f"up to change {seen.get('vectors', 0):,} of {last:,}; the rest follow when next opened"
        )
    dimensions = made_by.rpartition("/")[2]
    stored = _count(connection, "embedding")
    odd = connection.scalar(
        select(func.count()).select_from(embedding).where(func.length(embedding.c.vector) != 2 * int(dimensions))
    )
    missing = notes_without_vector(connection)
    if stored != notes or missing or odd:
        mend = "make them anew: tercet rebuild --form vectors"
        return Finding("vectors", "fail", f"{stored - (odd or 0):,} good ones for {notes:,} notes; {mend}")
    return Finding("vectors", "ok", f"{stored:,} by {made_by}")


def _records(connection: Connection, folder: Path) -> Finding:
    rows = connection.execute(select(record.c.file, record.c.bytes).where(record.c.bytes > 0)).all()
    bad = sum(1 for file, size in rows if not _has_size(folder / "records" / file, size))
    if bad:
        return Finding("keys-values", "warn", f"{bad:,} of {len(rows):,} files are missing or cut; they are made again")
    return Finding("keys-values", "ok", f"{len(rows):,} explicit memories")


def _followed(name: str, seen: dict[str, int], last: int, detail: str) -> Finding:
    if seen.get(name, 0) < last:
        mend = f"tercet rebuild --form {name}"
        return Finding(name, "fail", f"it has followed up to change {seen.get(name, 0):,} of {last:,}; {mend}")
    return Finding(name, "ok", detail)


def _fits(connection: Connection, index: str) -> bool:
    """Whether full text fits its content, by FTS5's own check; rank 1 asks it to compare with the content."""
    try:
        connection.execute(text(f"INSERT INTO {index}({index}, rank) VALUES('integrity-check', 1)"))
    except DatabaseError:
        return False
    return True


def _count(connection: Connection, table: str) -> int:
    return connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() or 0


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size
