"""What handles of this process keep of a store in memory: words and names, which must not outlive a forget there."""

from __future__ import annotations

import weakref
from functools import cache
from typing import Protocol

__all__ = ["Keeping", "drop", "watch"]


class Keeping(Protocol):
    """What makes something of a store's words, and keeps it until the store has changed."""

    @property
    def place(self) -> str:
        """What messages call the store."""
        ...

    def drop(self) -> None:
        """Keeps nothing any more; the next read makes it again."""
        ...


@cache
def _known() -> weakref.WeakValueDictionary[int, Keeping]:
    return weakref.WeakValueDictionary()


def watch(one: Keeping) -> None:
    """Has something that keeps words or names drop them whenever notes of its store are forgotten."""
    _known()[id(one)] = one


def drop(place: str) -> None:
    """Has all handles of this process on one store drop what they keep; other threads may open more meanwhile."""
    for ref in _known().valuerefs():  # a copy, made at once: a set would not let itself be gone through while it grows
        one = ref()
        if one is not None and one.place == place:
            one.drop()
