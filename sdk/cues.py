"""What to ask a memory for at a turn of a dialogue: the turn itself, with the turn before where it leans on that.

After SCM (Wang et al., arXiv 2304.13343): the turn just before, its "flash memory", is at hand in the history; what is
activated by it and the new turn together, the "activation memory", is recalled.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from .recall import Recall, Recollection

__all__ = ["cues", "merged"]

_LEANING = re.compile(
    r"\b(?:he|him|his|she|her|hers|they|them|their|theirs|it|its|this|that|these|those|there|then|one|ones|"
    r"same|another|other|else|also|too|instead)\b",
    re.IGNORECASE,
)
_OPENING = re.compile(r"\s*(?:and|but|so|or|what about|how about|why|really)\b", re.IGNORECASE)
_TERSE = 4  # words
_TERSE_UNSPACED = 12  # characters of a turn in a script without spaces, where a whole sentence is one "word"
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_LONGEST = 2_000  # characters of the turn before: what it was about, and well within what a question may have


def cues(text: str, before: Sequence[str]) -> list[str]:
    """Returns what to ask for: the turn, with the turn before it where it says little alone.

    Args:
        text: the newest turn.
        before: what the same person said before, oldest first; of the last, its first 2,000 characters are asked.
    """
    leans = _LEANING.search(text) or _OPENING.match(text) or _terse(text)
    return [f"{before[-1][:_LONGEST]}\n{text}"] if before and leans else [text]


def merged(recalls: Sequence[Recall], k: int) -> Recall:
    """Returns the best of several recalls as one: a memory counts with the sum of its shares of each one's best score.

    Args:
        recalls: at least one; the first names what was asked.
        k: most memories.
    """
    if len(recalls) == 1:
        return recalls[0][:k]
    total: dict[int, float] = {}
    found: dict[int, Recollection] = {}
    for recall in recalls:
        best = max((one.score for one in recall), default=0.0)
        for one in recall:
            num = one.note.num
            total[num] = total.get(num, 0.0) + (one.score / best if best > 0 else 0.0)
            found.setdefault(num, one)
    order = sorted(found, key=lambda num: (-total[num], num))[:k]
    return recalls[0].of([replace(found[num], score=total[num]) for num in order])


def _terse(text: str) -> bool:
    if _UNSPACED.search(text):  # Thai, Lao, Burmese, Khmer, Chinese, Japanese
        return len("".join(text.split())) <= _TERSE_UNSPACED
    return len(text.split()) <= _TERSE
