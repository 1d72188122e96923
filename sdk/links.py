"""The graph as a person sees it: which names and notes are linked."""

from __future__ import annotations

from ..store.graph import Link
from ..store.scope import checked_scope
from ..store.selection import Filter
from .memory import Memory

__all__ = ["links"]


def links(memory: Memory, *, scope: str | None = None) -> list[Link]:
    """Returns every edge of the graph that the current notes make: mentions, facts and aliases.

    Args:
        memory: the handle; only what it may see is in the graph.
        scope: a scope below the handle's own.

    Raises:
        InvalidScope: the scope is outside the handle's.
    """
    store = memory._store  # the two are one face; Memory has no room for what only pictures need
    chosen = Filter(checked_scope(memory.scope if scope is None else scope, below=memory.scope))
    with store.database.reading():
        return store.graph.links(store.notes.among(chosen))
