"""The stretch of time that a question asks about: "in May 2023", "between March and May", "since 2010"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from .relative_dates import TimeSpan, find_times

__all__ = ["AskedPeriod", "asked_period"]

_BEFORE = re.compile(r"\b(before|until|till|by|since|after|from|between)(?: the)? ?$", re.IGNORECASE)
_JOINED = re.compile(r" ?(?:and|to|until|till|through|–|-) ?(?:the )?", re.IGNORECASE)
_DAY = timedelta(1)


@dataclass(frozen=True, slots=True)
class AskedPeriod:
    """What a question says of time.

    Attributes:
        since: the first day, `date.min` where it is open.
        until: the day after the last, `date.max` where it is open.
        rest: the question without its time.
    """

    since: date
    until: date
    rest: str

    def __contains__(self, day: date) -> bool:
        return self.since <= day < self.until


def asked_period(question: str, now: str) -> AskedPeriod | None:
    """Returns the time that a question asks about, or None if it names none.

    "Before" and "after" leave the day or year itself out, "since" and "until" keep it. Of several times that no
    "between … and" or "from … to" joins, the first counts.

    Args:
        question: as asked.
        now: what "last week" is relative to, ISO 8601.
    """
    times = list(find_times(question, now))
    if not times:
        return None
    first, lead = times[0], _BEFORE.search(question[: times[0].start])
    word = lead[1].lower() if lead else ""
    since, until, end = first.since, first.until, first.end
    if len(times) > 1 and word in ("between", "from") and _JOINED.fullmatch(question[first.end : times[1].start]):
        since, until, end = _joined(first, times[1])
    elif word in ("before", "until", "till", "by"):
        since, until = date.min, first.since if word == "before" else first.until
    elif word in ("since", "from", "after"):
        since, until = first.until if word == "after" else first.since, date.max
    start = lead.start() if lead else first.start
    rest = " ".join(f"{question[:start].removesuffix(' in ').removesuffix(' on ')} {question[end:]}".split())
    return AskedPeriod(since, until, rest) if since < until else None


def _joined(first: TimeSpan, second: TimeSpan) -> tuple[date, date, int]:
    """Of "between March and May 2023" the first takes the year of the second."""
    since = first.since
    if since > second.since or (second.since.year > since.year and first.confidence < second.confidence):
        year = second.since.year - (first.since.month > second.since.month)
        since = since.replace(year=year) if (since.month, since.day) != (2, 29) else date(year, 3, 1)
    return since, second.until, second.end
