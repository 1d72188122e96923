"""Full text over the rows of a table or view, ranked by BM25; in SQLite an external-content FTS5 table.

It stores no second copy of the text, and SQLite can check it against what it was made of. What a person types is
never query syntax: every word comes quoted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby

from sqlalchemy import ColumnElement, Subquery, bindparam, literal_column, select, table, text

from .database import Database
from .statements import rows, run, run_many

__all__ = ["FullText"]

_LEAST = 200  # rows that the words looked up should find together
_ENOUGH = 3_000  # rows that are scored where they find as many
_MOST = 20_000  # rows that are scored where they do not, unless one word alone has more


class FullText:
    """An index of words.

    Args:
        database: where it is.
        name: of the index.
        source: table or view it is made of; its column ``num`` numbers the rows.
        columns: of the source that are indexed.
        weights: per column, how much a word in it counts.
    """

    def __init__(
        self, database: Database, name: str, *, source: str, columns: Sequence[str], weights: Sequence[float]
    ) -> None:
        self._database = database
        self._name = name
        self._source = source
        listed = ", ".join(columns)
        marks = ", ".join("?" * (len(columns) + 1))
        self._score = f"-bm25({name}, {', '.join(map(str, weights))})"  # bm25() is negative, smaller is better
        self._rows = f"SELECT num, {listed} FROM {source} WHERE num BETWEEN ? AND ?"
        # of values, not of a SELECT: for that SQLite opens a savepoint, and FTS5 writes its index out at every one
        self._add = f"INSERT INTO {name}(rowid, {listed}) VALUES ({marks})"
        self._remove = f"INSERT INTO {name}({name}, rowid, {listed}) VALUES ('delete', {marks})"

    def add(self, nums: Collection[int]) -> None:
        """Indexes rows; those in the index already stay as they are."""
        self._change(self._add, nums, indexed=False)

    def remove(self, nums: Collection[int]) -> None:
        """Takes rows out of the index, word by word, while they and what they show are still as they were indexed."""
        self._change(self._remove, nums, indexed=True)

    def rarest(self, words: Sequence[str]) -> list[str]:
        """Returns the words to find rows by, the rarest first: a frequent one finds most rows, and tells little.

        In a small index, or where all words are frequent, these are all.
        """
        counting = f"SELECT count(*) FROM (SELECT rowid FROM {self._name} WHERE {self._name} MATCH ? LIMIT {_MOST + 1})"
        with self._database.reading() as connection:
            held = {word: rows(connection, counting, f'"{word}"')[0][0] for word in words}
        chosen: list[str] = []
        total = 0
        for word in sorted(words, key=lambda word: held[word]):
            if total and total + held[word] > (_MOST if total < _LEAST else _ENOUGH):
                break
            chosen.append(word)
            total += held[word]
        return chosen

    def matching(self, words: Sequence[str], *, beside: Sequence[str] = ()) -> Subquery:
        """Returns the rows that hold one of these words, at least one, as columns ``num`` and ``score``.

        The scores are positive, larger is better. With ``beside`` only rows that hold one of those words too, which
        then count as well.
        """
        found, near = (" OR ".join(f'"{word}"' for word in some) for some in (words, beside))
        terms = f"({found}) AND ({near})" if near else found
        matched = text(f"{self._name} MATCH :{self._name}_terms").bindparams(bindparam(f"{self._name}_terms", terms))
        score: ColumnElement[float] = literal_column(self._score)
        return (
            select(literal_column("rowid").label("num"), score.label("score"))
            .select_from(table(self._name))
            .where(matched)
            .subquery()
        )

    def clear(self) -> None:
        """Empties the index."""
        with self._database.reading() as connection:
            run(connection, f"INSERT INTO {self._name}({self._name}) VALUES('delete-all')")

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


def _runs(nums: Collection[int]) -> Iterator[tuple[int, int]]:
    """Yields the first and the last of every run of neighbouring numbers."""
    for _, neighbours in groupby(enumerate(sorted(nums)), lambda pair: pair[1] - pair[0]):
        listed = [num for _, num in neighbours]
        yield listed[0], listed[-1]
