"""Explicit memories as rows: in PostgreSQL every host shares them, and they go with the rows that name them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .statements import rows, run_many

if TYPE_CHECKING:
    from .database import Database

__all__ = ["Blobs"]


class Blobs:
    """Rows of bytes, in the place of files; no file is ever written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, contents: Iterable[bytes]) -> list[str]:
        """Inserts one row each, in the caller's transaction; returns their names."""
        named = {secrets.token_hex(16): data for data in contents}
        with self._database.reading() as connection:
            run_many(connection, "INSERT INTO blob (file, data) VALUES (?, ?)", list(named.items()))
        return list(named)

    def read(self, name: str) -> bytes | None:
        """Returns what a row holds, None where it is gone."""
        with self._database.reading() as connection:
            found = rows(connection, "SELECT data FROM blob WHERE file = ?", name)
        return bytes(found[0][0]) if found else None

    def every(self) -> list[Path]:
        """Returns no file."""
        return []

    def paths(self, names: Iterable[str]) -> list[Path]:
        """Returns no file: rows need not be deleted by themselves."""
        return []

    def delete(self, files: Sequence[Path]) -> str:
        """Deletes no file; nothing goes wrong."""
        return ""
