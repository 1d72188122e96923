"""What a forget returns: what was done, with its proof, and what it could not reach."""

from __future__ import annotations

from dataclasses import asdict, dataclass

__all__ = ["Receipt", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done.

    Attributes:
        store: where, for example ``"words"`` or ``"files"``.
        action: what was done there.
        proof: what shows it.
    """

    store: str
    action: str
    proof: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """The truth about a forget.

    Attributes:
        notes: ids of every version of the notes that were meant.
        derived: ids of every version of what was made of them, which went too: its words may hold theirs.
        scope: the scope it was done in.
        change: number of the last change; reads as of it and later do not know the notes.
        at: ISO 8601 UTC time.
        erased: true only if the bytes were removed and a scan by another process found none of them.
        steps: what was done, per store.
        uncovered: what the forget could not reach, and until when; empty if nothing is known of.
    """

    notes: tuple[str, ...]
    derived: tuple[str, ...]
    scope: str
    change: int
    at: str
    erased: bool
    steps: tuple[Step, ...]
    uncovered: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """Returns the receipt as plain JSON values."""
        return asdict(self)
