"""Full text over the rows of a table or view, ranked by BM25; in SQLite an external-content FTS5 table.

It stores no second copy of the text, and SQLite can check it against what it was made of. What a person types is
never query syntax. Questions are answered in memory, see occurrences.py, by FTS5's own formula: its bm25()
(sqlite.org/fts5.html, section 5.1.1), where a word's frequency is the sum of the weights of the columns it stands in,
and a row's size counts the tokens of all columns.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, text

from . import forks, in_memory
from .database import Database, Index
from .form import Among
from .occurrences import Occurrences, Word
from .progress import State, make_anew, state, touched
from .statements import rows, run, run_many
from .tokens import Tokenizer

__all__ = ["FullText"]

_LEAST = 200  # rows that the words looked up should find together
_ENOUGH = 3_000  # rows that are scored where they find as many
_MOST = 20_000  # rows that are scored where they do not, unless one word alone has more
_K1, _B = 1.2, 0.75
_LEAST_IDF = 1e-6  # of a word that stands in more than half of the rows
_MANY = 50  # so many times as many rows as notes are wanted are looked through for those that cannot be among them
_TIMES = 8  # so many times as many rows as notes are wanted are put in order at first

Numbers = npt.NDArray[np.int32]
Scores = npt.NDArray[np.float64]


class FullText:
    """An index of words.

    Args:
        database: where it is.
        index: its table, and what its rows are.
    """

    def __init__(self, database: Database, index: Index) -> None:
        self._database = database
        self._index = index
        self._tokenizer = Tokenizer(len(index.columns))
        self.begin_anew()
        forks.known().add(self)
        in_memory.watch(self)
        self.place = database.place
        self._name = name = index.name
        listed = ", ".join(index.columns)
        marks = ", ".join("?" * (len(index.columns) + 1))
        self._rows = f"SELECT num, {listed} FROM {index.source} WHERE num BETWEEN ? AND ?"
        # of values, not of a SELECT: for that SQLite opens a savepoint, and FTS5 writes its index out at every one
        self._add = f"INSERT INTO {name}(rowid, {listed}) VALUES ({marks})"
        self._remove = f"INSERT INTO {name}({name}, rowid, {listed}) VALUES ('delete', {marks})"

    def begin_anew(self) -> None:
        """Keeps nothing; after a fork, in the child."""
        self._lock = threading.Lock()
        self._kept: tuple[State, Occurrences] | None = None

    def drop(self) -> None:
        """Keeps nothing, once nobody is ranking."""
        with self._lock:
            self._kept = None

    def add(self, nums: Collection[int]) -> None:
        """Indexes rows; those in the index already stay as they are."""
        self._change(self._add, nums, indexed=False)

    def remove(self, nums: Collection[int]) -> None:
        """Takes rows out of the index, word by word, while they and what they show are still as they were indexed."""
        if nums:
            self._change(self._remove, nums, indexed=True)
            self._kept = None

    def rarest(self, words: Sequence[str]) -> list[str]:
        """Returns the words to find rows by, the rarest first: a frequent one finds most rows, and tells little.

        In a small index, or where all words are frequent, these are all.
        """
        with self._database.reading() as connection, self._occurrences(connection) as held:
            return _rarest(dict(zip(words, held.words(connection, words), strict=True)))

    def best(self, words: Sequence[str], k: int, among: Among) -> list[tuple[int, int, float]]:
        """Returns the rows that match best, those of ``k`` of the notes that may be seen.

        Rare words find rows, and all words count in them; where those find too few, every word finds.

        Returns:
            (number of the row, of its note, score), best first; scores are positive.
        """
        with self._database.reading() as connection, self._occurrences(connection) as held:
            every = dict(zip(words, held.words(connection, words), strict=True))
            rare = _rarest(every)
            nums = _seen([every[word] for word in rare], held.owners, among)
            if len(rare) < len(every) and _distinct(held.owners[nums]) < k:
                # others' rows may have made a word look frequent, or found
                nums = _seen(list(every.values()), held.owners, among)
            if self._index.owner == "num" and not self._index.worth:  # each row is a note, and its score all of it
                nums = _within_reach(list(every.values()), nums, held, k)
            scores = _scores([every[word] for word in words], nums, held)
            if self._index.worth:
                scores *= held.worths[nums]
            return _best(nums, held.owners[nums], scores, k)

    def clear(self) -> None:
        """Empties the index."""
        with self._database.reading() as connection:
            run(connection, f"INSERT INTO {self._name}({self._name}) VALUES('delete-all')")
            make_anew(connection)
        self._kept = None

    def count(self) -> int:
        """Returns how many rows are indexed."""
        with self._database.reading() as connection:
            return connection.scalar(text(f"SELECT count(*) FROM {self._name}_docsize")) or 0

    def _change(self, sql: str, nums: Collection[int], *, indexed: bool) -> None:
        """Runs a statement with each of these rows that is, or is not, in the index."""
        with self._database.reading() as connection:
            for low, high in _runs(nums):
                found = rows(connection, f"SELECT id FROM {self._name}_docsize WHERE id BETWEEN ? AND ?", low, high)
                present = {id for (id,) in found}
                every = rows(connection, self._rows, low, high)
                run_many(connection, sql, [row for row in every if (row[0] in present) is indexed])

    @contextmanager
    def _occurrences(self, connection: Connection) -> Iterator[Occurrences]:
        """Yields what is kept of the words, as of what the connection sees, or what was made for it alone."""
        with self._lock:
            held = self._followed(connection)
            if held is not None:
                yield held
                return
        held = Occurrences(self._index, self._tokenizer)  # takes long: others need not wait
        held.follow(connection)
        yield held

    def _followed(self, connection: Connection) -> Occurrences | None:
        """Returns what is kept of the words, as of what the connection sees; the caller has the lock.

        It follows what was written or revised. Notes that were forgotten, and turns, whose words stand with those
        after them too, drop it.

        Returns:
            None for a view that is older than what is kept, and for a write, which may yet be taken back.
        """
        now, kept = state(connection), self._kept
        if now is None or (kept and now.seq < kept[0].seq):
            return None
        newest = f"SELECT coalesce(max(id), 0) FROM {self._name}_docsize"
        ((last,),) = rows(connection, newest)
        if kept and kept[0] == now and kept[1].newest == last:
            return kept[1]
        self._kept = None  # until it has followed to the end
        done = touched(connection, kept[0], now) if kept and kept[1].newest <= last else None
        grows = done is not None and not any(thread for _, thread in done)
        held = kept[1] if kept and grows else Occurrences(self._index, self._tokenizer)
        held.follow(connection)
        self._kept = now, held
        return held


def _rarest(words: Mapping[str, Word]) -> list[str]:
    chosen: list[str] = []
    total = 0
    for word in sorted(words, key=lambda word: min(len(words[word].nums), _MOST + 1)):
        held = min(len(words[word].nums), _MOST + 1)
        if total and total + held > (_MOST if total < _LEAST else _ENOUGH):
            break
        chosen.append(word)
        total += held
    return chosen


def _seen(words: Sequence[Word], owners: npt.NDArray[np.int32], among: Among) -> Numbers:
    """Returns the rows, ascending, that hold one of these words and belong to notes that may be seen."""
    found = np.zeros(len(owners), bool)
    for word in words:
        found[word.nums] = True
    nums = np.flatnonzero(found).astype(np.int32)  # as words have them: a search in other numbers would copy those
    return nums[among.admits(owners[nums])]


def _within_reach(words: Sequence[Word], nums: Numbers, held: Occurrences, k: int) -> Numbers:
    """Returns these rows without most of those that cannot be among the best ``k``.

    The words that can count most are counted first. What those after them can count at most, which a row may lack by,
    is little where they are frequent (Turtle and Flood 1995, "Query evaluation: strategies and optimizations", the
    bound called max_score).
    """
    frequent_last = sorted((word for word in words if len(word.nums)), key=lambda word: len(word.nums))
    most = [_idf(word, held) * (_K1 + 1) for word in frequent_last]
    rest = sum(most)
    scores = np.zeros(len(nums))
    for word, bound in zip(frequent_last, most, strict=True):
        if len(nums) < _MANY * k:
            break
        here, counts = _counts(word, nums, held)
        scores[here] += counts
        rest -= bound
        high = scores[scores > rest]
        if len(high) >= k:  # before that nothing is out of reach
            least = np.partition(high, len(high) - k)[len(high) - k] - rest
            near = scores >= least * (1 - 1e-9)  # sums are rounded
            nums, scores = nums[near], scores[near]
    return nums


def _scores(words: Sequence[Word], nums: Numbers, held: Occurrences) -> Scores:
    """Returns what the words count together in each of these rows."""
    scores = np.zeros(len(nums))
    for word in words:
        if len(word.nums) and len(nums):
            here, counts = _counts(word, nums, held)
            scores[here] += counts
    return scores


def _counts(word: Word, nums: Numbers, held: Occurrences) -> tuple[npt.NDArray[np.intp], Scores]:
    """Returns which of these rows hold a word, by their places, and what it counts in each."""
    if len(word.nums) < len(nums):
        places = np.minimum(nums.searchsorted(word.nums), len(nums) - 1)
        there = np.flatnonzero(nums[places] == word.nums)
        here = places[there]
    else:
        places = np.minimum(word.nums.searchsorted(nums), len(word.nums) - 1)
        here = np.flatnonzero(word.nums[places] == nums)
        there = places[here]
    often = word.often[there].astype(np.float64)
    length = _K1 * (1 - _B + _B * held.sizes[nums[here]] / (held.tokens / held.count))
    return here, _idf(word, held) * (often * (_K1 + 1) / (often + length))


def _idf(word: Word, held: Occurrences) -> float:
    return max(math.log((held.count - len(word.nums) + 0.5) / (len(word.nums) + 0.5)), _LEAST_IDF)


def _best(nums: Numbers, owners: npt.NDArray[np.int32], scores: Scores, k: int) -> list[tuple[int, int, float]]:
    """Returns the best rows, of ``k`` owners."""
    few = np.arange(len(nums))
    if len(nums) > _TIMES * k:
        few = np.flatnonzero(scores >= np.partition(scores, len(scores) - _TIMES * k)[len(scores) - _TIMES * k])
        if _distinct(owners[few]) < k:
            few = np.arange(len(nums))
    order = few[np.lexsort((nums[few], owners[few], -scores[few]))]
    firsts = np.sort(np.unique(owners[order], return_index=True)[1])
    order = order[: firsts[k - 1] + 1] if len(firsts) >= k else order
    return list(zip(nums[order].tolist(), owners[order].tolist(), scores[order].tolist(), strict=True))


def _distinct(numbers: Numbers) -> int:
    return int(np.count_nonzero(np.diff(np.sort(numbers), prepend=-1)))


def _runs(nums: Collection[int]) -> Iterator[tuple[int, int]]:
    """Yields the first and the last of every run of neighbouring numbers."""
    for _, neighbours in groupby(enumerate(sorted(nums)), lambda pair: pair[1] - pair[0]):
        listed = [num for _, num in neighbours]
        yield listed[0], listed[-1]
