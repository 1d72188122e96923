"""Tokens in, pieces of text out: what is between a generating thread and the one that reads it."""

from __future__ import annotations

import queue
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from ..store.errors import EngineError, TercetError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["TextSink", "one_turn"]

_UNFINISHED = "\ufffd"  # what a tokenizer makes of half a character


class TextSink:
    """Takes tokens as transformers' ``generate(streamer=...)`` gives them, and is iterated for their text.

    Attributes:
        closed: set when nobody reads any more; the next token then ends the generation.
    """

    def __init__(self, decode: Callable[[list[int]], str]) -> None:
        self.closed = False
        self._decode = decode
        self._queue: queue.SimpleQueue[str | Exception | None] = queue.SimpleQueue()
        self._tokens: list[int] = []
        self._shown = 0  # tokens whose text was handed on
        self._before = 0  # where the tokens begin that are decoded with new ones, as a tokenizer looks back
        self._prompt = True

    def put(self, value: Tensor) -> None:
        """Takes new tokens; the first time, the prompt."""
        if self.closed:
            raise _ClosedError
        if self._prompt:
            self._prompt = False
            return
        self._tokens += value.reshape(-1).tolist()
        self._hand_on(whole=False)

    def end(self) -> None:
        """Takes note that the generation is over."""
        self._hand_on(whole=True)
        self._queue.put(None)

    def fail(self, error: Exception) -> None:
        """Takes note that the generation failed; the reader is told, unless it has left."""
        self._queue.put(None if isinstance(error, _ClosedError) else error)

    def told(self, text: str) -> list[int]:
        """Returns the first tokens: as few as it takes to say ``text``, spaces before it aside."""
        sizes = range(len(self._tokens))
        said = bisect_left(sizes, True, key=lambda size: self._decode(self._tokens[:size]).lstrip().startswith(text))
        return self._tokens[:said]

    def __iter__(self) -> Iterator[str]:
        while (piece := self._queue.get()) is not None:
            if isinstance(piece, TercetError):
                raise piece
            if isinstance(piece, Exception):
                raise EngineError(f"the model failed with {type(piece).__name__}: {piece}") from piece
            yield piece

    def _hand_on(self, *, whole: bool) -> None:
        known = self._decode(self._tokens[self._before : self._shown])
        text = self._decode(self._tokens[self._before :])
        if len(text) > len(known) and (whole or not text.endswith(_UNFINISHED)):
            self._queue.put(text[len(known) :])
            self._before, self._shown = self._shown, len(self._tokens)


class _ClosedError(Exception):
    """Nobody reads the answer any more."""


def one_turn(pieces: Iterable[str], *, end: str) -> Iterator[str]:
    """Yields pieces without the space before the first word, and only up to ``end``, if that is not empty."""
    held, begun = "", False
    for piece in pieces:
        before, found, _ = (held + piece).partition(end) if end else (held + piece, "", "")
        keep = 0 if found else _overlap(before, end)
        ready, held = before[: len(before) - keep], before[len(before) - keep :]
        if not begun:
            ready = ready.lstrip()
        if ready:
            begun = True
            yield ready
        if found:
            return
    if held:
        yield held


def _overlap(text: str, end: str) -> int:
    """Returns how many characters at the end of ``text`` may be the beginning of ``end``."""
    return next((size for size in range(len(end) - 1, 0, -1) if text.endswith(end[:size])), 0)
