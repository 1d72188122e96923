"""The tokens of a text, made by SQLite's own tokenizer, so that both databases find the same words."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence

from . import forks

__all__ = ["TOKENIZER", "Tokenizer"]

TOKENIZER = "porter unicode61 remove_diacritics 2"
# as bytes: FTS5 cuts a word of over 32 kB, and not always between two characters
_TOKENS = "SELECT CAST(term AS BLOB), doc, col, offset FROM tokens"
_COLUMN = 24  # bits before those that number the column; a text of a megabyte has fewer tokens


class Tokenizer:
    """An FTS5 table in memory that is filled, asked for its tokens, and emptied again.

    Args:
        columns: how many texts a row has.
    """

    def __init__(self, columns: int) -> None:
        names = [f"c{number}" for number in range(columns)]
        self._columns = {name: number << _COLUMN for number, name in enumerate(names)}
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._left: list[sqlite3.Connection | None] = []
        forks.known().add(self)
        self._insert = f"INSERT INTO texts(rowid, {', '.join(names)}) VALUES ({', '.join('?' * (columns + 1))})"

    def begin_anew(self) -> None:
        """After a fork, in the child: leaves alone what another thread was in the middle of, and does not close it."""
        if self._lock.locked():
            self._left.append(self._connection)
            self._connection = None
        self._lock = threading.Lock()

    def places(self, rows: Iterable[Sequence[object]]) -> dict[int, dict[bytes, list[int]]]:
        """Returns, per row, its tokens and where each of them stands.

        Args:
            rows: a number, then the texts of the columns.

        Returns:
            Number -> token, in UTF-8 -> ascending places; neighbouring tokens of a column have neighbouring places, and
            ``place >> 24`` is the column. A row without tokens has none.
        """
        listed = list(rows)
        found: dict[int, dict[bytes, list[int]]] = {int(str(row[0])): {} for row in listed}
        with self._lock:
            if self._connection is None:
                self._connection = self._opened()
            self._connection.execute("BEGIN")
            try:
                self._connection.executemany(self._insert, listed)
                for term, num, column, offset in self._connection.execute(_TOKENS):
                    found[num].setdefault(term, []).append(self._columns[column] + offset)
            finally:
                self._connection.execute("ROLLBACK")
        for of_row in found.values():
            for listed_places in of_row.values():
                listed_places.sort()
        return found

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.execute(
            f"CREATE VIRTUAL TABLE texts USING fts5({', '.join(self._columns)}, content='', tokenize='{TOKENIZER}')"
        )
        connection.execute("CREATE VIRTUAL TABLE tokens USING fts5vocab(texts, instance)")
        return connection

    def phrase(self, word: str) -> list[bytes]:
        """Returns the tokens of what a person thinks one word, in order; full text may see several, or none."""
        return self.phrases([word])[0]

    def phrases(self, words: Sequence[str]) -> list[list[bytes]]:
        """Returns the same of several words, which takes little longer than of one."""
        empty = [""] * (len(self._columns) - 1)
        found = self.places((place, word, *empty) for place, word in enumerate(words, 1))
        placed = [{at: term for term, where in of_word.items() for at in where} for of_word in found.values()]
        return [[of_word[at] for at in sorted(of_word)] for of_word in placed]
