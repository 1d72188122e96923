"""Notes and facts as JSON values, and as cells of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from .plain import cut, one_line

if TYPE_CHECKING:
    from ...store.note import Fact, Note

__all__ = ["day", "fact_values", "facts_rows", "marks", "note_values", "notes_rows"]

_LONGEST = 300  # characters of a text in a listing


def note_values(note: Note) -> dict[str, object]:
    """Returns a note as JSON values."""
    return {
        "id": note.id,
        "text": note.text,
        "scope": note.scope,
        "speaker": note.speaker,
        "source": note.source,
        "thread": note.thread,
        "position": note.position,
        "happened": note.happened,
        "known": note.known,
        "origin": note.origin,
        "metadata": dict(note.metadata),
        "facts": [asdict(fact) for fact in note.facts],
        "key": note.key,
        "change": note.change,
        "retired": note.retired,
        "replaces": note.replaces,
        "held": note.held,
        "derived_from": list(note.parents),
        "stale": note.stale,
    }


def fact_values(fact: Fact) -> dict[str, object]:
    """Returns a fact as JSON values."""
    return asdict(fact)


def day(moment: str) -> str:
    """Returns the date of a moment; what has no date has none here."""
    return moment[:10]


def notes_rows(notes: Sequence[Note]) -> list[tuple[str, str, str, str]]:
    """Returns id, date, speaker and text of notes, one line each."""
    return [
        (note.id, day(note.happened), cut(one_line(note.speaker), 20), marks(note) + cut(one_line(note.text), _LONGEST))
        for note in notes
    ]


def marks(note: Note) -> str:
    """Returns what a reader must know before the text of a note; mostly nothing."""
    return ("[in quarantine] " if note.held else "") + ("[stale] " if note.stale else "")


def facts_rows(facts: Sequence[Fact]) -> list[tuple[str, str, str, str, str]]:
    """Returns since, until, how sure, the fact, and the first note that supports it."""
    rows = []
    for fact in facts:
        said = " ".join(cut(one_line(part), _LONGEST) for part in (fact.subject, fact.relation, fact.object))
        sure = f"{fact.confidence:.1f} {cut(one_line(fact.extractor), 12)}"
        more = f" +{len(fact.notes) - 1}" if len(fact.notes) > 1 else ""
        said += " [stale]" if fact.stale else ""
        rows.append((day(fact.valid_from), day(fact.valid_to), sure, f"{fact.notes[0]}{more}", said))
    return rows
