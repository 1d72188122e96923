"""What an erasing did and saw, in words for the receipt."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Scrubbed"]


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """What was done to a store's files, and seen in them.

    Attributes:
        steps: where, what was done, and what shows it.
        left: what could not be reached or proved.
        clean: whether everything was done, and a search of the files found nothing.
        sought: what was looked for in a store's own folder: bytes of what was erased that nothing else in the store
            holds. Copies that lie beside it are searched for the same.
    """

    steps: tuple[tuple[str, str, str], ...]
    left: tuple[str, ...]
    clean: bool
    sought: tuple[bytes, ...]
