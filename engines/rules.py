"""Triplets and names without a model: word lists, suffixes, and the verb patterns of ReVerb.

What it finds is a floor: low confidence, made to be found again, never to supersede. The patterns follow
Fader, Soderland and Etzioni, "Identifying Relations for Open Information Extraction" (EMNLP 2011).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..store.names import fold
from ..store.note import Note, Triplet
from .english.chunks import Chunk, chunked
from .english.clauses import clauses, segments
from .english.lexicon import VAGUE
from .english.mentions import mentions
from .english.relative_dates import find_times
from .english.said_on import resolved
from .english.statements import statements
from .english.tagging import Token, tag
from .english.tokens import sentences
from .entities import names

__all__ = ["RuleExtractor"]

_MOST_TRIPLETS = 12
_LONGEST_SIDE = 80


class RuleExtractor:
    """Finds triplets and names by rules; deterministic, in time linear in the length of the text."""

    name = "rule:2"

    def triplets(self, note: Note) -> list[Triplet]:
        """Returns at most 12 facts that the note states, in order of appearance, each once.

        Sides are spans of the text without their determiner, or the speaker for "I" and "we"; they hold since the time
        that the clause names ("last week" is resolved, see english/relative_dates.py), else since the note's. What is
        asked, denied or imagined gives none.
        """
        found: dict[tuple[str, str, str], Triplet] = {}
        for triplet in _all(note):
            if _sound(triplet):
                key = (triplet.subject.casefold(), triplet.relation, triplet.object.casefold())
                found.setdefault(key, triplet)
                if len(found) == _MOST_TRIPLETS:
                    break
        return list(found.values())

    def entities(self, note: Note) -> list[str]:
        """Returns the speaker, and the names, quoted titles and dates of the note, at most 32."""
        return names(note.text, speaker=note.speaker)

    def entities_of(self, question: str) -> list[str]:
        """Returns the names, quoted titles and dates of a question, at most 32."""
        return names(question)


def _all(note: Note) -> Iterator[Triplet]:
    quoting = False
    paired = note.text.count('"') % 2 == 0
    times = list(find_times(note.text, _said_on(note)))
    for sentence in sentences(note.text):
        tokens = resolved(tag(sentence, note.text), times)
        chunks = chunked(tokens)
        quoted, quoting = _quoting(chunks, quoting and paired)
        if not sentence.question:
            yield from _stated(chunks, tokens, note, speaker="" if quoted else note.speaker)


def _said_on(note: Note) -> str:
    """Returns what "yesterday" is relative to; an imported note without a date may be older than we know it."""
    return note.happened or ("" if note.origin == "import" else note.known)


def _quoting(chunks: Sequence[Chunk], quoting: bool) -> tuple[bool, bool]:
    """Returns whether any of a sentence is quoted speech, and whether a quotation is open after it."""
    quoted = quoting
    for place, chunk in enumerate(chunks):
        if chunk.kind == "Q":
            quoting = chunk.first.text in ("“", "``", "«") or (chunk.first.text == '"' and not quoting)
            quoted = quoting or (quoted and place > 0)  # a mark in front may end what was said before
    return quoted, quoting


def _stated(chunks: Sequence[Chunk], tokens: Sequence[Token], note: Note, *, speaker: str) -> Iterator[Triplet]:
    stated = segments(chunks, tokens)
    if not any(stated):
        return
    yield from mentions(chunks, stated, text=note.text, speaker=speaker, happened=note.happened)
    found = clauses(chunks)
    opening = [("", chunk.first) for chunk in chunks[:2] if chunk.kind == "@"]
    for clause in found:
        if stated[clause.place]:
            shared = [time for other in found if other.subjects is clause.subjects for time in other.times]
            yield from statements(clause, opening or shared, text=note.text, speaker=speaker, happened=note.happened)


def _sound(triplet: Triplet) -> bool:
    subject, object_ = fold(triplet.subject), fold(triplet.object)
    longest = max(len(triplet.subject), len(triplet.relation), len(triplet.object))
    return bool(
        subject and object_ and subject != object_ and longest <= _LONGEST_SIDE and triplet.object.lower() not in VAGUE
    )
