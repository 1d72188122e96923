"""What an export says beside its notes: names that are one, relations of one value, and what models read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..store.aliases import SameName, checked_pair
from ..store.draft import checked_field, checked_triplet
from ..store.errors import InvalidInput
from ..store.extracted import Extracted, readings_of
from ..store.note import Note
from ..store.note_rows import stated
from ..store.readings import keep_readings
from ..store.schema import note
from ..store.scope import checked_scope, within
from ..store.shown import shown
from ..store.store import Store

__all__ = ["NoteId", "Said", "read_lines", "said_lines"]

_BATCH = 500

NoteId = Annotated[str, Field(pattern=r"\A[0-9a-f]{16}\z")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Same(_Model):
    op: Literal["same"]
    scope: str
    name: str
    other: str


class _Single(_Model):
    op: Literal["single"]
    scope: str
    relation: str
    single: bool


class _Fact(_Model):
    subject: str
    relation: str
    object: str
    valid_from: str = ""
    valid_to: str = ""
    confidence: float = Field(1.0, ge=0, le=1)
    span: str


class _Read(_Model):
    op: Literal["read"]
    id: NoteId
    model: str = Field(min_length=1, max_length=1_000)
    facts: list[_Fact] = Field(max_length=2_000)


_KINDS: dict[str, type[_Same | _Single | _Read]] = {"same": _Same, "single": _Single, "read": _Read}


def said_lines(store: Store, scope: str) -> Iterator[dict[str, object]]:
    """Yields what was said of names and relations in a scope and below."""
    for said in store.aliases.said(scope):
        yield {"op": "same", "scope": said.scope, "name": said.name, "other": said.other}
    for where, name, single in store.triplets.relations.said(scope):
        yield {"op": "single", "scope": where, "relation": name, "single": single}


def read_lines(store: Store, notes: Mapping[int, Note]) -> Iterator[dict[str, object]]:
    """Yields what models read in notes, also where that was nothing."""
    with store.database.reading() as connection:
        readings = readings_of(connection, list(notes))
    for num, model, found in readings:
        facts = [stated(replace(one.fact, extractor="given")) | {"span": one.span} for one in found]
        yield {"op": "read", "id": notes[num].id, "model": model, "facts": facts}


@dataclass(slots=True)
class Said:
    """What the lines of one export say beside the notes, checked, to be kept once the notes are there."""

    scope: str
    names: list[SameName] = field(default_factory=list)
    relations: list[tuple[str, str, bool]] = field(default_factory=list)
    readings: list[tuple[str, str, tuple[Extracted, ...]]] = field(default_factory=list)

    def take(self, values: Mapping[str, object], texts: Mapping[str, str]) -> bool:
        """Returns whether a line is of these kinds, and takes it.

        Args:
            values: of the line.
            texts: id -> words of the notes that the lines before wrote.

        Raises:
            ValidationError: it is malformed.
            StoreError: it belongs to another scope, or says of a note what its words do not.
        """
        op = values.get("op")
        kind = _KINDS.get(op) if isinstance(op, str) else None
        if kind is None:
            return False
        line = kind.model_validate(values)
        if isinstance(line, _Read):
            if line.id not in texts:
                raise InvalidInput(f"it tells what was read in note {line.id}, which no line before wrote")
            self.readings.append((line.id, line.model, tuple(_extracted(line, texts[line.id]))))
        else:
            where = checked_scope(line.scope, below=self.scope)
            if isinstance(line, _Same):
                names = checked_field(line.name, "name"), checked_field(line.other, "other")
                self.names.append(checked_pair(SameName(where, *names, seq=0)))
            else:
                self.relations.append((where, checked_field(line.relation, "relation"), line.single))
        return True

    def keep(self, store: Store) -> None:
        """Keeps all of it; what is said here already goes before it, and saying it again changes nothing."""
        if self.names or self.relations:
            with store.database.writing():
                for one in self.names:
                    store.aliases.same(one.name, one.other, scope=one.scope, seq=store.notes.changes.last())
                here = {(where, name) for where, name, _ in store.triplets.relations.said(self.scope)}
                for where, name, single in self.relations:
                    if (where, name) not in here:
                        store.triplets.relations.declare(name, scope=where, single=single)
        for start in range(0, len(self.readings), _BATCH):
            self._keep_readings(store, self.readings[start : start + _BATCH])

    def _keep_readings(self, store: Store, readings: Sequence[tuple[str, str, tuple[Extracted, ...]]]) -> None:
        ids = {id for id, _, _ in readings}
        notes = {item.id: item for item in store.notes.select(note.c.id.in_(ids), within(self.scope))}
        with store.database.reading() as connection:
            here = {(num, model) for num, model, _ in readings_of(connection, [item.num for item in notes.values()])}
        found: dict[str, dict[int, list[Extracted]]] = defaultdict(dict)
        for id, model, facts in readings:
            if id in notes and (notes[id].num, model) not in here:
                words = _plain(notes[id].text)  # a screen may have changed them
                found[model][notes[id].num] = [one for one in facts if _plain(one.span) in words]
        for model, facts_of in found.items():
            keep_readings(store, model, facts_of)


def _extracted(line: _Read, text: str) -> Iterator[Extracted]:
    words = _plain(text)
    for fact in line.facts:
        if not fact.span.strip() or _plain(fact.span) not in words:
            raise InvalidInput(f"note {line.id} does not say {shown(fact.span)}")
        given = fact.model_dump(exclude={"confidence", "span"})
        checked = checked_triplet({name: value for name, value in given.items() if value})
        yield Extracted(replace(checked, confidence=fact.confidence, extractor=line.model), fact.span)


def _plain(text: str) -> str:
    return " ".join(text.split()).lower()
