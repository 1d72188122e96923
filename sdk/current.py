"""What is still there of notes that were read a while ago, for whoever shows them to a model only now."""

from __future__ import annotations

from collections.abc import Sequence

from ..store.note import Note
from ..store.store import Store

__all__ = ["still_current"]


def still_current(store: Store, notes: Sequence[Note]) -> list[Note]:
    """Returns the notes that were not forgotten, replaced, undone or put in quarantine since, in the same order."""
    with store.database.reading():
        now = store.notes.by_num([item.num for item in notes])
    found = [now[item.num] for item in notes if item.num in now]
    return [item for item in found if item.retired is None and item.held is None]
