"""Group commit: calls that wait at the same time are done together, so that one sync to disk serves them all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from .errors import StoreBusy

__all__ = ["Merging"]

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Call(Generic[Item, Result]):
    __slots__ = ("done", "error", "item", "result")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.done = False
        self.result: Result
        self.error: Exception | None = None


class Merging(Generic[Item, Result]):
    """Lets one of the waiting callers do the work of all of them.

    Args:
        together: does the work of several calls; returns, per call and in order, its result or its error. What it
            raises is everybody's error.
        most: most calls done together.
    """

    def __init__(self, together: Callable[[Sequence[Item]], Sequence[Result | Exception]], *, most: int = 128) -> None:
        self._together = together
        self._most = most
        self._waiting: list[_Call[Item, Result]] = []
        self._queue = threading.Lock()
        self._turn = threading.Lock()

    def run(self, item: Item) -> Result:
        """Returns the result of one call, done by this thread or by one that came before it."""
        mine: _Call[Item, Result] = _Call(item)
        with self._queue:
            self._waiting.append(mine)
        while not mine.done:
            with self._turn:
                if not mine.done:
                    with self._queue:
                        calls = self._waiting[: self._most]
                        del self._waiting[: self._most]
                    self._lead(calls)
        if mine.error is not None:
            raise mine.error
        return mine.result

    def _lead(self, calls: Sequence[_Call[Item, Result]]) -> None:
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
            for call in calls:
                call.done = True
