"""What each form of a time means, counted from the day on which it was said."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from .periods import PRECISIONS, SEASONS, Period, holiday, part, shifted, unit_of, weekday_of
from .tense import tense_at
from .time_grammar import COUNTS, MONTHS, NO_SINGLE_DAY, WEEKDAYS

__all__ = ["RESOLVERS", "Resolved", "Said", "away", "next_to", "of_year", "toward", "unit_named", "weekday_named"]

_DAY = timedelta(1)
_FEW = (2, 5)
_BACK = ("last", "this past", "past", "previous")
_ONWARD = ("next", "this coming", "coming", "upcoming")
Resolved = tuple[Period, float] | None
"""What was meant, and how sure that is; None where that cannot be told."""


@dataclass(slots=True)
class Said:
    """What a rule may look at: the text, the day it was said, and the time that was named last."""

    text: str
    day: date
    named: Period | None = None

    def tense(self, start: int, end: int) -> int:
        """Returns -1, 0 or 1: whether the verb nearest to a place speaks of the past, of neither, or of the future."""
        return tense_at(self.text, start, end)


def _near(found: re.Match[str], said: Said) -> Resolved:
    lower = found.group().lower()
    away = {"the day before yesterday": -2, "the day after tomorrow": 2, "last night": -1}.get(lower)
    if away is None:
        away = -1 if lower.startswith("yesterday") else 1 if lower.startswith("tomorrow") else 0
    return shifted(said.day, "day", away), 0.95


def _skipped(found: re.Match[str], said: Said) -> Resolved:
    away = -2 if found["skipped"].lower() == "before last" else 2
    return shifted(said.day, unit_named(found["unit"]), away), 0.9


def _which(found: re.Match[str], said: Said) -> Resolved:
    groups = {name: value.lower() for name, value in found.groupdict().items() if value}
    which = groups["which"]
    sign = -1 if which in _BACK else 1 if which in _ONWARD else 0
    if "weekday" in groups:
        if not _is_weekday(found["weekday"]):
            return None
        return weekday_of(said.day, weekday_named(groups["weekday"]), sign), 0.6 if sign > 0 else 0.9
    if "unit" in groups:
        if which == "past" or (groups["unit"] == "day" and sign <= 0) or _definite(said.text, found):
            return None
        period, confidence = shifted(said.day, unit_named(groups["unit"]), sign * _units(groups["unit"])), 0.9
    else:
        period, confidence = _named_year(groups, said.day, sign)
    if "part" in groups:
        period = part(period, groups["part"])
    elif "side" in groups:
        if said.day not in period:
            return None
        first, last = (period.start, said.day + _DAY) if groups["side"] == "earlier" else (said.day + _DAY, period.end)
        period = Period(first, last, period.precision)
    return period, confidence


def _definite(text: str, found: re.Match[str]) -> bool:
    """Whether "the" stands before: "the next week" is not the week after this one."""
    return not found["part"] and text[max(0, found.start() - 4) : found.start()].lower() == "the "


def _stretch(found: re.Match[str], said: Said) -> Resolved:
    onward = found["way"].lower() in ("next", "coming")
    if found["lone"]:
        if found["way"].lower() != "past":
            return None
        unit, counts = found["lone"].lower(), (1, 1)
    else:
        unit, counts = unit_named(found["unit"]), _counted(found["count"])
    if unit == "weekend":
        return None
    edge = _moved(said.day, unit, counts[1] * _units(found["unit"] or "") * (1 if onward else -1))
    return Period(*((said.day + _DAY, edge + _DAY) if onward else (edge, said.day + _DAY)), unit), 0.8


def _counted_away(found: re.Match[str], said: Said) -> Resolved:
    sign = -1 if found["way"].lower() in ("ago", "back") else 1
    if re.search(r"(?:\band|\bor|\bto|[–-]) $", said.text[max(0, found.start() - 5) : found.start()], re.IGNORECASE):
        return None  # "a year or two ago", "two to three weeks ago"
    return _from(found, said, sign)


def _ahead(found: re.Match[str], said: Said) -> Resolved:
    return None if said.tense(*found.span()) < 0 else _from(found, said, 1)  # "finished it in two weeks"


def _from(found: re.Match[str], said: Said, sign: int) -> Resolved:
    if found["clock"]:
        return unit_of(said.day, "day"), 0.6
    weekday = found.groupdict().get("weekday")
    if weekday:
        low, high = _counted(found["count"])
        nearest = weekday_of(said.day, weekday_named(weekday), sign)
        return (shifted(nearest.start, "day", sign * 7 * (low - 1)), 0.9) if low == high else None
    return away(said.day, unit_named(found["unit"]), sign, found["count"], times=_units(found["unit"]))


def away(day: date, unit: str, sign: int, count: str, *, times: int = 1) -> Resolved:
    """Returns what lies a number of units before or after a day, as exactly as one says so."""
    low, high = (times * number for number in _counted(count))
    if unit == "week":
        first, last = sorted((day + sign * 7 * low * _DAY, day + sign * 7 * high * _DAY))
        period = Period(first - 3 * _DAY, last + 4 * _DAY, unit)
    else:
        ends = [shifted(day, unit, sign * low), shifted(day, unit, sign * high)]
        period = Period(min(end.start for end in ends), max(end.end for end in ends), unit)
    return period, 0.9 if low == high else 0.5


def next_to(day: date, unit: str, sign: int) -> Period:
    """Returns the unit right before (-1) or after (1) that of a day; the weekend after a weekday is near."""
    this = unit_of(day, unit)
    return this if unit == "weekend" and sign > 0 and this.start > day else shifted(day, unit, sign)


def _following(found: re.Match[str], said: Said) -> Resolved:
    unit = unit_named(found["unit"] or found["same"])
    if said.named is None or PRECISIONS.index(said.named.precision) > PRECISIONS.index(unit):
        return None
    onward = (found["then"] or found["side"]).lower() in ("next", "following", "after")
    return next_to(said.named.start, unit, 1 if onward else -1), 0.6


def _named(found: re.Match[str], said: Said) -> Resolved:
    groups = {name: value.lower() for name, value in found.groupdict().items() if value}
    if "month" in groups and not found["month"][0].isupper():
        return None
    resolved = toward(lambda year: of_year(groups, year), said, said.tense(*found.span()))
    if resolved and "part" in groups:
        return part(resolved[0], groups["part"]), resolved[1]
    return resolved


def _weekday_alone(found: re.Match[str], said: Said) -> Resolved:
    if not _is_weekday(found["weekday"]) or NO_SINGLE_DAY.search(said.text[max(0, found.start() - 12) : found.start()]):
        return None
    sign = said.tense(*found.span())
    return (weekday_of(said.day, weekday_named(found["weekday"]), sign), 0.6) if sign else None


def _weekend(found: re.Match[str], said: Said) -> Resolved:
    sign = said.tense(*found.span())
    return (next_to(said.day, "weekend", sign), 0.6) if sign else None


def _ordinal(found: re.Match[str], said: Said) -> Resolved:
    sign, nth = said.tense(*found.span()) or -1, int(found["nth"])
    for away in range(13):
        month = shifted(said.day, "month", sign * away)
        if 1 <= nth <= (month.end - month.start).days:
            day = month.start + (nth - 1) * _DAY
            if (day <= said.day) if sign < 0 else (day > said.day):
                return unit_of(day, "day"), 0.6
    return None


def toward(make: Callable[[int], Period], said: Said, sign: int) -> Resolved:
    """Returns the nearest of a yearly time: before the day or around it; after it where the clause is of the future."""
    for year in range(said.day.year - 8, said.day.year + 9)[:: 1 if sign > 0 else -1]:
        try:
            period = make(year)
        except ValueError:  # 29 February
            continue
        if (period.end > said.day + _DAY) if sign > 0 else (period.start <= said.day):
            return period, 0.7 if sign else 0.5
    return None


def _named_year(groups: Mapping[str, str], day: date, sign: int) -> tuple[Period, float]:
    """Returns the season, month or holiday that is the last over, the next to begin, or this year's."""
    years = [of_year(groups, day.year + away) for away in (-2, -1, 0, 1, 2)]
    if sign < 0:
        return [period for period in years if period.end <= day][-1], 0.8
    if sign > 0:
        return next(period for period in years if period.start > day), 0.6
    return next((period for period in years if day in period), years[2]), 0.8


