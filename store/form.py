"""The protocol of a form: something derived from notes that can be searched.

SQL filters, forms rank. A form sees which notes it may rank (`Among`), never why: it knows of no scope and
no time, so it cannot leak them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement

from .note import Note, Triplet

__all__ = ["Among", "Cue", "Embedder", "Encoder", "Extractor", "Form", "Hit", "Record", "Vector"]

Vector = npt.NDArray[np.float32]
Record = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Cue:
    """What a read looks for; later forms may use what earlier forms found.

    Attributes:
        text: the question as asked.
        vector: its unit-length embedding, shape (dimensions,), or None when the store has no embedder.
        prior: note number -> score in 0..1 from words and vectors, for the graph to start from.
        seeds: folded entity name -> weight from facts and names in the question, likewise.
    """

    text: str
    vector: Vector | None = None
    prior: Mapping[int, float] = field(default_factory=dict)
    seeds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Among:
    """The notes a search may return.

    Attributes:
        conditions: on the columns of table ``note``, for forms that live in SQL.
        nums: the numbers of the notes they admit, as a sorted int64 array, made when first asked for.
        key: equal keys admit the same notes as long as nothing was written in between.
        merged: returns, for every folded name that a person said is one with others, the name they are shown under.
    """

    conditions: tuple[ColumnElement[bool], ...]
    nums: Callable[[], npt.NDArray[np.int64]]
    key: Hashable
    merged: Callable[[], Mapping[str, str]] = dict

    def admits(self, nums: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.bool_]:
        """Returns, for each of these numbers, whether it is that of a note that may be seen."""
        own = self.nums()
        if not len(own):
            return np.zeros(len(nums), bool)
        if own[-1] - own[0] + 1 == len(own):  # none is left out in between
            inside: npt.NDArray[np.bool_] = (nums >= own[0]) & (nums <= own[-1])
            return inside
        places = np.searchsorted(own, nums)
        places[places == len(own)] = 0
        held: npt.NDArray[np.bool_] = own[places] == nums
        return held


class Hit(NamedTuple):
    """One note that a form ranked; a tuple, for a read makes a thousand.

    Attributes:
        num: the note's number.
        score: higher is better; only comparable within one search of one form.
        path: what the form can say for it, for example the fact that matched.
    """

    num: int
    score: float
    path: tuple[str, ...] = ()


class Form(Protocol):
    """Something derived from notes that can be searched, dropped and rebuilt."""

    name: str

    def add(self, notes: Sequence[Note]) -> None:
        """Takes notes in; a note that is already in is left as it is (idempotent)."""
        ...

    def remove(self, ids: Collection[str]) -> None:
        """Takes notes out while their rows still exist; unknown ids are ignored."""
        ...

    def search(self, cue: Cue, k: int, among: Among) -> list[Hit]:
        """Returns at most ``k`` hits out of ``among``, best first, ties by note number."""
        ...

    def applied(self) -> int:
        """Returns the number of the last change this form has seen."""
        ...

    def clear(self) -> None:
        """Empties the form; `add` with every note makes it anew."""
        ...

    def count(self) -> int:
        """Returns how many items the form holds."""
        ...


class Embedder(Protocol):
    """Turns texts into unit-length vectors."""

    name: str
    dimensions: int

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Returns unit vectors, shape (len(texts), dimensions)."""
        ...


class Extractor(Protocol):
    """Finds triplets and entity names in texts."""

    name: str

    def triplets(self, note: Note) -> list[Triplet]:
        """Returns the facts that the note states, with confidence below 1."""
        ...

    def entities(self, note: Note) -> list[str]:
        """Returns the names, as written, of what the note is about (its speaker included)."""
        ...

    def entities_of(self, question: str) -> list[str]:
        """Returns the names that a question mentions."""
        ...


class Encoder(Protocol):
    """Turns texts into explicit memories: keys and values for one model."""

    @property
    def fingerprint(self) -> str:
        """Returns what names the model: records of another one are of no use to it."""
        ...

    def encode(self, texts: Sequence[str]) -> Sequence[Record]:
        """Returns one record of named tensors per text."""
        ...
