"""Copies that lie beside a store: exports, backups, other folders. A forget does not reach them, but can find them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .scanning import scan

__all__ = ["copies_beside"]

_LIKELY = frozenset((".jsonl", ".json", ".bak", ".old", ".copy", ".db", ".sqlite", ".sqlite3", ".txt", ".sql"))
_MOST = 32  # places
_LARGEST = 1 << 30  # bytes of each


def copies_beside(folder: Path, needles: Sequence[bytes]) -> tuple[dict[str, int], int]:
    """Has another process look for bytes in what lies in the same folder as a store and may be a copy of it.

    Those are files that end as exports and backups do, and folders with a store in them; nothing that is compressed or
    encrypted can be searched.

    Returns:
        (name -> how many of the needles it holds; how many places were looked at).

    Raises:
        StoreError: the scanning process failed.
    """
    if not needles:
        return {}, 0
    looked = [path for path in sorted(folder.parent.iterdir()) if path != folder and _may_be_copy(path)][:_MOST]
    counts = {path.name: sum(map(len, scan(path, needles).values())) for path in looked}
    return {name: count for name, count in counts.items() if count}, len(looked)


def _may_be_copy(path: Path) -> bool:
    if path.is_symlink():
        return False
    if path.is_dir():
        return (path / "memory.db").is_file() and (path / "memory.db").stat().st_size <= _LARGEST
    return path.is_file() and path.suffix.lower() in _LIKELY and path.stat().st_size <= _LARGEST
