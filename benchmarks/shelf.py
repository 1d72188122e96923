"""A store on disk that explicit memories are loaded from, so that a benchmark can time that too."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from tercet import Memory
from tercet.store.form import Record

__all__ = ["Shelf"]


@dataclass(frozen=True, slots=True)
class _Encoded:
    """Gives the store records that were made already."""

    fingerprint: str
    records: Sequence[Record]

    def encode(self, texts: Sequence[str]) -> Sequence[Record]:
        """Returns them."""
        return self.records[: len(texts)]


class Shelf:
    """Keeps records in files of a store of its own.

    Args:
        most: records that are kept of one kind.
    """

    def __init__(self, most: int) -> None:
        self._open = ExitStack()
        home = self._open.enter_context(tempfile.TemporaryDirectory())
        self._memory = self._open.enter_context(Memory(home, scope="bench", embedder=None, extractor=None))
        self._notes = self._memory.write_many([f"memory {number}" for number in range(most)])

    def close(self) -> None:
        """Deletes them."""
        self._open.close()

    def put_away(self) -> None:
        """Drops the copies in RAM, so that what is loaded next comes from files."""
        near = self._memory._store.near
        budget = near.budget
        near.limit(0)
        near.limit(budget)

    def keep(self, kind: str, records: Sequence[Record], *, count: int) -> Callable[[], list[Record]]:
        """Keeps records; returns what loads ``count`` of them, one after the other and again from the first."""
        keys_values = self._memory._store.keys_values(_Encoded(kind, records))
        notes = self._notes[: len(records)]
        keys_values.records(notes)

        def load() -> list[Record]:
            rounds = [keys_values.records(notes) for _ in range(0, count, len(records))]
            return [record for loaded in rounds for record in loaded][:count]

        return load
