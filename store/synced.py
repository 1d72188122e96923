"""Syncing a folder: the names in it outlive a power cut only when the folder itself was synced."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["sync_folder"]


def sync_folder(folder: Path) -> None:
    """Returns when the names in a folder, new ones and those that are gone, will outlive a power cut.

    Where folders cannot be opened (Windows), the file system itself sees to it.
    """
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
