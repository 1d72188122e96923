"""Sentences and words of a text, with their places in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .lexicon import TITLES

__all__ = ["Sentence", "Word", "sentences"]

_WORDS = (
    r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+",  # ada@example.org; bounded, or a run of dots would take quadratic time
    r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)]",
    r"(?:[^\W\d_]\.){2,}",  # U.S.
    r"\+?\d+(?:[.,:/-]\d+)*\w*%?",
    r"\w[\w\u0300-\u036f]*(?:[-'’&]\w[\w\u0300-\u036f]*)*",
    r"['’](?:s|m|re|ve|ll|d)\b",
)
_TOKEN = re.compile(
    r"(?P<line>\n\s*)"
    rf"|(?P<word>{'|'.join(_WORDS)})"
    r"|(?P<end>[.!?…。！？]+)"
    r"|(?P<mark>``|''|(?P<same>[^\w\s])(?P=same){3,}|[^\w\s])"
)
_CLITICS = ("n't", "'s", "'m", "'re", "'ve", "'ll", "'d")
# A run of words without an end is cut here: grammar beyond it is not to be trusted, and time stays linear.
_LONGEST = 160


@dataclass(frozen=True, slots=True)
class Word:
    """A word, number or mark and where it stands in its text."""

    text: str
    lower: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """The words of one sentence, its end mark left out."""

    words: list[Word]
    question: bool


def sentences(text: str) -> Iterator[Sentence]:
    """Yields the sentences of a text that have words, one after the other, in time linear in its length.

    An abbreviation ("Dr.", "J.") ends none; a line break does unless a lower-case letter follows it.
    """
    words: list[Word] = []
    for token in _TOKEN.finditer(text):
        kind, surface, start, end = token.lastgroup, token.group(), token.start(), token.end()
        question = kind == "end" and ("?" in surface or "？" in surface)
        if kind == "word":
            words.extend(_split(surface, start))
        elif kind == "mark":
            words.append(Word(surface, surface, start, end))
        elif not words:
            continue
        over = kind == "line" and not text[end : end + 1].islower()
        if over or len(words) >= _LONGEST or (kind == "end" and _ends(surface, words[-1], text, end)):
            if _speaks(words):
                yield Sentence(words, question)
            words = []
    if _speaks(words):
        yield Sentence(words, False)


def _speaks(words: list[Word]) -> bool:
    return any(word.text[0].isalpha() for word in words)


def _split(surface: str, start: int) -> Iterator[Word]:
    """Parts a clitic from its word: "Ada's" is "Ada" and "'s", "don't" is "do" and "n't"."""
    lower = surface.lower().replace("’", "'")
    if "'" in lower:
        for clitic in _CLITICS:
            cut = len(surface) - len(clitic)
            if lower.endswith(clitic) and cut > 0:
                yield Word(surface[:cut], lower[:cut], start, start + cut)
                yield Word(surface[cut:], clitic, start + cut, start + len(surface))
                return
    yield Word(surface, lower, start, start + len(surface))


def _ends(mark: str, last: Word, text: str, end: int) -> bool:
    if mark != ".":
        return mark.strip(".…") != "" or not text[end : end + 2].strip()[:1].islower()
    initial = len(last.text) == 1 and last.text.isupper() and last.text != "I"
    if initial or last.lower in TITLES:
        return end >= len(text) or text[end] == "\n"
    following = text[end : end + 4].lstrip("\"'”’) \t")
    return not following[:1].islower() and (end >= len(text) or not text[end].isalnum())
