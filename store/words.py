"""The form of words: full text over date, speaker, text and the turn before, ranked by BM25.

The index is made of the view ``words_source``. What a person types is never query syntax: it is a list of words.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, case, func, literal, select

from .database import Database, Index
from .form import Among, Cue, Hit
from .names import words_of
from .note import Note
from .progress import applied
from .schema import note
from .statements import nums_of

__all__ = ["STOP", "TERMS_LIMIT", "Words", "telling"]

TERMS_LIMIT = 64
"""Most words of a question that are looked up; BM25 gains nothing from more, and time grows with each."""
_BYTES_LIMIT = 4_096
_WEIGHTS = {"day": 1.0, "speaker": 1.0, "body": 1.0, "previous": 0.5}

# Function words say nothing of what is sought, and match nearly every turn.
STOP = frozenset(
    "a an and are as at be been but by can could d did do does doing for from had has have he her hers him his how i "
    "if in into is it its ll m me my of on or our s she should so t than that the their them then there these they "
    "this those to us ve was we were what when where which who whom whose why will with would you your".split()
)


class Words:
    """Full text in SQL."""

    name = "words"

    def __init__(self, database: Database) -> None:
        self._database = database
        self.index = database.full_text(
            Index("words", source="words_source", columns=tuple(_WEIGHTS), weights=tuple(_WEIGHTS.values()))
        )

    def add(self, notes: Sequence[Note]) -> None:
        """Indexes notes; those in the index already stay as they are."""
        self.index.add([item.num for item in notes])

    def remove(self, ids: Collection[str]) -> None:
        """Takes notes out of the index, while their rows still exist."""
        with self._database.reading() as connection:
            self.index.remove(nums_of(connection, ids))

    def search(self, cue: Cue, k: int, among: Among) -> list[Hit]:
        """Ranks by BM25; the scores are positive, larger is better."""
        words = telling(cue.text)
        if not words or k < 1:
            return []
        hits = [Hit(num, score) for num, _, score in self.index.best(words, k, among)]
        return hits or self._containing(cue.text, k, among)

    def applied(self) -> int:
        """Returns the number of the last change this form has seen."""
        return applied(self._database, self.name)

    def clear(self) -> None:
        """Empties the index."""
        self.index.clear()

    def count(self) -> int:
        """Returns how many notes are indexed."""
        return self.index.count()

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


def telling(question: str) -> list[str]:
    """Returns the words to look up, case-folded, without repeats and function words.

    A question of function words only keeps them: it is all there is to go by.
    """
    short = question.encode()[:_BYTES_LIMIT].decode(errors="ignore")
    words = list(dict.fromkeys(word.casefold() for word in words_of(short)))
    return ([word for word in words if word not in STOP] or words)[:TERMS_LIMIT]


def _is_unspaced(character: str) -> bool:
    """Han, kana, Thai, Lao, Khmer, Burmese: written without blanks between words."""
    code = ord(character)
    return 0x0E00 <= code <= 0x0EFF or 0x1000 <= code <= 0x109F or 0x1780 <= code <= 0x17FF or 0x3040 <= code <= 0x9FFF
