"""Times in English text, resolved against the day on which it was said.

A time becomes whole days, [since, until). The rules, where English leaves a choice:

- A week goes from Monday to Sunday; "last week" is the calendar week before, "the past week" the seven days up to
  now. A weekend is Saturday and Sunday. Seasons are those of the northern hemisphere (winter begins in December).
- "last Friday" is the nearest Friday before, "next Friday" the nearest after, "this Friday" that of the same week.
- "two weeks ago" is the seven days around that day; "two months ago" and "two years ago" the calendar month and
  year; "a couple" is two, "a few" two to five.
- "in March", "on the 5th", "on Friday", "at Christmas" and "March 9" name no direction: the nearest before (or now)
  unless the clause speaks of the future. "On Friday" in a clause without a past or future verb is left alone.
- "the week before" and "the next day" follow the time that the text named last; without one they are left alone,
  and so is what no rule names ("recently", "my birthday", "every Friday", "the last week of school").
- What is finer than the anchor is left alone: of 2024 nobody knows its yesterday. Without an anchor only dates
  that say their year are found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

from .dates import DateSpan, find_dates
from .periods import PRECISIONS, Period, first_day, part, period_of, unit_of, weekday_of
from .time_grammar import BEFORE_DATE, RULES
from .time_rules import RESOLVERS, Resolved, Said, away, next_to, of_year, toward, unit_named, weekday_named

__all__ = ["TimeSpan", "find_times"]

_LEAD = 40  # characters that may make another time of the date after them
_DAY = timedelta(1)
_NTH = ("first", "second", "third")


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """A time in a text.

    Attributes:
        start: its first character.
        end: the character after its last.
        since: the first day that it may mean.
        until: the day after the last.
        precision: how exactly it is said: "day", "weekend", "week", "month", "season", "year" or "decade".
        confidence: 1.0 for a date with its year, lower where a rule had to choose.
    """

    start: int
    end: int
    since: date
    until: date
    precision: str
    confidence: float


def find_times(text: str, anchor: str = "") -> Iterator[TimeSpan]:
    """Yields the times of a text in order, none within another, in time linear in its length.

    Args:
        text: in English; anything else is read and yields little.
        anchor: when it was said, ISO 8601: a year, a month, a day, or a date-time, of which the day that is written
            counts, whatever its zone. Empty if unknown.

    Raises:
        ValueError: an anchor that is no date.
    """
    day, precision = first_day(anchor) if anchor else (date.min, "")
    finest = PRECISIONS.index(precision) if precision else len(PRECISIONS)
    said = Said(text, day)
    past = 0
    for start, end, find, exact in sorted(_finds(text), key=lambda one: (one[0], -one[1])):
        if start < past:
            continue
        try:
            resolved = find(said)
        except (ValueError, OverflowError):  # a day that no calendar has, or before the year 1
            continue
        if resolved is None:
            continue
        period, confidence = resolved
        if period.start < period.end and (exact or PRECISIONS.index(period.precision) >= finest):
            past, said.named = end, period
            yield TimeSpan(start, end, period.start, period.end, period.precision, confidence)


def _finds(text: str) -> Iterator[tuple[int, int, Callable[[Said], Resolved], bool]]:
    """Yields what may be a time: its place, what resolves it, and whether it needs no anchor."""
    for written in find_dates(text):
        low = max(0, written.start - _LEAD)
        lead = BEFORE_DATE.search(text[low : written.start])
        exact = bool(written.iso)
        if lead:
            yield low + lead.start(), written.end, partial(_beside, written, lead), exact
        yield written.start, written.end, partial(_written, written), exact
    lower = text.lower()
    for name, signs, pattern in RULES:
        for found in pattern.finditer(text) if any(sign in lower for sign in signs) else ():
            start, end = found.span("time") if "time" in pattern.groupindex else found.span()
            yield start, end, partial(RESOLVERS[name], found), False


def _written(written: DateSpan, said: Said) -> Resolved:
    if written.iso:
        if len(written.iso) == 4 and _counts(said.text[written.end : written.end + 20]):
            return None
        return period_of(written.iso), 1.0
    month, day = int(written.yearless[:2]), int(written.yearless[3:])
    return toward(lambda year: unit_of(date(year, month, day), "day"), said, said.tense(written.start, written.end))


def _counts(after: str) -> bool:
    """Whether a number counts what follows it, and names no year ("2022 metres")."""
    word = re.match(r" ([a-z]{3,}s)\b", after)
    return word is not None and word[1] not in ("was", "has", "does", "this", "olympics", "its", "elections")


def _beside(written: DateSpan, lead: re.Match[str], said: Said) -> Resolved:
    """Of "the Friday before 15 July 2023", "two weeks before …", "the week of …", "summer 2022", "early May 2023"."""
    resolved = _written(written, said)
    if resolved is None:
        return None
    period, confidence = resolved
    groups = {name: value.lower() for name, value in lead.groupdict().items() if value}
    if "part" in groups:
        return part(period, groups["part"]), confidence
    if "season" in groups or "holiday" in groups:
        if period.precision != "year":
            return None
        return of_year(groups, period.start.year), confidence
    side, unit = groups["side"], unit_named(groups.get("unit", "day"))
    if "nth" in groups:
        nth = _nth(groups, unit, period)
        return (nth, confidence) if nth else None
    if side in ("of", "in"):
        return (unit_of(period.start, unit), confidence) if side == "of" and unit in ("week", "weekend") else None
    if PRECISIONS.index(period.precision) > PRECISIONS.index(unit):
        return None
    sign = 1 if side in ("after", "following") else -1
    if "weekday" in groups:
        return weekday_of(period.start, weekday_named(groups["weekday"]), sign), confidence
    if "count" in groups:
        return away(period.start, unit, sign, groups["count"])
    return next_to(period.start, unit, sign), confidence


def _nth(groups: Mapping[str, str], unit: str, period: Period) -> Period | None:
    """Returns the first, second, third or last week, weekend or weekday that begins within a period, if it has one."""
    days = [period.start + n * _DAY for n in range(min(366, (period.end - period.start).days))]
    if "weekday" in groups:
        found = [unit_of(day, "day") for day in days if day.weekday() == weekday_named(groups["weekday"])]
    else:
        found = [one for day in days if (one := unit_of(day, unit)).start == day]
    return next(iter(found[-1:] if groups["nth"] == "last" else found[_NTH.index(groups["nth"]) :]), None)
