"""Whether a clause speaks of what was or of what is to come."""

from __future__ import annotations

import re

from .verbs import VERB_FORMS

__all__ = ["tense_at"]

_WINDOW = 120  # characters to each side in which a verb is looked for
_END = re.compile(r"[.!?;\n…]")
_FUTURE = re.compile(
    r"['’]ll\b|\b(?:will|won['’]t|shall|gonna|going to|about to|plan|plans|planning|planned for|hope|hoping|upcoming"
    r"|tomorrow|soon|scheduled|due|(?:can['’]?t|cannot) wait|looking forward|excited (?:for|about)|see (?:you|ya)"
    r"|let['’]?s|invited|would like|want to|need to|have to|(?:am|is|are|['’](?:m|re|s)) (?:\w+ly )?\w{2,}ing)\b",
    re.IGNORECASE,
)
_PASSIVE = re.compile(
    r"\b(?:be|being|get|getting) (?:\w+ly )?$", re.IGNORECASE
)  # "married" in "getting married" is not past
_WORD = re.compile(r"\b[^\W\d_]+\b")
_PAST = frozenset(("was", "were", "had", "did", "been", "ago", "yesterday", "back"))


def tense_at(text: str, start: int, end: int) -> int:
    """Returns -1 where the verb nearest to a span of a text is past, 1 where it is future, 0 where there is none.

    Only the span's own sentence is looked at, 120 characters to each side of it.
    """
    left, right = text[max(0, start - _WINDOW) : start], text[end : end + _WINDOW]
    ends = [found.end() for found in _END.finditer(left)]
    left = left[ends[-1] :] if ends else left
    stop = _END.search(right)
    right = right[: stop.start()] if stop else right
    nearest = min(
        (
            (distance, tense)
            for part, before in ((left, True), (right, False))
            for first, past, tense in _cues(part)
            for distance in [len(part) - past if before else first]
        ),
        default=(0, 0),
    )
    return nearest[1]


def _cues(part: str) -> list[tuple[int, int, int]]:
    """Returns (first character, character after the last, tense) of what tells a tense; future covers its own verb."""
    future = [(found.start(), found.end(), 1) for found in _FUTURE.finditer(part)]
    past = [
        (found.start(), found.end(), -1)
        for found in _WORD.finditer(part)
        if _is_past(found.group().lower())
        and not any(a <= found.start() < b for a, b, _ in future)
        and not _PASSIVE.search(part, 0, found.start())
    ]
    return future + past


def _is_past(word: str) -> bool:
    base, kind = VERB_FORMS.get(word, ("", ""))
    return word in _PAST or (kind in ("d", "n") and base != word)
