"""Where notes stand in their dialogues, in memory: a read asks that of hundreds of notes, and mostly of the same."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection

from . import forks, in_memory
from .database import Database
from .progress import State, state, touched
from .statements import rows_in

__all__ = ["Standing", "Turn"]

_SHORT_QUESTION = 20  # words
_MOST = 100_000  # notes that are kept
_WHERE = "SELECT num, previous, thread, happened, speaker, text FROM note WHERE num IN (?) AND thread <> ''"


class Turn(NamedTuple):
    """Where a note stands in its dialogue; a tuple, for a read makes hundreds.

    Attributes:
        before: number of the turn before it, or None.
        session: turns of one thread with the same date and time were said together.
        speaker: who spoke.
        asks: whether it is a short question and little else.
        words: how many it has.
    """

    before: int | None
    session: tuple[str, str]
    speaker: str
    asks: bool
    words: int


@dataclass(slots=True)
class _Kept:
    """What is known of notes as of a state of the store: None of those that stand in no thread."""

    state: State
    turns: dict[int, Turn | None] = field(default_factory=dict)


class Standing:
    """Says of notes where they stand.

    Args:
        database: where the notes are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.place = database.place
        self.begin_anew()
        forks.known().add(self)
        in_memory.watch(self)

    def begin_anew(self) -> None:
        """Keeps nothing; after a fork, in the child."""
        self.drop()

    def drop(self) -> None:
        """Keeps nothing, nor what another thread is still looking up."""
        self._shelf: list[_Kept] = []

    def of(self, nums: Collection[int]) -> dict[int, Turn]:
        """Returns where notes stand in their dialogues, by ascending number; those without a thread are left out."""
        with self._database.reading() as connection:
            known = self._known(connection)
            missing = [num for num in nums if num not in known]
            if missing:
                found = _read(connection, sorted(missing))
                known.update((num, found.get(num)) for num in missing)
        return {num: turn for num in sorted(nums) if (turn := known[num]) is not None}

    def _known(self, connection: Connection) -> dict[int, Turn | None]:
        """Returns what is kept and still so, to be added to; of an older view, and inside a write, nothing.

        Of a note only the turn before it ever changes, and only where others of its thread do.
        """
        shelf, now = self._shelf, state(connection)
        kept = shelf[0] if shelf else None
        if now is None or (kept and now.seq < kept.state.seq):
            return {}
        if kept is None or len(kept.turns) > _MOST:
            kept = _Kept(now)
        elif kept.state != now:
            done = touched(connection, kept.state, now)
            same = done is not None and not any(thread for _, thread in done)
            kept = _Kept(now, kept.turns if same else {})
        shelf[:] = [kept]
        return kept.turns


def _read(connection: Connection, nums: list[int]) -> dict[int, Turn]:
    found: dict[int, Turn] = {}
    for num, before, thread, happened, speaker, words in rows_in(connection, _WHERE, nums):
        length = len(words.split())
        asks = length <= _SHORT_QUESTION and words.rstrip().endswith("?")
        found[num] = Turn(before, (thread, happened), speaker, asks, length)
    return found
