"""What a forget took out."""

from __future__ import annotations

from dataclasses import dataclass

from .note import Note

__all__ = ["Forgotten"]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What a forget took out, for the receipt.

    Attributes:
        notes: every version of the notes that were meant.
        derived: every version of what was made of them.
        change: number of the last change.
        removed: per table or form, how many items it gave up.
        files: files that no row names any more and that were to be deleted.
        problem: why one of them could not be; the next opening tries again.
    """

    notes: tuple[Note, ...]
    derived: tuple[Note, ...]
    change: int
    removed: dict[str, int]
    files: int
    problem: str
