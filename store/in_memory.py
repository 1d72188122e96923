"""What handles of this process keep of a store in memory: words and names, which must not outlive a forget there."""

from __future__ import annotations

import weakref
from functools import cache
from typing import Protocol

__all__ = ["Keeping", "drop", "known"]


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
def known() -> weakref.WeakSet[Keeping]:
    """Returns the set to which everything belongs that keeps words or names."""
    return weakref.WeakSet()


def drop(place: str) -> None:
    """Has all handles of this process on one store drop what they keep."""
    for one in list(known()):
        if one.place == place:
            one.drop()
