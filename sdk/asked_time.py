"""What the time in a question adds to a ranking: notes of that time, by their date or by what their words name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from ..engines.english.asked_period import AskedPeriod, asked_period
from ..engines.english.periods import first_day
from ..engines.english.relative_dates import find_times
from ..store.form import Among, Cue, Hit
from ..store.note import Note
from ..store.schema import note
from ..store.store import Store

__all__ = ["asked_of", "falls_within", "of_that_time", "united"]

_READ = 4_096  # characters of a question, as for its words
_SHORT = timedelta(7)  # every note of so short a time is a candidate
_LAST = date.max
_TOLD_LATER = timedelta(31)  # how long after it happened people tell of it as "last month"


def asked_of(question: str, as_of: str = "") -> AskedPeriod | None:
    """Returns the time that a question asks about, relative to ``as_of`` or now; None if it names none."""
    return asked_period(question[:_READ], as_of or datetime.now(UTC).date().isoformat())


def of_that_time(store: Store, period: AskedPeriod, k: int, among: Among) -> tuple[list[Hit], set[int]]:
    """Returns the notes from around a period that fit the rest of the question, and which notes fall within it.

    Of a week or less every note is a candidate. The scores compare with those of `Words.search`; 0 for no word.
    """
    since, until = period.since.isoformat(), period.until.isoformat()
    last = (period.until + _TOLD_LATER).isoformat() if period.until <= _LAST - _TOLD_LATER else "9999~"
    dated = (note.c.happened >= since, note.c.happened < last)
    around = store.notes.narrowed(among, *dated, key=("happened", since, last))
    hits = store.words.search(Cue(period.rest), k, around) if any(map(str.isalnum, period.rest)) else []
    told = store.notes.by_num([hit.num for hit in hits])
    if period.until - period.since <= _SHORT:
        for bounds in ((since, until), (until, last)):
            conditions = (*among.conditions, note.c.happened >= bounds[0], note.c.happened < bounds[1])
            told |= {one.num: one for one in store.notes.select(*conditions, limit=k)}
    within = {num for num, one in told.items() if falls_within(one, period)}
    return hits + [Hit(num, 0.0) for num in sorted(within.difference(hit.num for hit in hits))], within


def united(first: Sequence[Hit], second: Sequence[Hit]) -> list[Hit]:
    """Returns the hits of two searches whose scores compare, each note once with the better score."""
    best: dict[int, Hit] = {}
    for hit in (*first, *second):
        if hit.num not in best or best[hit.num].score < hit.score:
            best[hit.num] = hit
    return list(best.values())


def falls_within(told: Note, period: AskedPeriod) -> bool:
    """Whether the date of a note, or a time that its words name, is in a period; of a day, no month speaks for sure."""
    if told.happened and first_day(told.happened)[0] in period:
        return True
    longest = max(_SHORT, period.until - period.since)
    return any(
        span.since < period.until and period.since < span.until and span.until - span.since <= longest
        for span in find_times(told.text, told.happened)
    )
