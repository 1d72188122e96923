"""Tags the words of a sentence; dates, times and brackets become one token each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .classes import class_of
from .dates import find_dates
from .lexicon import CALENDAR, NUMBERS, PREPOSITIONS, TIME_UNITS
from .tokens import Sentence, Word

__all__ = ["Token", "tag"]

_WHICH = frozenset(("last", "next", "this", "every", "each", "past"))
_VAGUE = frozenset(("few", "several", "many", "couple"))


@dataclass(frozen=True, slots=True)
class Token:
    """A word with its class.

    Attributes:
        text: as written.
        lower: in lower case, with straight apostrophes.
        start: its first character in the text.
        end: the character after its last.
        tag: one of the classes in `classes`, or "@" for a date or time, or "(" for all that brackets hold.
        iso: the value of a date, if it has one.
        resolved: the value of a time that is relative to the day it was said, if that is known.
    """

    text: str
    lower: str
    start: int
    end: int
    tag: str
    iso: str = ""
    resolved: str = ""

    @property
    def day(self) -> str:
        """The value of a date or time, written or resolved; empty if it has none."""
        return self.iso or self.resolved


def tag(sentence: Sentence, text: str) -> list[Token]:
    """Returns the tagged tokens of a sentence of ``text``."""
    words = _bracketed(sentence.words)
    times = _times(words, text)
    tokens: list[Token] = []
    place, previous, finite = 0, "^", False
    while place < len(words):
        word = words[place]
        past, iso = times.get(place, (place + 1, ""))
        if place in times:
            surface = " ".join(text[word.start : words[past - 1].end].split())
            tokens.append(Token(surface, surface.lower(), word.start, words[past - 1].end, "@", iso))
        else:
            mark = class_of(words, place, previous, finite=finite)
            finite = mark in "VXM" or (finite and mark not in "SW.")
            tokens.append(Token(word.text, word.lower, word.start, word.end, mark))
        place = past
        if tokens[-1].tag != "B":
            previous = tokens[-1].tag  # adverbs decide nothing: "can always count"
    return tokens


def _bracketed(words: Sequence[Word]) -> list[Word]:
    """Puts one "(" in the place of a bracket with all it holds; a bracket that is never closed stays."""
    kept: list[Word] = []
    opened: list[int] = []
    for word in words:
        if word.text in ")]}" and opened:
            first = opened.pop()
            kept[first:] = [Word("(", "(", kept[first].start, word.end)]
            continue
        if word.text in "([{":
            opened.append(len(kept))
        kept.append(word)
    return kept


def _times(words: Sequence[Word], text: str) -> dict[int, tuple[int, str]]:
    """Returns first word -> (word after the last, ISO value) of every date and time in the sentence."""
    found: dict[int, tuple[int, str]] = {}
    start = words[0].start
    places = {word.start: place for place, word in enumerate(words)}
    for date in find_dates(text[start : words[-1].end]):
        first = places.get(start + date.start)
        if first is None:
            continue
        last = first
        while last + 1 < len(words) and words[last].end < start + date.end:
            last += 1
        if not (len(date.iso) == 4 and last + 1 < len(words) and _measures(words[last + 1])):
            found[first] = (last + 1, date.iso)
    for place in range(len(words)):
        length = _time_at(words, place)
        if length:
            found.setdefault(place, (place + length, ""))
    return found


def _measures(word: Word) -> bool:
    """Whether a word makes the number before it a count, not a year ("2022 metres")."""
    return word.lower.endswith("s") and word.text.islower() and len(word.text) > 3


def _time_at(words: Sequence[Word], place: int) -> int:
    """Returns of how many words the relative time that begins here is made, 0 if there is none."""
    lower = words[place].lower
    if lower in CALENDAR and words[place].text[0].isupper():
        return int(place > 0 and words[place - 1].lower in PREPOSITIONS)
    following = words[place + 1].lower if place + 1 < len(words) else ""
    if following not in TIME_UNITS:
        return 2 if following in ("am", "pm") and lower[0].isdigit() else 0
    if lower in _WHICH:
        return 2
    after = words[place + 2].lower if place + 2 < len(words) else ""
    counted = lower in NUMBERS or lower.isdigit() or lower in _VAGUE
    if after in ("ago", "later", "earlier") and (counted or lower in ("a", "an")):
        return 3
    return 2 if counted and after != "old" else 0
