"""What happened when: the notes that a question is about, in order of time, and how many they are.

Nothing here is a guess of a model. A note belongs to the timeline if it holds every word of the question that tells
something (in any form of a verb: "running" finds "ran"), said or spoken by the one it names. Where no note does, the
timeline shows what a read finds instead, and counts nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from ..engines.english.asked_period import AskedPeriod, asked_period
from ..engines.english.relative_dates import find_times
from ..engines.english.verbs import VERB_FORMS
from ..store.draft import checked_moment, checked_text
from ..store.form import Among, Cue
from ..store.note import Note
from ..store.store import Store
from ..store.tokens import Tokenizer
from ..store.words import telling
from .arguments import Moment, checked_count, filtered
from .handle import Handle

__all__ = ["Event", "Timeline", "timeline"]

_MOST = 100_000
_NEAR = 5  # notes of a read that may say when
_READ = 10  # notes of a read that stand in where no note holds all words
_SURE = 0.6  # less sure times do not date a note
# What asks and what every verb phrase holds: no note is found or left out by it.
_ASKING = frozenset(
    "many much times time often first last latest earliest ever total number count list came come comes happen happened"
    " long ago most recent recently before after since until go goes went gone going get got make made making take took"
    " play played playing day days date year month week order sequence timeline everything all".split()
)
_CHOICE = re.compile(
    r"(?:,|:|\bfirst\b|\blast\b|\bearlier\b|\blater\b) ?(?P<parts>[^,:?]+(?:, ?[^,:?]+)*,? or [^,:?]+)\??\s*$"
)
_BESIDE = re.compile(
    r"\b(?P<side>before|after|since|until) (?:the |my |our |his |her |their )?(?P<event>[^?.!,]+)", re.I
)
_WHEN = re.compile(r"^\W*when\b|\b(?:what|which) (?:day|date|week|month|year)\b", re.I)
_LAST, _FIRST = (
    re.compile(rf"\b(?:{words})\b", re.I) for words in ("last|latest|most recent(?:ly)?", "first|earliest")
)
_FORMS: dict[str, list[str]] = {}
for _form, (_base, _kind) in VERB_FORMS.items():
    _FORMS.setdefault(_base, []).append(_form)


@dataclass(frozen=True, slots=True)
class Event:
    """A note with its place in time.

    Attributes:
        since: the first day it may have happened, ISO 8601; empty if unknown.
        until: the day after the last, ISO 8601; empty if unknown.
        said: the words that name its time; empty where it is the note's own date.
        about: which of the alternatives of the question it is about; empty if the question has none.
        note: the note that says so.
    """

    since: str
    until: str
    said: str
    about: str
    note: Note


@dataclass(frozen=True, slots=True)
class Timeline:
    """Events in order of time; those without a date come last.

    Attributes:
        question: as asked.
        events: what fits it.
        exact: whether every event holds all telling words of the question; else they are what a read found.
        when: what a question for a time asks for: of the notes with all telling words, else of the five that a read
            finds first, the first whose words name one, else the day of the best; asked for the first or the last time,
            that of the notes with all telling words. None if nothing fits or no time is asked for.
    """

    question: str
    events: Sequence[Event]
    exact: bool
    when: Event | None

    def __len__(self) -> int:
        return len(self.events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    @property
    def count(self) -> int:
        """How often it happened, as far as is known; 0 where no note holds all words of the question."""
        return len(self.events) if self.exact else 0

    @property
    def first(self) -> Event | None:
        """The earliest event with a date."""
        return next((event for event in self.events if event.since), None)

    @property
    def last(self) -> Event | None:
        """The latest event with a date."""
        return next((event for event in reversed(self.events) if event.since), None)


def timeline(
    memory: Handle,
    question: str,
    *,
    as_of: Moment | None = None,
    known_at: Moment | int | None = None,
    scope: str | None = None,
    limit: int = 1_000,
) -> Timeline:
    """Returns what happened when: ordering and counting questions, without a model.

    "How many times did Ada run in May 2023?" gives the runs; "What came first, the move or the wedding?" those of
    both, told apart by `Event.about`; "When did Ada move?" has its answer in `Timeline.when`, "When did I last see
    Tom?" in `Timeline.last`, if all words of it were said; "What did I do before the move?" looks at what lies before
    the first note about the move. A time in the question is resolved against ``as_of``, else today. A note is one
    event, at the first time that its words name, else at its date; equal words of one day count once.

    Args:
        memory: whose notes.
        question: in plain words.
        as_of: only what had happened by then.
        known_at: only what was known by then: a moment, or the number of a change.
        scope: a scope below the handle's own.
        limit: most events, the earliest.

    Raises:
        InvalidInput: a question that is no text, or a ``limit`` out of range.
    """
    words = checked_text(question, "the question")
    checked_count(limit, "limit", _MOST)
    store = memory._store
    with store.database.reading():
        among = store.notes.among(
            filtered(memory.scope, store.notes.changes, scope=scope, as_of=as_of, known_at=known_at)
        )
        now = checked_moment(as_of, "as_of") or datetime.now(UTC).date().isoformat()
        events = _asked(store, words, among, now)
    exact, asked_when = bool(events), _WHEN.search(words)
    found: list[Event] = []
    if asked_when or (not events and any(map(str.isalnum, words))):
        recall = memory.read(words, k=_READ, as_of=as_of, known_at=known_at, scope=scope)
        found = [_event(one.note, "") for one in recall]
    when = _when(words, _ordered(events), found) if asked_when else None
    return Timeline(words, tuple(_ordered(events or found)[:limit]), exact, when)


def _when(question: str, events: Sequence[Event], found: Sequence[Event]) -> Event | None:
    """Returns the event that says when: of those with every telling word, else of what a read found."""
    dated = [event for event in events if event.since]
    if dated and (_LAST.search(question) or _FIRST.search(question)):
        return dated[-1] if _LAST.search(question) else dated[0]
    exact = {event.note.id for event in events}
    near = [event for event in found if event.note.id in exact] or list(events) or found[:_NEAR]
    return next((event for event in near if event.said), near[0] if near else None)


def _asked(store: Store, question: str, among: Among, now: str) -> list[Event]:
    period = asked_period(question, now)
    if period:
        return _about(store, period.rest, among, period)
    choice = _CHOICE.search(question)
    if choice:
        parts = [part.strip() for part in re.split(r",? or |, ?", choice["parts"]) if part.strip()]
        return [replace(event, about=part) for part in parts for event in _about(store, part, among, None)]
    beside = _BESIDE.search(question)
    if beside:
        named = [event for event in _ordered(_about(store, beside["event"], among, None)) if event.since]
        rest = f"{question[: beside.start()]} {question[beside.end() :]}"
        if named:
            return _about(store, rest, among, _beside(beside["side"].lower(), named[0]))
    return _about(store, question, among, None)


def _beside(side: str, event: Event) -> AskedPeriod:
    if side in ("before", "until"):
        return AskedPeriod(date.min, date.fromisoformat(event.since), "")
    return AskedPeriod(date.fromisoformat(event.until), date.max, "")


def _about(store: Store, question: str, among: Among, period: AskedPeriod | None) -> list[Event]:
    """Returns the events whose notes hold every telling word; of a question without one all that fall in its period."""
    wanted = [word for word in telling(question) if word not in _ASKING]
    if wanted:
        looked_up = " ".join(form for word in wanted for form in (word, *_FORMS.get(_base_of(word), ())))
        found = store.words.search(Cue(looked_up), _MOST, among)
        notes = _holding(list(store.notes.by_num([hit.num for hit in found]).values()), wanted)
    else:
        notes = store.notes.select(*among.conditions, limit=_MOST) if period else []
    events = [_event(note, "") for note in notes]
    if period is None:
        return events
    return [one for one in events if one.since and _overlaps(one, period)]


def _holding(notes: Sequence[Note], wanted: Sequence[str]) -> list[Note]:
    """Returns the notes that hold all wanted words, by their stems and the base forms of verbs."""
    tokenizer = Tokenizer(1)
    stems = [{tuple(tokenizer.phrase(form)) for form in (word, _base_of(word))} for word in wanted]
    rows = [(note.num, f"{note.speaker} {note.text} {_bases(note.text)}") for note in notes]
    places = tokenizer.places(rows)
    return [
        note
        for note in notes
        if all(any(all(token in places[note.num] for token in form) for form in forms) for forms in stems)
    ]


def _bases(text: str) -> str:
    words = {word.casefold() for word in re.findall(r"[^\W\d_]+", text)}
    return " ".join(VERB_FORMS[word][0] for word in sorted(words) if word in VERB_FORMS)


def _base_of(word: str) -> str:
    return VERB_FORMS.get(word, (word, ""))[0]


def _event(note: Note, about: str) -> Event:
    times = list(find_times(note.text, note.happened))
    for time in times:
        if time.confidence >= _SURE:
            return Event(time.since.isoformat(), time.until.isoformat(), note.text[time.start : time.end], about, note)
    for time in find_times("today" if len(note.happened) > 7 else note.happened, note.happened):
        return Event(time.since.isoformat(), time.until.isoformat(), "", about, note)
    return Event("", "", "", about, note)


def _overlaps(event: Event, period: AskedPeriod) -> bool:
    return event.since < period.until.isoformat() and period.since.isoformat() < event.until


def _ordered(events: Sequence[Event]) -> list[Event]:
    """Returns the events by time, each once."""
    once = {(event.since, event.about, event.note.speaker, event.note.text.casefold()): event for event in events[::-1]}
    return sorted(once.values(), key=lambda event: (event.since or "~", event.until, event.note.num, event.about))
