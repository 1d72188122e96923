"""The forms that times take in English text, as patterns; what they mean is in relative_dates.py."""

from __future__ import annotations

import re

from .periods import SEASONS

__all__ = ["BEFORE_DATE", "COUNTS", "MONTHS", "NO_SINGLE_DAY", "RULES", "WEEKDAYS"]

MONTHS = "january february march april may june july august september october november december".split()
WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
COUNTS = {
    word: count
    for count, word in enumerate("zero one two three four five six seven eight nine ten eleven twelve".split())
} | {"a": 1, "an": 1, "fifteen": 15, "twenty": 20, "thirty": 30}

_COUNT = rf"(?P<count>\d{{1,3}}|(?:a )?(?:couple|few)(?: of)?|{'|'.join(COUNTS)})"
_UNIT = r"(?P<unit>day|night|weekend|week|fortnight|month|year|decade)"
_CLOCK = r"(?P<clock>hour|minute)"
_WEEKDAY = (
    r"(?P<weekday>mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:r(?:s(?:day)?)?)?|fri(?:day)?|sat(?:urday)?"
    r"|sun(?:day)?)"
)
_MONTH = rf"(?P<month>{'|'.join(MONTHS)})"
_SEASON = rf"(?P<season>{'|'.join(SEASONS)})"
_HOLIDAY = (
    r"(?P<holiday>christmas(?: eve| day)?|xmas|boxing day|new year['’]?s(?: eve| day)?|halloween|thanksgiving"
    r"|valentine['’]?s day|st\.? patrick['’]s day)"
)
_PART = r"(?:the )?(?P<part>early|mid|late|start|beginning|middle|end)(?: of the | of | in |-| )"
_HOURS = r"(?: (?:morning|afternoon|evening|night))?"
_SINCE = r"(?:(?:back )?in|since|by|until|till|during|of|from|through|for|over|before|after|on|at|around|between)"
_ALONE = r"(?= ?(?:[.,;:!?)\n]|$)| (?:i|we|he|she|they|it|and|at|with|to|for|because|so|but)\b)"

# Longer forms win where two begin at one place; what stands before (?P<time>) is no part of the expression.
_FORMS = {
    "near": rf"the day before yesterday|the day after tomorrow|(?:yesterday|tomorrow){_HOURS}|(?:earlier |later )?today"
    r"|tonight|last night|this (?:morning|afternoon|evening)",
    "skipped": rf"the {_UNIT} (?P<skipped>before last|after next)",
    "which": rf"(?:{_PART}|(?P<side>earlier|later) )?(?P<which>last|this past|past|previous|this coming|this|next"
    rf"|coming|upcoming) (?:{_UNIT}|{_SEASON}|{_WEEKDAY}{_HOURS}|{_MONTH}|{_HOLIDAY})(?! (?:of|before|after) )",
    "stretch": rf"the (?P<way>last|past|next|coming) (?:{_COUNT} {_UNIT}s?|(?P<lone>week|month|year))(?! of )",
    "counted": rf"{_COUNT} (?:{_UNIT}|{_WEEKDAY}|{_CLOCK})s? (?P<way>ago|back|from (?:now|today))",
    "ahead": rf"in (?:about |around )?{_COUNT} (?:{_UNIT}|{_CLOCK})s?(?:['’] time)?",
    "following": r"the (?:(?P<then>next|following|previous) (?P<unit>day|week|weekend|month|year)"
    rf"|(?P<same>day|night|week|weekend|month|year) (?P<side>before|after)){_ALONE}",
    "named": rf"(?:{_SINCE} )(?P<time>{_MONTH}|{_HOLIDAY})(?! ?\d| of \d|['’])",
    "joined": rf"(?:between|from) (?:{'|'.join(MONTHS)}) (?:and|to|until|till|through) "
    rf"(?P<time>{_MONTH})(?! ?\d| of \d|['’])",
    "part": rf"(?P<time>{_PART}{_MONTH})(?! ?\d| of \d)",
    "eve": r"(?P<holiday>christmas (?:eve|day)|new year['’]?s (?:eve|day))",
    "weekday": rf"(?:(?:on|by|until|till|since) )?(?P<time>{_WEEKDAY}{_HOURS})",
    "weekend": r"(?:on|at|over|during|for) (?P<time>the weekend)",
    "ordinal": rf"(?:on|by|until|till|since) (?P<time>the (?P<nth>[0-3]?[0-9])(?:st|nd|rd|th)){_ALONE}",
}
_DAYS = tuple(name[:3] for name in WEEKDAYS)
_YEARLY = (*MONTHS, "christmas", "xmas", "boxing", "new year", "halloween", "thanksgiving", "valentine", "patrick")
# A rule is tried only where one of these stands somewhere in the text: most texts name no time at all.
_SIGNS = {
    "near": ("yesterday", "today", "tomorrow", "tonight", "last night", "this "),
    "skipped": ("before last", "after next"),
    "which": ("last ", "past ", "previous ", "this ", "next ", "coming "),
    "stretch": ("the last", "the past", "the next", "the coming"),
    "counted": (" ago", " back", " from "),
    "ahead": ("in ",),
    "following": ("the next", "the following", "the previous", " before", " after"),
    "named": _YEARLY,
    "joined": _YEARLY,
    "part": _YEARLY,
    "eve": ("christmas", "new year"),
    "weekday": _DAYS,
    "weekend": ("the weekend",),
    "ordinal": ("the ",),
}
RULES = tuple(
    (name, _SIGNS[name], re.compile(rf"(?<![\w'’.,–-])(?:{form})(?![\w-])", re.IGNORECASE))
    for name, form in _FORMS.items()
)
"""(name, what a text must hold in lower case, pattern) of each rule."""
BEFORE_DATE = re.compile(
    rf"(?<![\w-])(?:(?:the )?(?:(?P<nth>first|second|third|last) )?(?:{_COUNT} )?(?:{_UNIT}|{_WEEKDAY})s? "
    rf"(?P<side>before|after|of|in|following|prior to) |(?:the )?{_SEASON} (?:of )?|{_HOLIDAY},? (?:of )?|{_PART})$",
    re.IGNORECASE,
)
"""What may stand right before a date and make another time of it: "the Friday before", "summer of", "early"."""
NO_SINGLE_DAY = re.compile(
    r"(?:\b(?:every|each|any|most|some|many|per|an?|one|of|last|next|this|first|second|third|fourth|black|good|ash"
    r"|cyber|super|palm|happy|giving|easter|to|or)|[–—/-]) ?$",
    re.IGNORECASE,
)
"""What may stand right before the name of a weekday that means no single day."""
