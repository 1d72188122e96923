"""What the functions behind `Memory` need of it."""

from __future__ import annotations

from typing import Protocol

from ..store.store import Store
from .arguments import Moment
from .recall import Recall

__all__ = ["Handle", "Reader"]


class Handle(Protocol):
    """One scope of a store; the store is `Memory`'s own, and not for its users."""

    scope: str
    _store: Store


class Reader(Handle, Protocol):
    """A handle that reads, as `Memory.read` says."""

    def read(
        self,
        question: str,
        *,
        k: int = 5,
        as_of: Moment | None = None,
        known_at: Moment | int | None = None,
        scope: str | None = None,
    ) -> Recall:
        """Recalls what fits a question."""
        ...
