"""What `tercet doctor --fix` mends in the files of a store before it is opened; it never touches a note."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from .checks import Finding

__all__ = ["mend_permissions"]


def mend_permissions(folder: Path) -> Iterator[Finding]:
    """Makes a folder and what is in it its owner's only; yields what was done.

    Links are left alone: what they point to may be somebody else's.
    """
    if os.name != "posix" or folder.is_symlink() or not folder.is_dir():
        return
    mended = 0
    for path in (folder, *sorted(folder.rglob("*"))):
        if path.is_symlink():
            continue
        mode = path.stat().st_mode & 0o777
        if mode & 0o077:
            path.chmod(mode & 0o700)
            mended += 1
    if mended:
        yield Finding("fix", "ok", f"{mended:,} files and folders are their owner's only now")
