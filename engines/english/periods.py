"""Stretches of the calendar: days, weekends, weeks, months, seasons, years, and how they follow each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

__all__ = [
    "PRECISIONS",
    "SEASONS",
    "Period",
    "first_day",
    "holiday",
    "part",
    "period_of",
    "shifted",
    "unit_of",
    "weekday_of",
]

PRECISIONS = ("day", "weekend", "week", "month", "season", "year", "decade")
"""From fine to coarse."""
SEASONS = {"winter": 12, "spring": 3, "summer": 6, "autumn": 9, "fall": 9}
"""The first month of each: meteorological seasons of the northern hemisphere."""
_HOLIDAYS = {
    "christmas": (12, 25), "christmas day": (12, 25), "xmas": (12, 25), "christmas eve": (12, 24),
    "boxing day": (12, 26), "new year's eve": (12, 31), "new years eve": (12, 31), "new year's day": (1, 1),
    "new year's": (1, 1), "new years": (1, 1), "halloween": (10, 31), "valentine's day": (2, 14),
    "valentines day": (2, 14), "st. patrick's day": (3, 17), "st patrick's day": (3, 17),
}  # fmt: skip
_PARTS = {"early": 0, "start": 0, "beginning": 0, "mid": 1, "middle": 1, "late": 2, "end": 2}
_DAY = timedelta(1)


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of whole days.

    Attributes:
        start: its first day.
        end: the day after its last.
        precision: how exactly it is known, one of `PRECISIONS`.
    """

    start: date
    end: date
    precision: str

    def __contains__(self, day: date) -> bool:
        return self.start <= day < self.end


def period_of(iso: str) -> Period:
    """Returns the year, month or day of an ISO 8601 text; of a date-time the day that is written.

    Raises:
        ValueError: not such a text, or the last year or month that the calendar has.
        OverflowError: its last day.
    """
    return unit_of(*first_day(iso))


def first_day(iso: str) -> tuple[date, str]:
    """Returns the first day of an ISO 8601 text, and whether it is a "year", a "month" or a "day".

    Raises:
        ValueError: not such a text.
    """
    precision = {4: "year", 7: "month"}.get(len(iso), "day")
    return date.fromisoformat(f"{iso}-01-01"[:10] if len(iso) < 10 else iso[:10]), precision


def unit_of(day: date, unit: str) -> Period:
    """Returns the unit that a day is in; for "weekend", that of its week (Monday to Sunday)."""
    if unit == "day":
        return Period(day, day + _DAY, unit)
    if unit in ("week", "weekend"):
        monday = day - day.weekday() * _DAY
        return Period(monday + (5 * _DAY if unit == "weekend" else 0 * _DAY), monday + 7 * _DAY, unit)
    if unit == "month":
        first = day.replace(day=1)
        return Period(first, _months_on(first, 1), unit)
    if unit == "season":
        first = _months_on(day.replace(day=1), -(day.month % 3))
        return Period(first, _months_on(first, 3), unit)
    years = 10 if unit == "decade" else 1
    first = date(max(1, day.year - day.year % years), 1, 1)
    return Period(first, date(first.year + years, 1, 1), unit)


def shifted(day: date, unit: str, count: int) -> Period:
    """Returns the unit that lies ``count`` units after (before, if negative) the one that a day is in."""
    if unit == "day":
        return unit_of(day + count * _DAY, unit)
    if unit in ("week", "weekend"):
        return unit_of(day + 7 * count * _DAY, unit)
    if unit in ("month", "season"):
        return unit_of(_months_on(day.replace(day=1), count * (1 if unit == "month" else 3)), unit)
    return unit_of(date(day.year + count * (10 if unit == "decade" else 1), 1, 1), unit)


def weekday_of(day: date, weekday: int, direction: int) -> Period:
    """Returns the nearest such weekday (0 is Monday) before (-1) or after (1) a day, or in its week (0)."""
    if direction == 0:
        return unit_of(day + (weekday - day.weekday()) * _DAY, "day")
    away = (day.weekday() - weekday if direction < 0 else weekday - day.weekday()) % 7 or 7
    return unit_of(day + direction * away * _DAY, "day")


def holiday(name: str, year: int) -> Period:
    """Returns a holiday that has a fixed date, or Thanksgiving as in the United States.

    Raises:
        KeyError: no such holiday.
    """
    if name == "thanksgiving":
        return unit_of(weekday_of(date(year, 10, 31), 3, 1).start + 21 * _DAY, "day")
    month, day = _HOLIDAYS[name]
    return unit_of(date(year, month, day), "day")


def part(period: Period, name: str) -> Period:
    """Returns the first, middle or last third of a period: "early", "mid", "the end of"."""
    which, third = _PARTS[name], (period.end - period.start) / 3
    start, end = period.start + which * third, period.start + (which + 1) * third
    return Period(start, period.end if which == 2 else max(end, start + _DAY), period.precision)


def _months_on(first: date, count: int) -> date:
    months = first.year * 12 + first.month - 1 + count
    return date(months // 12, months % 12 + 1, 1)