def of_year(groups: Mapping[str, str], year: int) -> Period:
    """Returns the month, season or holiday that a match names, in a year."""
    if "month" in groups:
        return unit_of(date(year, MONTHS.index(groups["month"]) + 1, 1), "month")
    if "season" in groups:
        return unit_of(date(year, SEASONS[groups["season"]], 1), "season")
    return holiday(groups["holiday"].replace("’", "'"), year)


def _counted(count: str) -> tuple[int, int]:
    words = count.lower().removesuffix(" of").split()
    if words[-1] == "few":
        return _FEW
    number = 2 if words[-1] == "couple" else COUNTS[words[-1]] if words[-1] in COUNTS else int(words[-1])
    return number, number


def _moved(day: date, unit: str, count: int) -> date:
    if unit in ("day", "week"):
        return day + count * (7 if unit == "week" else 1) * _DAY
    month = shifted(day, "month", count * {"month": 1, "year": 12}.get(unit, 120))
    return min(month.start + (day.day - 1) * _DAY, month.end - _DAY)


def unit_named(name: str) -> str:
    """Returns the unit that a word counts in."""
    return {"night": "day", "fortnight": "week"}.get(name.lower(), name.lower())


def _units(name: str) -> int:
    return 2 if name.lower() == "fortnight" else 1


def weekday_named(name: str) -> int:
    """Returns the number of a weekday, 0 for Monday, by its name or the beginning of it."""
    return next(place for place, whole in enumerate(WEEKDAYS) if whole.startswith(name[:3].lower()))


def _is_weekday(name: str) -> bool:
    """Whether a weekday is meant: "sun" and "sat" are words, "Sun" and "Sat" after "on" or "last" are days."""
    return name[0].isupper() or name.lower() in WEEKDAYS


RESOLVERS: dict[str, Callable[[re.Match[str], Said], Resolved]] = {
    "near": _near,
    "skipped": _skipped,
    "which": _which,
    "stretch": _stretch,
    "counted": _counted_away,
    "ahead": _ahead,
    "following": _following,
    "named": _named,
    "joined": _named,
    "part": _named,
    "eve": _named,
    "weekday": _weekday_alone,
    "weekend": _weekend,
    "ordinal": _ordinal,
}
