"""Keeping what a model read in notes, in a short transaction of its own, and making triplets and links of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from .extracted import Extracted, keep_extracted, keep_tried
from .store import Store

__all__ = ["keep_readings"]


def keep_readings(
    store: Store, model: str, found: Mapping[int, Sequence[Extracted]], *, tried: Collection[int] = ()
) -> int:
    """Keeps what a model found, and makes triplets and links of those notes anew.

    Args:
        store: where the notes are.
        model: its name.
        found: number of a note -> what was found in it; notes that were forgotten or put in quarantine
            meanwhile are left out.
        tried: numbers of notes of which it said nothing usable.

    Returns:
        How many facts were kept.
    """
    with store.changing():
        items = [item for item in store.notes.by_num(found).values() if item.held is None]
        kept = {item.num: found[item.num] for item in items}
        ids = [item.id for item in items]
        with store.database.reading() as connection:
            keep_tried(connection, model, sorted(store.notes.by_num(tried)))
            if kept:
                keep_extracted(connection, model, kept)
        for form in (store.graph, store.triplets):
            form.remove(ids)
        for form in (store.triplets, store.graph):
            form.add(items)
    return sum(map(len, kept.values()))
