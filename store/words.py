"""The form of words: full text over date, speaker, text and the turn before, ranked by BM25.

The index is an external-content FTS5 table over the view ``words_source``: it stores no second copy of the text,
and SQLite can check it against the notes. What a person types is never query syntax: every word is quoted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import ColumnElement, bindparam, case, column, func, literal, literal_column, select, table, text

from .database import Database
from .form import Among, Cue, Hit
from .names import words_of
from .note import Note
from .progress import applied
from .schema import note

__all__ = ["TERMS_LIMIT", "Words", "quoted"]

TERMS_LIMIT = 64
"""Most words of a question that are looked up; BM25 gains nothing from more, and time grows with each."""
_BYTES_LIMIT = 4_096
_WEIGHTS = "1.0, 1.0, 1.0, 0.5"  # day, speaker, body, previous
_words = table("words", column("rowid"))

# Function words say nothing of what is sought, and match nearly every turn.
_STOP = frozenset(
    "a an and are as at be been but by can could d did do does doing for from had has have he her hers him his how i "
    "if in into is it its ll m me my of on or our s she should so t than that the their them then there these they "
    "this those to us ve was we were what when where which who whom whose why will with would you your".split()
)


class Words:
    """Full text in SQL."""

    name = "words"

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, notes: Sequence[Note]) -> None:
        """Indexes notes; those in the index already stay as they are."""
        nums = sorted(item.num for item in notes)
        with self._database.reading() as connection:
            connection.execute(
                text(
                    "INSERT INTO words(rowid, day, speaker, body, previous) "
                    "SELECT num, day, speaker, body, previous FROM words_source "
                    "WHERE num = :num AND num NOT IN (SELECT id FROM words_docsize)"
                ),
                [{"num": num} for num in nums],
            )

    def remove(self, ids: Collection[str]) -> None:
        """Takes notes out of the index, word by word, from the rows that still exist."""
        with self._database.reading() as connection:
            for id in sorted(ids):
                connection.execute(
                    text(
                        "INSERT INTO words(words, rowid, day, speaker, body, previous) "
                        "SELECT 'delete', s.num, s.day, s.speaker, s.body, s.previous "
                        "FROM words_source s JOIN note n ON n.num = s.num "
                        "WHERE n.id = :id AND s.num IN (SELECT id FROM words_docsize)"
                    ),
                    {"id": id},
                )

    def search(self, cue: Cue, k: int, among: Among) -> list[Hit]:
        """Ranks by BM25; the scores are positive, larger is better."""
        terms = quoted(cue.text)
        if not terms or k < 1:
            return []
        # bm25() is negative, smaller is better
        score: ColumnElement[float] = literal_column(f"bm25(words, {_WEIGHTS})")
        query = (
            select(note.c.num, score.label("score"))
            .select_from(_words.join(note, note.c.num == _words.c.rowid))
            .where(
                text("words MATCH :terms").bindparams(bindparam("terms", " OR ".join(terms))),
                *among.conditions,
            )
            .order_by(score, note.c.num)
            .limit(k)
        )
        with self._database.reading() as connection:
            hits = [Hit(num, -value) for num, value in connection.execute(query).all()]
        return hits or self._containing(cue.text, k, among)

    def applied(self) -> int:
        """Returns the number of the last change this form has seen."""
        return applied(self._database, self.name)

    def clear(self) -> None:
        """Empties the index."""
        with self._database.reading() as connection:
            connection.exec_driver_sql("INSERT INTO words(words) VALUES('delete-all')")

    def count(self) -> int:
        """Returns how many notes are indexed."""
        with self._database.reading() as connection:
            return connection.scalar(text("SELECT count(*) FROM words_docsize")) or 0

    def _containing(self, question: str, k: int, among: Among) -> list[Hit]:
        """Scripts without blanks between words: FTS5 sees one long word, so look for the characters themselves."""
        runs = [word for word in words_of(question)[:TERMS_LIMIT] if any(_is_unspaced(c) for c in word)]
        if not runs:
            return []
        found: ColumnElement[int] = literal(0)
        for run in runs:
            found = found + case((func.instr(note.c.text, run) > 0, 1), else_=0)
        query = (
            select(note.c.num, found.label("found"))
            .where(found > 0, *among.conditions)
            .order_by(found.desc(), note.c.num)
            .limit(k)
        )
        with self._database.reading() as connection:
            return [Hit(num, float(value)) for num, value in connection.execute(query).all()]


def quoted(question: str) -> list[str]:
    """Returns the words to look up, each quoted for FTS5, without repeats and function words.

    A question of function words only keeps them: it is all there is to go by.
    """
    short = question.encode()[:_BYTES_LIMIT].decode(errors="ignore")
    words = list(dict.fromkeys(word.casefold() for word in words_of(short)))
    telling = [word for word in words if word not in _STOP]
    return [f'"{word}"' for word in _first(telling or words)]


def _first(words: Iterable[str]) -> list[str]:
    return list(words)[:TERMS_LIMIT]


def _is_unspaced(character: str) -> bool:
    """Han, kana, Thai, Lao, Khmer, Burmese: written without blanks between words."""
    code = ord(character)
    return 0x0E00 <= code <= 0x0EFF or 0x1000 <= code <= 0x109F or 0x1780 <= code <= 0x17FF or 0x3040 <= code <= 0x9FFF
