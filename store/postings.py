"""Full text in PostgreSQL: an inverted index in two tables, ranked by the formula of SQLite's FTS5.

PostgreSQL's own full text has other words and another ranking; with this one both databases give the same answers.
A token is kept as a number of 64 bits made from it: short whatever its length, and no word of a note stands in the
index. Formula: FTS5's bm25() (sqlite.org/fts5.html, section 5.1.1; fts5_aux.c), where a token's frequency is the sum
of the weights of the columns it stands in, and a row's length counts the tokens of all columns.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

from sqlalchemy import BindParameter, Float, Integer, Subquery, bindparam, select, text

from .schema import note, triplet
from .statements import rows, run
from .tokens import Tokenizer

if TYPE_CHECKING:
    from .database import Database, Index
    from .form import Among

__all__ = ["INDEXES", "Postings"]

INDEXES = {"words": "note", "fact_words": "triplet"}
"""Each index, and the table whose numbers its rows have."""
_Document = tuple[int, int, str]  # number, length, its terms
_Posting = tuple[int, int, float, int, str]  # number, term, weighted frequency, length, its places
_K1, _B = 1.2, 0.75
_LEAST_IDF = 1e-6  # of a word that stands in more than half of the rows


class Postings:
    """An index of words.

    Args:
        database: where it is.
        index: its tables, and what its rows are.
    """

    def __init__(self, database: Database, index: Index) -> None:
        self._database = database
        self._index = index
        self._name = name = index.name
        self._weights = tuple(index.weights)
        self._tokenizer = Tokenizer(len(index.columns))
        source, columns = index.source, index.columns
        self._unindexed = (
            f"SELECT s.num, {', '.join(f's.{column}' for column in columns)} FROM {source} s WHERE s.num = ANY(?) "
            f"AND NOT EXISTS (SELECT FROM {name}_document d WHERE d.num = s.num)"
        )
        self._insert = f"""
            WITH tokens AS (
              INSERT INTO {name}_posting (num, term, frequency, length, places)
              SELECT num, term, frequency, length, CAST(places AS integer[])
              FROM unnest(CAST(? AS bigint[]), CAST(? AS bigint[]), CAST(? AS float8[]), CAST(? AS integer[]),
                          CAST(? AS text[])) AS given(num, term, frequency, length, places)),
            documents AS (
              INSERT INTO {name}_document (num, length, terms)
              SELECT num, length, CAST(terms AS bigint[])
              FROM unnest(CAST(? AS bigint[]), CAST(? AS integer[]), CAST(? AS text[])) AS given(num, length, terms))
            UPDATE full_text SET rows = rows + ?, tokens = tokens + ? WHERE name = '{name}'"""
        self._every = f"SELECT num, {', '.join(columns)} FROM {source} WHERE num > ? ORDER BY num LIMIT 500"
        self._documents = f"SELECT num, length, CAST(terms AS text) FROM {name}_document WHERE num = ANY(?)"
        self._postings = (
            f"SELECT p.num, p.term, p.frequency, p.length, CAST(p.places AS text) FROM {name}_document d "
            f"CROSS JOIN LATERAL unnest(d.terms) AS held(term) JOIN {name}_posting p USING (term, num) "
            "WHERE d.num = ANY(?)"
        )
        self._delete = f"""
            WITH gone AS (DELETE FROM {name}_document WHERE num = ANY(?) RETURNING num, length, terms),
            tokens AS (
              DELETE FROM {name}_posting p USING gone, unnest(gone.terms) AS held(term)
              WHERE p.term = held.term AND p.num = gone.num)
            UPDATE full_text SET rows = rows - (SELECT count(*) FROM gone),
              tokens = tokens - (SELECT coalesce(sum(length), 0) FROM gone) WHERE name = '{name}'"""

    def add(self, nums: Collection[int]) -> None:
        """Indexes rows; those in the index already stay as they are."""
        if not nums:
            return
        with self._database.reading() as connection:
            found = rows(connection, self._unindexed, sorted(nums))
            if found:
                documents, postings = self._made_of(found)
                columns = [list(c) for c in zip(*postings, strict=True)] or [[], [], [], [], []]
                columns += [list(c) for c in zip(*documents, strict=True)]
                run(connection, self._insert, *columns, len(documents), sum(length for _, length, _ in documents))

    def remove(self, nums: Collection[int]) -> None:
        """Takes rows out of the index."""
        if nums:
            with self._database.reading() as connection:
                run(connection, self._delete, sorted(nums))

    def best(self, words: Sequence[str], k: int, among: Among) -> list[tuple[int, int, float]]:
        """Returns the rows that match best, those of ``k`` of the notes that may be seen.

        Returns:
            (number of the row, of its note, score), best first; scores are positive.
        """
        found = self.matching(words)
        query = select(found.c.num, note.c.num, found.c.score.label("worth"))
        joined = note.join(found, note.c.num == found.c.num)
        if self._index.owner != "num":
            query = select(found.c.num, note.c.num, (found.c.score * triplet.c.confidence).label("worth"))
            joined = triplet.join(found, triplet.c.num == found.c.num).join(note, note.c.num == triplet.c.note)
        query = query.select_from(joined).where(*among.conditions)
        best: list[tuple[int, int, float]] = []
        seen: set[int] = set()
        with (
            self._database.reading() as connection,
            connection.execute(query.order_by(text("worth DESC"), note.c.num, found.c.num)) as every,
        ):
            for num, of, value in every:
                best.append((num, of, value))
                seen.add(of)
                if len(seen) == k:
                    break
        return best

    def matching(self, words: Sequence[str]) -> Subquery:
        """Returns the rows that hold one of these words, at least one, as columns ``num`` and ``score``.

        The scores are positive, larger is better.
        """
        phrases = [[_number(term) for term in found] for word in words if (found := self._tokenizer.phrase(word))]
        first, written = [phrase[0] for phrase in phrases], [_array(phrase) for phrase in phrases]
        hits = self._hits(max(map(len, phrases), default=0))
        # how rare a word is, is counted in the whole store, as FTS5 does
        counting = f"SELECT a.phrase, count(*) FROM {hits.format(first='?', written='?')} GROUP BY a.phrase"
        with self._database.overseeing(), self._database.reading() as connection:
            ((total, tokens),) = rows(connection, f"SELECT rows, tokens FROM full_text WHERE name = '{self._name}'")
            held = dict(rows(connection, counting, first, written)) if phrases else {}
        given = {
            "first": first,
            "written": written,
            "idf": [_idf(total, held.get(place, 0)) for place in range(1, len(phrases) + 1)],
            "average": tokens / total if tokens else 1.0,
        }
        marks = {name: f":{self._name}_{name}" for name in given}
        sql = f"""
            SELECT h.num AS num, sum(i.idf * h.frequency * {_K1 + 1} / (h.frequency + {_K1} *
              ({1 - _B} + CAST({_B} AS float8) * h.length / {marks["average"]})) ORDER BY a.phrase) AS score
            FROM {hits.format(**marks)}
            JOIN unnest(CAST({marks["idf"]} AS float8[])) WITH ORDINALITY AS i(idf, phrase) ON i.phrase = a.phrase
            GROUP BY h.num"""
        bound: list[BindParameter[object]] = [bindparam(f"{self._name}_{name}", value) for name, value in given.items()]
        return text(sql).bindparams(*bound).columns(num=Integer, score=Float).subquery()

    def clear(self) -> None:
        """Empties the index."""
        with self._database.reading() as connection:
            for kept in ("posting", "document"):
                run(connection, f"DELETE FROM {self._name}_{kept}")
            run(connection, f"UPDATE full_text SET rows = 0, tokens = 0 WHERE name = '{self._name}'")

    def count(self) -> int:
        """Returns how many rows are indexed."""
        with self._database.reading() as connection:
            found = rows(connection, f"SELECT rows FROM full_text WHERE name = '{self._name}'")
            return int(found[0][0])

    def misfits(self) -> list[int]:
        """Returns the numbers of the rows that the index does not have as they are, 0 for what is of no row."""
        wrong: set[int] = set()
        last = documents = postings = 0
        with self._database.overseeing(), self._database.reading() as connection:
            while found := rows(connection, self._every, last):
                last = found[-1][0]
                nums = [row[0] for row in found]
                expected = [set(part) for part in self._made_of(found)]
                stored = [set(rows(connection, sql, nums)) for sql in (self._documents, self._postings)]
                wrong |= {int(row[0]) for one, other in zip(expected, stored, strict=True) for row in one ^ other}
                documents += len(stored[0])
                postings += len(stored[1])
            held = f"SELECT (SELECT count(*) FROM {self._name}_document), (SELECT count(*) FROM {self._name}_posting)"
            if rows(connection, held) != [(documents, postings)] or self.count() != documents:
                wrong.add(0)
        return sorted(wrong)

    def _made_of(self, found: Sequence[Sequence[object]]) -> tuple[list[_Document], list[_Posting]]:
        """Returns the rows of the index for rows of the source."""
        documents: list[_Document] = []
        postings: list[_Posting] = []
        for num, of_row in self._tokenizer.places(found).items():
            length = sum(map(len, of_row.values()))
            documents.append((num, length, _array(sorted(map(_number, of_row)))))
            for term, places in of_row.items():
                frequency = sum(self._weights[place >> 24] for place in places)
                postings.append((num, _number(term), frequency, length, _array(places)))
        return documents, postings

    def _hits(self, longest: int) -> str:
        """Returns what joins the phrases asked for, ``a``, with the rows that hold them, ``h``.

        Terms are compared as plain columns: with anything else PostgreSQL would see whose row it is first, and so read
        every row.
        """
        single = f"SELECT p.num, p.frequency, p.length FROM {self._name}_posting p WHERE p.term = a.term"
        weights = ", ".join(map(str, self._weights))
        several = f"""
            SELECT p.num, sum((CAST(ARRAY[{weights}] AS float8[]))[(place >> 24) + 1]), min(p.length)
            FROM {self._name}_posting p CROSS JOIN LATERAL unnest(p.places) AS place
            WHERE p.term = a.term AND a.several AND NOT EXISTS (
              SELECT FROM unnest(CAST(a.written AS bigint[])) WITH ORDINALITY AS t(term, nth) WHERE NOT EXISTS (
                SELECT FROM {self._name}_posting q
                WHERE q.term = t.term AND q.num = p.num AND place + nth - 1 = ANY(q.places)))
            GROUP BY p.num"""
        found = f"{single} AND NOT a.several UNION ALL {several}" if longest > 1 else single
        asked = """(SELECT phrase, term, written, written LIKE '%%,%%' AS several
            FROM unnest(CAST({first} AS bigint[]), CAST({written} AS text[]))
            WITH ORDINALITY AS given(term, written, phrase)) AS a"""
        return f"{asked} CROSS JOIN LATERAL ({found}) AS h"


@lru_cache(maxsize=1 << 16)
def _number(term: bytes) -> int:
    """Returns the number a token is kept as; that two of a million differ in all but it has a chance of 3e-8."""
    return int.from_bytes(blake2b(term, digest_size=8).digest(), "big", signed=True)


def _array(numbers: Collection[int] | map[int]) -> str:
    """Returns numbers as PostgreSQL writes an array of them: arrays of different lengths make no array of arrays."""
    return "{" + ",".join(map(str, numbers)) + "}"


def _idf(total: int, held: int) -> float:
    idf = math.log((total - held + 0.5) / (held + 0.5))
    return idf if idf > 0 else _LEAST_IDF
