"""Gives the times of a sentence the value that they have on the day they were said."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

from .periods import unit_of
from .relative_dates import TimeSpan
from .tagging import Token

__all__ = ["iso_of", "resolved"]


def resolved(tokens: Sequence[Token], times: Sequence[TimeSpan]) -> list[Token]:
    """Returns the tokens, those of relative times with the value of the first span that they are part of.

    Args:
        tokens: of one sentence.
        times: of the whole text, in order.
    """
    made = list(tokens)
    for place, token in enumerate(tokens):
        if token.tag == "@" and not token.iso:
            at = bisect_right(times, token.start, key=lambda span: span.end)
            if at < len(times) and times[at].start < token.end:
                made[place] = replace(token, resolved=iso_of(times[at]))
    return made


def iso_of(span: TimeSpan) -> str:
    """Returns a whole year as ``2023``, a whole month as ``2023-05``, and the first day of anything else."""
    length = {"year": 4, "month": 7}.get(span.precision, 10)
    unit = unit_of(span.since, span.precision)
    return span.since.isoformat()[: length if (unit.start, unit.end) == (span.since, span.until) else 10]
