"""Dates that are written out in English text, with their ISO 8601 value."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["DateSpan", "find_dates"]

_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
)  # fmt: skip
_NUMBER = {name[:length]: k for k, name in enumerate(_MONTHS, 1) for length in (3, len(name))} | {"sept": 9}
_MONTH = r"(?P<month{}>(?:" + "|".join(f"{m[:3]}(?:{m[3:]})?" for m in _MONTHS) + r"|sept))\b\.?"
_DAY = r"(?P<day{}>[0-3]?[0-9])(?:st|nd|rd|th)?"
_DIGITS = r"(?P<year{}>1[0-9]{{3}}|20[0-9]{{2}})"
_YEAR = _DIGITS + r"(?![\w-]|[.,:]\d)"
_FORMS = (
    _DIGITS + r"[-/](?P<number{}>[01][0-9])(?:[-/](?P<day{}>[0-3][0-9]))?(?=T\d|[^\w/-]|$)",
    _DAY + r" (?:of )?" + _MONTH + r" ?,? " + _YEAR,
    _MONTH + r" " + _DAY + r" ?,? " + _YEAR,
    _MONTH + r" ?,? (?:of )?" + _YEAR,
    _DAY + r" (?:of )?" + _MONTH + r"(?!\w)",
    _MONTH + r" " + _DAY + r"(?!\w)(?![.:,]?\d)",
    _YEAR,
)
_DATE = re.compile(
    r"(?<![\w.$€£#-])(?:" + "|".join(form.format(*[k] * 3) for k, form in enumerate(_FORMS)) + ")",
    re.IGNORECASE,
)
_DIGIT = re.compile(r"[0-9]")


@dataclass(frozen=True, slots=True)
class DateSpan:
    """A date in a text.

    Attributes:
        start: its first character.
        end: the character after its last.
        iso: ``YYYY``, ``YYYY-MM`` or ``YYYY-MM-DD``; empty where the year is not said.
        yearless: ``MM-DD`` where the year is not said; else empty.
    """

    start: int
    end: int
    iso: str
    yearless: str = ""


def find_dates(text: str) -> Iterator[DateSpan]:
    """Yields the dates of a text in order; relative ones ("last week") are not resolved.

    A lone number is a year from 1000 to 2099. Days that no calendar has are left out.
    """
    if not _DIGIT.search(text):
        return
    for found in _DATE.finditer(text):
        parts = {name.rstrip("0123456789"): value for name, value in found.groupdict().items() if value}
        surface = found.group()
        if "month" in parts and "year" not in parts and not any(c.isupper() for c in surface):
            continue  # "may 2" is more often a modal than a month
        iso = _iso(parts)
        if iso is not None:
            yield DateSpan(found.start(), found.end(), iso, "" if iso else _yearless(parts))


def _iso(parts: dict[str, str]) -> str | None:
    month = _NUMBER[parts["month"].lower()] if "month" in parts else int(parts.get("number", 0))
    day = int(parts.get("day", 0))
    longest = monthrange(int(parts.get("year", 2000)), month)[1] if 1 <= month <= 12 else 0
    if ("number" in parts and not longest) or ("day" in parts and not 1 <= day <= longest):
        return None
    if "year" not in parts:
        return ""
    return parts["year"] + (f"-{month:02}" if month else "") + (f"-{day:02}" if day else "")


def _yearless(parts: dict[str, str]) -> str:
    return f"{_NUMBER[parts['month'].lower()]:02}-{int(parts['day']):02}"
