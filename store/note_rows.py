"""A note as a row of its table, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from operator import attrgetter
from typing import Any

from sqlalchemy import Select, and_, exists, func, select

from .descent import Made
from .note import Draft, Note, Triplet
from .schema import derived, note

__all__ = ["BY_NUM", "WRITTEN", "query", "read", "row", "same_content", "stated"]

_before = note.alias("before")
_COLUMNS = [column for column in note.c if column.name != "lineage"]
_PLAIN = [column.name for column in note.c if column.name not in ("metadata", "facts", "lineage", "previous", "held")]
WRITTEN = (*_PLAIN, "metadata", "facts", "lineage", "previous")
"""The columns of what `row` returns."""
_plain = attrgetter(*_PLAIN)
_DEFAULTS = asdict(Triplet("", "", ""))
_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def query() -> Select[tuple[object, ...]]:
    """Selects notes, each with the text of the turn before it and whether it was made of other notes."""
    made = exists(select(derived.c.note).where(derived.c.note == note.c.num)).label("made")
    return select(*_COLUMNS, func.coalesce(_before.c.text, "").label("previous_text"), made).select_from(
        note.outerjoin(_before, and_(_before.c.num == note.c.previous))
    )


_QUERY = query()
_NAMES = [column.name for column in _QUERY.selected_columns]
BY_NUM = f"{_QUERY.compile(compile_kwargs={'literal_binds': True})} WHERE note.num IN (?) ORDER BY note.num"
"""The same as it is, of notes by number, for a driver: a read ends with it."""


def row(item: Note, lineage: str) -> tuple[object, ...]:
    """Returns the values of a note's row, in the order of `WRITTEN`."""
    facts = _as_json([stated(fact) for fact in item.facts]) if item.facts else "[]"
    metadata = _as_json(item.metadata) if item.metadata else "{}"
    return (*_plain(item), metadata, facts, lineage, item.before)


def read(found: Sequence[Any], made: Made) -> Note:
    """Returns the note of one row of `query`."""
    values = dict(zip(_NAMES, found, strict=True))
    return Note(
        **{name: values[name] for name in _PLAIN},
        metadata=json.loads(values["metadata"]),
        facts=tuple(Triplet(**fact) for fact in json.loads(values["facts"])),
        before=values["previous"],
        previous=values["previous_text"],
        held=values["held"],
        parents=made.parents,
        stale=made.stale,
    )


def same_content(item: Note, draft: Draft) -> bool:
    """Returns whether a note says what a draft says."""
    names = ("text", "speaker", "source", "thread", "happened", "origin", "metadata")
    return all(getattr(item, n) == getattr(draft, n) for n in names) and item.facts == tuple(draft.facts)


def stated(fact: Triplet) -> dict[str, object]:
    """Returns what of a caller's triplet is not a default, to keep rows small."""
    return {name: value for name, default in _DEFAULTS.items() if (value := getattr(fact, name)) != default}
