"""Erasing in PostgreSQL: tables are written anew, the write-ahead log moves on, files are searched if they can be.

A DELETE leaves rows in pages and words of them in indexes; ``VACUUM FULL`` writes both anew, except for what a
transaction that is still open may have to see. The write-ahead log keeps what was written until its segments are
used again: a switch and a checkpoint let the server do so, where the role may ask for them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from .errors import StoreError
from .postgres import Postgres
from .scanning import absent, scan
from .scrubbed import Scrubbed

__all__ = ["scrub_server"]

_ROUNDS = 3  # segments that are kept for use again are overwritten only by what is written next
_LOG = "SELECT pg_switch_wal()"
_BEYOND = (
    "copies that PostgreSQL made elsewhere: base backups, archived write-ahead logs, replicas that lag; "
    "until they are deleted or have followed"
)


def scrub_server(database: Postgres, needles: Callable[[], Sequence[bytes]]) -> Scrubbed:
    """Removes what was deleted from the server's files as far as the role may, and looks for it where it can.

    Args:
        database: whose files they are.
        needles: gives what to look for; asked only where the files can be searched, for it reads every row.
    """
    steps: list[tuple[str, str, str]] = []
    left = [_BEYOND]
    wrong = _rewritten(database, steps) + _moved_on(database, steps) + _searched(database, needles, steps)
    return Scrubbed(tuple(steps), (*wrong, *left), not wrong, sought=())


def _rewritten(database: Postgres, steps: list[tuple[str, str, str]]) -> list[str]:
    try:
        kept = database.rewrite()
    except StoreError as error:
        steps.append(("database", "NOT written anew", str(error)))
        return [f"pages of the tables, which were not written anew: {error}; then `tercet doctor --erase`"]
    steps.append(("database", "written anew", f"VACUUM FULL of every table; {kept} deleted rows had to be kept"))
    if kept:
        return ["deleted rows that an open transaction may still see: end it, then `tercet doctor --erase`"]
    return []


def _moved_on(database: Postgres, steps: list[tuple[str, str, str]]) -> list[str]:
    try:
        with database.alone() as connection:
            for _ in range(_ROUNDS):
                connection.exec_driver_sql(_LOG)
                connection.exec_driver_sql("CHECKPOINT")
    except (DBAPIError, StoreError) as error:
        said = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())
        steps.append(("write-ahead log", "NOT moved on", said))
        return ["pg_wal, until its segments are used again: let a superuser run pg_switch_wal() and CHECKPOINT"]
    steps.append(("write-ahead log", "moved on", f"{_ROUNDS} times pg_switch_wal() and CHECKPOINT"))
    return []


def _searched(
    database: Postgres, needles: Callable[[], Sequence[bytes]], steps: list[tuple[str, str, str]]
) -> list[str]:
    with database.alone() as connection:
        folder, reason = _data_folder(connection)
        untouched = connection.exec_driver_sql("SELECT oid FROM pg_database WHERE datname = 'template0'").scalar_one()
    if folder is None:
        steps.append(("scan", "NOT done", reason))
        return [f"no look into the server's files was possible: {reason}"]
    try:
        # what every new database holds are the server's own words: finding them would prove nothing
        sought = absent(folder / "base" / str(untouched), needles())
        found = scan(folder, sought)
    except StoreError as error:
        steps.append(("scan", "NOT done", str(error)))
        return [str(error)]
    told = ", ".join(f"{len(held)} in {name}" for name, held in sorted(found.items()))
    proof = f"another process looked for {len(sought)} byte strings in every file of the server: {told or '0 found'}"
    steps.append(("scan", "STILL FOUND" if found else "nothing found", proof))
    return [f"{name} of the server, where bytes were still found" for name in sorted(found)]


def _data_folder(connection: Connection) -> tuple[Path | None, str]:
    """Returns the folder of the server's files if this process can read them, else why not."""
    try:
        folder = Path(str(connection.exec_driver_sql("SHOW data_directory").scalar_one()))
        server = connection.exec_driver_sql("SELECT system_identifier FROM pg_control_system()").scalar_one()
    except DBAPIError as error:
        return None, " ".join(str(error.orig).split())
    with suppress(OSError):
        # the first eight bytes of this file are the server's number, in the order of its machine
        if struct.unpack("=q", (folder / "global" / "pg_control").read_bytes()[:8])[0] == server:
            return folder, ""
    return None, f"{folder} is on another machine, or not readable by this process"
