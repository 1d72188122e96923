"""Since when and until when a clause is true, by the dates it names."""

from __future__ import annotations

from collections.abc import Iterable

from .tagging import Token

__all__ = ["validity"]

_ENDS = frozenset(("until", "till", "to", "through"))
_UNKNOWN = frozenset(("before", "by"))


def validity(times: Iterable[tuple[str, Token]], happened: str) -> tuple[str, str]:
    """Returns the ISO 8601 start and end of validity, each empty if unknown.

    Args:
        times: prepositions and the times they govern; only dates with a value count.
        happened: the start if the clause names no date.
    """
    start = end = ""
    dated = False
    for preposition, token in times:
        if not token.day:
            continue
        dated = True
        if preposition in _ENDS:
            end = end or token.day
        elif preposition not in _UNKNOWN:
            start = start or token.day
    if not dated:
        return happened, ""
    return start, end if not start or start < end else ""
