"""Files of explicit memories: each is written once, synced before the row that names it commits, and never changed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from .errors import StoreError
from .synced import sync_folder

__all__ = ["Files"]


class Files:
    """The files in one folder, which is made with the first of them.

    Args:
        folder: readable and writable by its owner only.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, contents: Iterable[bytes]) -> list[str]:
        """Writes and syncs one file each, all or none; returns their names.

        Raises:
            StoreError: the disk is full, or the folder cannot be written.
        """
        written: list[Path] = []
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            if not any(self._folder.iterdir()):
                sync_folder(self._folder.parent)  # its name is new
            for data in contents:
                written.append(self._folder / f"{secrets.token_hex(16)}.safetensors")
                _write_synced(written[-1], data)
            sync_folder(self._folder)
        except OSError as error:
            # Only here, where no row was written yet: a commit that fails may still be found whole after a power cut.
            for path in written:
                with suppress(OSError):  # the room is needed, but `KeysValues.collect` takes what is left
                    path.unlink(missing_ok=True)
            raise StoreError(f"{self._folder}: {error.strerror}; no explicit memory was kept") from error
        return [path.name for path in written]

    def read(self, name: str) -> bytes | None:
        """Returns what a file holds; None for whatever keeps it from being read, since the words are there."""
        try:
            with open(os.path.join(self._folder, name), "rb", buffering=0) as file:
                return file.readall()
        except OSError:
            return None

    def every(self) -> list[Path]:
        """Returns the files that are there."""
        return sorted(self._folder.iterdir()) if self._folder.exists() else []

    def paths(self, names: Iterable[str]) -> list[Path]:
        """Returns where files of these names are."""
        return [self._folder / name for name in names]

    def delete(self, files: Sequence[Path]) -> str:
        """Deletes files, so that a power cut does not bring them back; returns what went wrong, if anything did."""
        wrong = []
        for path in files:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                wrong.append(f"{path} could not be deleted: {error.strerror}")
        try:
            if files:
                sync_folder(self._folder)
        except OSError as error:
            wrong.append(f"{self._folder} could not be synced: {error.strerror}")
        return "; ".join(wrong)


def _write_synced(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]  # a full disk may take a part only
        os.fsync(handle)
    finally:
        os.close(handle)
