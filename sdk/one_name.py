"""Names that a person says are one: stated, taken back, listed; nothing else ever merges names."""

from __future__ import annotations

from ..store.aliases import SameName
from ..store.draft import checked_field
from .handle import Handle

__all__ = ["apart", "one_name", "same"]


def same(memory: Handle, name: str, other: str) -> SameName:
    """Says that two names are one; facts, links and patterns then take them for one, shown as ``name``.

    The notes stay as they are, and `apart` takes it back. It holds for this handle's scope. Forgetting the last
    note that mentions one of the names forgets the statement as well.

    Args:
        memory: the handle.
        name: the one to show.
        other: another name of the same.

    Raises:
        InvalidInput: a name without letters and digits, or one name given twice.
    """
    names = checked_field(name, "name"), checked_field(other, "other")
    store = memory._store  # the two are one face
    with store.database.writing():
        return store.aliases.same(*names, scope=memory.scope, seq=store.notes.changes.last())


def apart(memory: Handle, name: str, other: str) -> None:
    """Takes back that two names are one.

    Args:
        memory: the handle; what was said in another scope, also below, is taken back there.
        name: one of them, in any writing.
        other: the other one.

    Raises:
        InvalidInput: nobody said so; the message names what was said of them.
    """
    names = checked_field(name, "name"), checked_field(other, "other")
    with memory._store.database.writing():
        memory._store.aliases.apart(*names, scope=memory.scope)


def one_name(memory: Handle) -> list[SameName]:
    """Returns what was said of names in this scope and below, in the order it was said."""
    with memory._store.database.reading():
        return memory._store.aliases.said(memory.scope)
