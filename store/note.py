"""What is kept: a note, its triplets, and a fact as it is read back.

A note is one memory as it was written. It never changes: a revision is a newer note that replaces it,
and forgetting removes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Draft", "Fact", "Note", "Triplet", "spoken"]


@dataclass(frozen=True, slots=True)
class Triplet:
    """One (subject, relation, object) as a caller gave it or an extractor found it.

    Attributes:
        subject: who or what the fact is about, as written.
        relation: the verb phrase, for example ``"lives in"``.
        object: the other end, as written.
        valid_from: ISO 8601 date or date-time since when it is true; empty if unknown.
        valid_to: ISO 8601 date or date-time until when (exclusive) it is true; empty if open.
        confidence: 1.0 for what a caller stated, lower for what was extracted.
        extractor: ``"given"``, ``"rule"``, or the name of a model.
    """

    subject: str
    relation: str
    object: str
    valid_from: str = ""
    valid_to: str = ""
    confidence: float = 1.0
    extractor: str = "given"


@dataclass(frozen=True, slots=True)
class Draft:
    """A note before it is written: checked values.

    ``id`` and ``known`` are empty except for notes that come from an export and keep theirs.
    """

    text: str
    scope: str
    speaker: str = ""
    source: str = ""
    thread: str = ""
    happened: str = ""
    facts: Sequence[Triplet] = ()
    origin: str = "user"
    metadata: Mapping[str, object] = field(default_factory=dict)
    key: str | None = None
    parents: Sequence[str] = ()
    id: str = ""
    known: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """One memory as written.

    Attributes:
        num: number of the change that wrote it; the same number identifies the note in every form.
        id: random public id, 16 hexadecimal digits.
        text: the words.
        scope: whose memory it is, for example ``"ada/work"``.
        speaker: who said it, or empty.
        source: where it was said, for example ``"chat:1"``, or empty.
        thread: the conversation it belongs to, or empty.
        position: its place in the thread, counted from 0 (0 without a thread).
        happened: ISO 8601 date or date-time of what it tells; empty if unknown.
        known: ISO 8601 UTC time at which the store learnt it.
        origin: ``"user"``, ``"tool"``, ``"web"``, ``"model"`` or ``"import"``.
        metadata: free JSON values of the caller.
        facts: triplets that the caller gave with it.
        key: the caller's idempotency key, or None.
        retired: number of the change that replaced or undid it, or None while it is current.
        replaces: id of the note that it revised, or None.
        before: number of the turn before it in its thread, or None.
        previous: text of that turn, or empty.
        held: number of the change that put it in quarantine, or None.
        parents: ids of the notes it was made of, such as those that it sums up.
        stale: whether one of those no longer says what it said when this was made of it.
    """

    num: int
    id: str
    text: str
    scope: str
    speaker: str
    source: str
    thread: str
    position: int
    happened: str
    known: str
    origin: str
    metadata: Mapping[str, object]
    facts: tuple[Triplet, ...]
    key: str | None
    retired: int | None
    replaces: str | None
    before: int | None = None
    previous: str = ""
    held: int | None = None
    parents: tuple[str, ...] = ()
    stale: bool = False

    @property
    def change(self) -> int:
        """The number of the change that wrote it, for `Memory.undo`."""
        return self.num


@dataclass(frozen=True, slots=True)
class Fact:
    """A triplet with its validity and the notes that support it, resolved for one moment.

    Attributes:
        subject: as first written.
        relation: as first written.
        object: as first written.
        valid_from: ISO 8601 since when it is true; empty if unknown.
        valid_to: ISO 8601 until when (exclusive); stated, or the start of the fact that superseded it;
            empty while it holds.
        confidence: the best among its supports.
        extractor: ``"given"``, ``"rule"``, or a model's name: how the best support was made.
        notes: ids of the supporting notes, oldest first.
        superseded: true when a newer value of a single-valued relation has taken its place, or its time is over.
        stale: true when every note that supports it is stale.
    """

    subject: str
    relation: str
    object: str
    valid_from: str
    valid_to: str
    confidence: float
    extractor: str
    notes: tuple[str, ...]
    superseded: bool
    stale: bool = False


def spoken(item: Note | Draft) -> str:
    """Returns a note as one would quote it: who spoke, and the words. This is what models are given to encode."""
    return f"{item.speaker}: {item.text}" if item.speaker else item.text
