"""What to ask a memory for at a turn of a dialogue: the turn itself, and where it leans on the one before, both.

After SCM (Wang et al., arXiv 2304.13343): the turn just before, its "flash memory", is at hand in the history; what is
activated by it and the new turn together, the "activation memory", is recalled.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["cues"]

_LEANING = re.compile(
    r"\b(?:he|him|his|she|her|hers|they|them|their|theirs|it|its|this|that|these|those|there|then|one|ones|"
    r"same|another|other|else|also|too|instead)\b",
    re.IGNORECASE,
)
_OPENING = re.compile(r"\s*(?:and|but|so|or|what about|how about|why|really)\b", re.IGNORECASE)
_TERSE = 4  # words


def cues(text: str, before: Sequence[str]) -> list[str]:
    """Returns what to ask for: the turn, and with the turn before it where it says little alone.

    Args:
        text: the newest turn.
        before: what the same person said before, oldest first.
    """
    leans = _LEANING.search(text) or _OPENING.match(text) or len(text.split()) <= _TERSE
    return [text, f"{before[-1]}\n{text}"] if before and leans else [text]
