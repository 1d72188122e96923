"""The turns after a note: full text indexes their words together with its own, so they are indexed anew with it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from .note import Note
from .notes import Notes
from .words import Words

__all__ = ["Turns"]


class Turns:
    """Keeps the words of turns in step with the turn before them, in the caller's transaction."""

    def __init__(self, notes: Notes, words: Words) -> None:
        self._notes = notes
        self._words = words

    @contextmanager
    def after(self, nums: Collection[int], *, but: Collection[int] = ()) -> Iterator[list[Note]]:
        """Yields the turns after some notes, except some; what changes before them inside is indexed at the end."""
        found = self._notes.followers(nums, but=but)
        with self.indexed(found):
            yield found

    @contextmanager
    def indexed(self, turns: Sequence[Note]) -> Iterator[None]:
        """Takes turns out of the full text while the turn before them changes, and puts them in again."""
        self._words.remove([turn.id for turn in turns])
        yield
        if turns:
            self._words.add(list(self._notes.by_num([turn.num for turn in turns]).values()))
