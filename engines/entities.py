"""Names of what a text is about: capitalised spans, quoted titles and dates.

On multi-hop questions the passages that belong together share such a span more often than they share a side
of a triplet, so the graph is built on these.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from heapq import merge

from .english.dates import find_dates
from .english.lexicon import CLOSED, COMMON, NAME_LINKS, TITLES

__all__ = ["names"]

_MOST = 32
_LONGEST = 80
_WORD = re.compile(r"\w[\w\u0300-\u036f]*(?:[-'’&]\w[\w\u0300-\u036f]*)*")
_LOWER = re.compile(r"\b[^\W\d_A-Z]\w*")
_QUOTED = re.compile(r'"([^"\n]{2,80})"|“([^”\n]{2,80})”|``([^`\n]{2,80}?)\'\'|«([^»\n]{2,80})»')
_POSSESSIVE = ("'s", "’s", "'S", "’S")
_CLITIC = re.compile(r"(?:n['’]t|['’](?:s|m|re|ve|ll|d))$", re.IGNORECASE)
_NAMES_IN_LY = frozenset(("beverly", "kimberly", "waverly"))
# What may stand between two words of one name.
_GAPS = frozenset((" ", " & ", "-"))


def names(text: str, *, speaker: str = "") -> list[str]:
    """Returns what a text names, in order of appearance, the speaker first; at most 32, each once.

    Args:
        text: a note or a question.
        speaker: who says it, or empty.
    """
    found: dict[str, str] = {speaker.casefold(): speaker} if speaker else {}
    for _, surface in merge(_capitalised(text), _quoted(text)):
        found.setdefault(surface.casefold().removeprefix("the "), surface)
        if len(found) == _MOST:
            break
    return list(found.values())


def _quoted(text: str) -> Iterator[tuple[int, str]]:
    for quote in _QUOTED.finditer(text):
        inside = " ".join((quote[1] or quote[2] or quote[3] or quote[4]).split())
        parts = inside.split()
        titled = 2 * sum(part[0].isupper() for part in parts) >= len(parts)
        if inside[:1].isupper() and inside[-1] not in ".,!?" and titled and len(parts) < 9:
            yield quote.start(), inside


def _capitalised(text: str) -> Iterator[tuple[int, str]]:
    """Yields capitalised spans and dates with their places."""
    written_small = set(_LOWER.findall(text))
    dates = find_dates(text)
    date = next(dates, None)
    span: list[re.Match[str]] = []
    for word in _WORD.finditer(text):
        while date and date.end <= word.start():
            date = next(dates, None)
        dated = date is not None and date.start <= word.start()
        if span and (dated or not _continues(span[-1], word, text)):
            yield from _closed(span)
            span = []
        if date and dated:
            if date.start == word.start():
                yield date.start, " ".join(text[date.start : date.end].split())
        elif span or _begins(word, text, written_small):
            span.append(word)
    yield from _closed(span)


def _begins(word: re.Match[str], text: str, written_small: set[str]) -> bool:
    """Whether a name can begin with this word: at the start of a sentence only if it is no common word."""
    surface = word.group()
    lower = _CLITIC.sub("", surface).lower()
    if not _capital(surface) or lower in CLOSED or _first_person(surface):
        return False
    opening = text[max(0, word.start() - 3) : word.start()].rstrip(" \"'“‘(*-")
    if opening and opening[-1] not in ".!?:;…\n" and word.start() > 2:
        return True
    adverb = lower.endswith("ly") and len(lower) > 6 and lower not in _NAMES_IN_LY
    return not adverb and lower not in COMMON and lower not in written_small


def _continues(last: re.Match[str], word: re.Match[str], text: str) -> bool:
    """Whether a word goes on with the name that the last one is part of."""
    gap = text[last.end() : word.start()]
    abbreviated = gap == ". " and (len(last.group()) == 1 or last.group().lower() in TITLES)
    if (gap not in _GAPS and not abbreviated) or last.group().endswith(_POSSESSIVE):
        return False
    surface = word.group()
    if _capital(surface):
        return not _first_person(surface)
    return surface in NAME_LINKS or (surface.isdigit() and len(surface) < 4 and gap == " ")


def _closed(span: list[re.Match[str]]) -> Iterator[tuple[int, str]]:
    """Yields the finished name, without links or a possessive at its end."""
    while span and span[-1].group() in NAME_LINKS:
        span.pop()
    if span:
        surface = _bare(span[0].string[span[0].start() : span[-1].end()])
        if len(surface) <= _LONGEST:
            yield span[0].start(), surface


def _bare(surface: str) -> str:
    return surface[:-2] if surface.endswith(_POSSESSIVE) else surface


def _first_person(surface: str) -> bool:
    return surface == "I" or surface.startswith(("I'", "I’"))


def _capital(surface: str) -> bool:
    return surface != surface.lower()
