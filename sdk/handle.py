"""What a function behind `Memory` needs of it."""

from __future__ import annotations

from typing import Protocol

from ..store.store import Store
from .arguments import Moment
from .recall import Recall

__all__ = ["Handle"]


class Handle(Protocol):
    """One scope of a store that can be read; the store is `Memory`'s own, and not for its users."""

    scope: str
    _store: Store

    def read(
        self,
        question: str,
        *,
        k: int = 5,
        as_of: Moment | None = None,
        known_at: Moment | int | None = None,
        scope: str | None = None,
    ) -> Recall:
        """Recalls what fits a question, as `Memory.read` says."""
        ...
