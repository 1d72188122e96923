"""What a question says beside a name: the phrases that may mean relations, in the order one would walk them.

"What is the job of the wife of Ada's father?" starts from Ada. What stands behind a name is walked first and as it
stands (father), then what stands before it, backwards (wife, job): that is how English nests.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from itertools import accumulate

from ..store.names import fold
from ..store.words import STOP

__all__ = ["LONGEST_PHRASE", "Phrase", "Wording", "wordings"]

_LONGEST_NAME = 12  # words
LONGEST_PHRASE = 4
"""Words of one."""
_WORDS = 60  # of a question
_STARTS = 3  # names
_BREAK = re.compile(r"['’]s\b|[,;:?!()]")  # no phrase goes across: "father's mother" is two
_ENDING = frozenset("for from in of on at to with by".split())  # "work for", "die from"
_ANSWERED = frozenset("name kind type sort".split())  # "the name of the mother" is the mother
_ASKING = frozenset("where when".split())  # they say what the last relation is about: "where ... die"


@dataclass(frozen=True, slots=True)
class Phrase:
    """Some words of a question that stand together.

    Attributes:
        text: the words.
        start: place of its first word in the order of walking.
        end: place behind its last word there.
        asked: the words with "where" or "when" before them, for a phrase that all else is said with; else empty.
    """

    text: str
    start: int
    end: int
    asked: str = ""


@dataclass(frozen=True, slots=True)
class Wording:
    """What a question says beside one name.

    Attributes:
        name: the folded name.
        phrases: of at most four words; they overlap.
        before: for each place in the order of walking, how many telling words stand before it, and last how many
            there are.
    """

    name: str
    phrases: tuple[Phrase, ...]
    before: tuple[int, ...]

    def skipped(self, start: int, end: int | None = None) -> int:
        """Returns how many telling words lie between two places."""
        return self.before[-1 if end is None else end] - self.before[start]


def wordings(question: str, names: Container[str]) -> list[Wording]:
    """Returns what a question says beside each name in it, for at most three; none that says nothing.

    Args:
        question: in plain words.
        names: the folded names there are; the longest match at each word counts.
    """
    words, breaks = _words(question)
    large = [fold(written).split() for written in question.split() if written != written.lower()]
    written_large = {word for parts in large for word in parts} - STOP
    found: list[Wording] = []
    place = 0
    while place < len(words) and len(found) < _STARTS:
        for end in range(min(place + _LONGEST_NAME, len(words)), place, -1):
            name = " ".join(words[place:end])
            if written_large and written_large.isdisjoint(words[place:end]):
                continue  # who writes names large means no "country" and no "song"
            if name in names and not STOP.issuperset(words[place:end]):
                made = _beside(name, words, breaks, place, end)
                found += [made] if made.phrases else []
                place = end
                break
        else:
            place += 1
    return found


def _words(question: str) -> tuple[list[str], list[bool]]:
    """Returns the words, folded, and for each whether a phrase cannot go on with it."""
    words: list[str] = []
    breaks: list[bool] = []
    for part in _BREAK.split(question):
        folded = fold(part).split()
        words += folded
        breaks += [place == 0 for place in range(len(folded))]
    return words[:_WORDS], breaks[:_WORDS]


def _beside(name: str, words: Sequence[str], breaks: Sequence[bool], start: int, end: int) -> Wording:
    behind = len(words) - end
    order = [*range(end, len(words)), *reversed(range(start))]
    telling = [words[place] not in STOP and words[place] not in _ANSWERED for place in order]
    before = tuple(accumulate(telling, initial=0))
    question_word = next((word for word in words if word in _ASKING), "")
    phrases = []
    for low, high in ((end, len(words)), (0, start)):
        for first in range(low, high):
            for last in range(first, min(high, first + LONGEST_PHRASE)):
                if last > first and breaks[last]:
                    break
                if not _whole(words, breaks, first, last, high):
                    continue
                text = " ".join(words[first : last + 1])
                places = (first - end, last - end) if low else (behind + start - 1 - last, behind + start - 1 - first)
                asked = f"{question_word} {text}" if question_word and before[places[1] + 1] == before[-1] else ""
                phrases.append(Phrase(text, places[0], places[1] + 1, asked))
    return Wording(name, tuple(phrases), before)


def _whole(words: Sequence[str], breaks: Sequence[bool], first: int, last: int, high: int) -> bool:
    """Whether words make a phrase: telling ones at both ends, or a preposition that nothing follows at the end."""
    if words[first] in STOP or words[first] in _ANSWERED:
        return False
    closed = last + 1 == high or breaks[last + 1]
    return words[last] not in STOP or (words[last] in _ENDING and closed)
