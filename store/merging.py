"""Group commit: calls that wait at the same time are done together, so that one sync to disk serves them all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from . import forks
from .errors import StoreBusy

__all__ = ["Merging"]

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Call(Generic[Item, Result]):
    __slots__ = ("done", "error", "item", "leads", "result", "woken")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.leads = False
        self.done = False
        self.woken = threading.Event()
        self.result: Result
        self.error: Exception | None = None


class Merging(Generic[Item, Result]):
    """Lets one of the waiting callers do the work of all of them, and then the next of those that came meanwhile.

    Who has been served is woken by itself: callers that had to ask for the turn to learn that they were done would
    stand in the way of those who want it, and groups would shrink to single calls.

    Args:
        together: does the work of several calls; returns, per call and in order, its result or its error. What it
            raises is everybody's error.
        most: most calls done together.
    """

    def __init__(self, together: Callable[[Sequence[Item]], Sequence[Result | Exception]], *, most: int = 128) -> None:
        self._together = together
        self._most = most
        self.begin_anew()
        forks.known().add(self)

    def begin_anew(self) -> None:
        """After a fork, in the child: those who waited are the parent's threads."""
        self._waiting: list[_Call[Item, Result]] = []
        self._queue = threading.Lock()
        self._led = False  # whether some caller has the turn

    def run(self, item: Item) -> Result:
        """Returns the result of one call, done by this thread or by one that came before it."""
        mine: _Call[Item, Result] = _Call(item)
        with self._queue:
            self._waiting.append(mine)
            if not self._led:
                self._hand_on()
        try:
            mine.woken.wait()
            if not mine.done:
                self._lead()
        except BaseException:  # an interrupt: the turn may have been promised to this call
            with self._queue:
                if mine in self._waiting:
                    self._waiting.remove(mine)
                if mine.leads and not mine.done:
                    self._hand_on()
            raise
        if mine.error is not None:
            raise mine.error
        return mine.result

    def _hand_on(self) -> None:
        """Gives the turn to the first who waits, if anybody does."""
        self._led = bool(self._waiting)
        if self._led:
            self._waiting[0].leads = True
            self._waiting[0].woken.set()

    def _lead(self) -> None:
        """Does what waits, the caller's own first; whatever happens, the turn goes on."""
        with self._queue:
            calls = self._waiting[: self._most]
            del self._waiting[: self._most]
        try:
            results = self._together([call.item for call in calls])
            for call, result in zip(calls, results, strict=True):
                if isinstance(result, Exception):
                    call.error = result
                else:
                    call.result = result
        except Exception as error:  # noqa: BLE001  (handed to every caller, who raises it)
            for call in calls:
                call.error = error
        except BaseException:  # an interrupt is this thread's alone; the others must not wait for ever
            for call in calls:
                call.error = StoreBusy(
                    "the write was merged with one that was interrupted; nothing was written, try again"
                )
            raise
        finally:
            with self._queue:
                self._hand_on()
            for call in calls:
                call.done = True
                call.woken.set()
