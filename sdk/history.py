"""What a person sees of the past and the present state: events of a note, and statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..store.note import Note
from ..store.store import Store

__all__ = ["Event", "FormState", "Stats", "events"]


@dataclass(frozen=True, slots=True)
class Event:
    """One change of a note.

    Attributes:
        change: its number, for `Memory.undo`.
        op: ``"write"``, ``"revise"``, ``"undo"``, ``"quarantine"`` or ``"release"``.
        at: ISO 8601 UTC time.
        note: the version it made; None for what makes none: the undo of a first write, a quarantine, a release.
    """

    change: int
    op: str
    at: str
    note: Note | None


@dataclass(frozen=True, slots=True)
class FormState:
    """What one form holds, and the number of the last change it has seen."""

    count: int
    applied: int


@dataclass(frozen=True, slots=True)
class Stats:
    """How much is remembered.

    Attributes:
        notes: current notes in the scope.
        facts: facts that hold now in the scope.
        bytes: size of the whole store's files.
        change: number of the newest change of the store.
        forms: form -> what it holds for the whole store.
    """

    notes: int
    facts: int
    bytes: int
    change: int
    forms: Mapping[str, FormState]


def events(store: Store, item: Note) -> list[Event]:
    """Returns the changes of a note and of every other version of it, oldest first."""
    with store.database.reading():
        lineage = store.notes.lineage(item)
        versions = {version.num: version for version in store.notes.revisions(lineage)}
        return [
            Event(made.seq, made.op, made.at, versions.get(made.seq)) for made in store.notes.changes.of(list(versions))
        ]
