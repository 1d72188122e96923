"""Where words stand, in memory: the rows of the words that were asked for, as FTS5 has them.

FTS5 goes through all rows of every word again with each question. Here a word's rows are read once, and then follow
what is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from .database import Index
from .statements import rows, run
from .tokens import Tokenizer

__all__ = ["Occurrences", "Word"]

_FOLLOWED = 1_000  # rows that are taken in word by word; after more, words are read anew when they are asked for
_WORDS = 50_000  # that are kept
_OFFSET_BITS = 24  # a text of a megabyte has fewer tokens
_COLUMN_BITS = 4

_Term = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Word:
    """The rows that hold a word.

    Attributes:
        nums: of the rows, ascending, shape (rows,).
        often: per row, the sum of the weights of the columns in which the word stands, shape (rows,).
    """

    nums: npt.NDArray[np.int32]
    often: npt.NDArray[np.float32]


@dataclass(slots=True)
class Occurrences:
    """The words asked for so far, and the sizes of all rows.

    Attributes:
        sizes: tokens per row, by number; 0 where there is no row.
        owners: the note that a row belongs to, by number.
        worths: what a row's score is multiplied by, by number.
        newest: the largest number of a row.
        count: rows in the index.
        tokens: of all rows together.
    """

    index: Index
    tokenizer: Tokenizer
    sizes: npt.NDArray[np.int32] = field(default_factory=lambda: np.zeros(1, np.int32))
    owners: npt.NDArray[np.int32] = field(default_factory=lambda: np.zeros(1, np.int32))
    worths: npt.NDArray[np.float64] = field(default_factory=lambda: np.ones(1))
    newest: int = 0
    count: int = 0
    tokens: int = 0
    _terms: dict[str, _Term] = field(default_factory=dict)
    _words: dict[_Term, Word] = field(default_factory=dict)
    _later: dict[bytes, list[tuple[int, float]]] = field(default_factory=dict)
    _followed: int = 0

    def follow(self, connection: Connection) -> None:
        """Takes in the rows that were added since; what else may have changed in the index is the caller's affair."""
        before, new = self.newest, self._follow_sizes(connection)
        self._followed += new
        if self._followed > _FOLLOWED:
            self._forget_words()
        elif new and self._words:
            listed = ", ".join(self.index.columns)
            added = rows(connection, f"SELECT num, {listed} FROM {self.index.source} WHERE num > ?", before)
            for num, of_row in sorted(self.tokenizer.places(added).items()):
                for term, places in of_row.items():
                    often = sum(self.index.weights[place >> _OFFSET_BITS] for place in places)
                    self._later.setdefault(term, []).append((num, often))
            self._words = {term: word for term, word in self._words.items() if len(term) == 1}

    def words(self, connection: Connection, written: Sequence[str]) -> list[Word]:
        """Returns the rows that hold words; what a person thinks one word may be several to full text, in order."""
        if len(self._terms) > _WORDS:
            self._terms.clear()
            self._forget_words()
        new = [word for word in written if word not in self._terms]
        if new:
            self._terms.update(zip(new, map(tuple, self.tokenizer.phrases(new)), strict=True))
        return [self._word(connection, self._terms[word]) for word in written]

    def _word(self, connection: Connection, term: _Term) -> Word:
        known = self._words.get(term)
        if known is None:
            known = self._words[term] = self._found(connection, term)
        last = int(known.nums[-1]) if len(known.nums) else 0
        later = self._later.get(term[0], ()) if len(term) == 1 else ()
        since = [(num, often) for num, often in later if num > last]
        if since:
            nums, often = zip(*since, strict=True)
            known = self._words[term] = Word(
                np.append(known.nums, np.array(nums, np.int32)), np.append(known.often, np.array(often, np.float32))
            )
        return known

    def _forget_words(self) -> None:
        self._words.clear()
        self._later.clear()
        self._followed = 0

    def _follow_sizes(self, connection: Connection) -> int:
        """Takes in the sizes of new rows; returns how many there are."""
        found = rows(connection, f"SELECT id, sz FROM {self.index.name}_docsize WHERE id > ? ORDER BY id", self.newest)
        if not found:
            return 0
        nums = np.array([num for num, _ in found])
        of_columns = _varints(b"".join(packed for _, packed in found)).reshape(len(found), -1)
        self.sizes = _grown(self.sizes, nums, of_columns.sum(1))
        if self.index.owner == "num":
            self.owners = np.arange(len(self.sizes), dtype=np.int32)
        else:
            known = f"SELECT num, {self.index.owner} FROM {self.index.source} WHERE num > ? ORDER BY num"
            placed = np.array(rows(connection, known, self.newest)).reshape(-1, 2)
            self.owners = _grown(self.owners, placed[:, 0], placed[:, 1])
        if self.index.worth:
            known = f"SELECT num, {self.index.worth} FROM {self.index.source} WHERE num > ? ORDER BY num"
            valued = np.array(rows(connection, known, self.newest), np.float64).reshape(-1, 2)
            self.worths = _grown(self.worths, valued[:, 0].astype(np.int64), valued[:, 1])
        self.newest = int(nums[-1])
        self.count += len(found)
        self.tokens += int(of_columns.sum())
        return len(found)

    def _found(self, connection: Connection, term: _Term) -> Word:
        """Reads where a word stands; of several tokens, where they stand one after the other."""
        if len(term) == 1:
            return self._rows(connection, term[0])
        places = np.zeros(0, np.int64)
        for nth, token in enumerate(term):
            cases = " ".join(f"WHEN '{column}' THEN {place}" for place, column in enumerate(self.index.columns))
            packed = f"(((doc << {_COLUMN_BITS}) + CASE col {cases} END) << {_OFFSET_BITS}) + offset"
            moved = self._listed(connection, token, packed) - nth
            places = np.intersect1d(places, moved, assume_unique=True) if nth else moved
        places >>= _OFFSET_BITS
        weights = np.array(self.index.weights)[places & ((1 << _COLUMN_BITS) - 1)]
        return _of_rows(places >> _COLUMN_BITS, weights)

    def _rows(self, connection: Connection, token: bytes) -> Word:
        """Reads which rows hold a token; of its column only as much as tells its weight, which takes half the time."""
        usual, *others = sorted(set(self.index.weights), key=self.index.weights.count, reverse=True)
        if not others:
            rows_of = self._listed(connection, token, "doc")
            return _of_rows(rows_of, np.full(len(rows_of), usual))
        columns = zip(self.index.columns, self.index.weights, strict=True)
        cases = " ".join(f"WHEN '{name}' THEN {1 + others.index(w)}" for name, w in columns if w != usual)
        packed = self._listed(connection, token, f"(doc << {_COLUMN_BITS}) + CASE col {cases} ELSE 0 END")
        return _of_rows(packed >> _COLUMN_BITS, np.array([usual, *others])[packed & ((1 << _COLUMN_BITS) - 1)])

    def _listed(self, connection: Connection, token: bytes, packed: str) -> npt.NDArray[np.int64]:
        """Returns a number for each place where a token stands, ascending."""
        name = self.index.name
        run(connection, f"CREATE VIRTUAL TABLE IF NOT EXISTS temp.{name}_at USING fts5vocab(main, {name}, instance)")
        # one text of numbers: a driver takes much longer for as many rows
        every = f"SELECT group_concat({packed}) FROM temp.{name}_at WHERE term = CAST(? AS TEXT)"
        ((listed,),) = rows(connection, every, token)
        return np.sort(np.fromstring(listed or "", np.int64, sep=","))


