"""What must not cross a fork: connections, locks that another thread may hold, and what it was changing under them."""

from __future__ import annotations

import os
import weakref
from functools import cache
from typing import Protocol

__all__ = ["Forked", "known"]


class Forked(Protocol):
    """What a child process makes anew before it uses it."""

    def begin_anew(self) -> None:
        """Called in the child, which has one thread; nobody there waits for a lock or holds one."""
        ...


@cache
def known() -> weakref.WeakSet[Forked]:
    """Returns the set to which everything belongs that is to begin anew in a child."""
    every: weakref.WeakSet[Forked] = weakref.WeakSet()

    def begin_anew() -> None:
        for one in list(every):
            one.begin_anew()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=begin_anew)
    return every