def _of_rows(nums: npt.NDArray[np.int64], weights: npt.NDArray[np.float64]) -> Word:
    """Returns a word of the rows in which it stands, ascending, and the weights of its places there."""
    starts = np.flatnonzero(np.diff(nums, prepend=-1))
    often = np.add.reduceat(weights, starts) if len(starts) else weights
    return Word(nums[starts].astype(np.int32), often.astype(np.float32))


def _varints(data: bytes) -> npt.NDArray[np.int64]:
    """Returns SQLite's variable-length numbers, none of them above 2**28: seven bits a byte, the last one below 128."""
    read = np.frombuffer(data, np.uint8).astype(np.int64)
    ends = np.flatnonzero(read < 128)
    lengths = np.diff(ends, prepend=-1)
    numbers = read[ends]
    for place in range(1, int(lengths.max(initial=1))):
        longer = lengths > place
        numbers[longer] += (read[ends[longer] - place] & 127) << 7 * place
    return numbers


def _grown(old: npt.NDArray[Any], nums: npt.NDArray[np.int64], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Returns an array by number with more numbers in it, all above those it had."""
    if not len(nums):
        return old
    grown = np.zeros(max(int(nums[-1]) + 1, len(old)), old.dtype)
    grown[: len(old)] = old
    grown[nums] = values
    return grown
