"""Exports and imports: JSON Lines with everything that is needed to make the notes anew.

The first line is a header; every other line is one change, oldest first, with the note it wrote. Forms are not
exported: they are made again from the words; but what models read in the words, which has its price, is. Ids and
histories survive; into an empty store the times survive too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..engines.screening import Screen, screened
from ..store.changes import Change
from ..store.draft import checked_draft
from ..store.errors import InvalidInput, LimitExceeded, StoreError
from ..store.note import Note
from ..store.note_rows import stated
from ..store.replay import Replayed, is_new, replay
from ..store.schema import change
from ..store.store import Store
from ..store.strict_json import loads_strict
from .exchange_said import NoteId, Said, read_lines, said_lines

__all__ = ["export_lines", "import_lines"]

_FORMAT = 3  # 2: notes made of notes, quarantine, names that are one; 3: relations of one value, what models read
_LINE_LIMIT = 8 << 20
_BATCH = 500


class _Header(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    tercet: int
    scope: str


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    op: Literal["write", "revise", "undo", "quarantine", "release"]
    at: str = Field(pattern=r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\z")
    id: NoteId
    replaces: NoteId | None = None
    text: str | None = None  # None: what writes nothing, such as the undo of a first write
    scope: str | None = None
    speaker: str = ""
    source: str = ""
    thread: str = ""
    happened: str = ""
    origin: str = "user"
    key: str | None = None
    facts: list[dict[str, str]] = []
    metadata: dict[str, Any] = {}
    derived_from: list[NoteId] = []

    @model_validator(mode="after")
    def _is_one_change(self) -> Self:
        datetime.fromisoformat(self.at)
        writes_nothing = self.op not in ("write", "revise") and self.text is None and self.replaces is None
        if not writes_nothing and self.op in ("quarantine", "release"):
            raise ValueError("a quarantine and a release write nothing")
        if not writes_nothing and (self.text is None or (self.op == "write") != (self.replaces is None)):
            raise ValueError("a write has a text, a revision has a text and what it replaces")
        if self.op != "write" and self.key is not None:
            raise ValueError("only a write has a key")
        return self


_FIELDS = ("speaker", "source", "thread", "happened", "origin", "key", "metadata")


def export_lines(store: Store, scope: str) -> Iterator[str]:
    """Yields the header, then every change of the notes that exist in a scope, as JSON without line ends."""
    yield _json({"tercet": _FORMAT, "scope": scope})
    last = 0
    while batch := store.notes.changes.select(change.c.seq > last, change.c.op != "forget", scope=scope, limit=_BATCH):
        notes = store.notes.by_num([made.num for made in batch])
        for made in batch:
            if made.num in notes:  # not forgotten
                yield _json(_line(made, notes[made.num]))
        wrote = {made.num for made in batch if made.seq == made.num}
        yield from map(_json, read_lines(store, {num: item for num, item in notes.items() if num in wrote}))
        last = batch[-1].seq
    yield from map(_json, said_lines(store, scope))


def import_lines(
    store: Store,
    lines: Iterable[str],
    *,
    scope: str,
    on_progress: Callable[[int], None] | None = None,
    screen: Screen | None = None,
) -> int:
    """Takes an export in, all or nothing; returns how many versions of notes were new.

    Raises:
        InvalidInput: a malformed line, named by its number; nothing was written.
        LimitExceeded: a line over 8 MiB, or a value over its limit.
    """
    keep_times = store.notes.changes.last() == 0
    said = Said(scope)
    checked = _checked(lines, scope, keep_times=keep_times, said=said)
    found = (_screened(made, screen) for made in checked)
    changes = [made for made in found if is_new(store, made, scope)]
    count = replay(store, changes, scope=scope, progressed=on_progress)
    said.keep(store)
    return count


def _screened(made: Replayed, screen: Screen | None) -> Replayed:
    return replace(made, draft=screened(made.draft, screen)) if screen and made.draft else made


def _checked(lines: Iterable[str], scope: str, *, keep_times: bool, said: Said) -> Iterator[Replayed]:
    """Yields the changes of an export; all else goes to ``said``."""
    header: _Header | None = None
    texts: dict[str, str] = {}
    at = ""
    for number, line in enumerate(lines, 1):
        if not isinstance(line, str):
            raise InvalidInput(f"line {number} is of type {type(line).__name__}; open the file as text")
        if len(line) > _LINE_LIMIT:
            raise LimitExceeded(f"line {number} has over {_LINE_LIMIT:,} characters")
        if not line.strip():
            continue
        try:
            values = loads_strict(line)
            if header is None:
                header = _Header.model_validate(values)
                if header.tercet > _FORMAT:
                    raise InvalidInput(f"the export is of format {header.tercet}, this Tercet reads up to {_FORMAT}")
                continue
            if isinstance(values, dict) and said.take(values, texts):
                continue
            made = _Line.model_validate(values)
            if made.text is not None:
                texts[made.id] = made.text
            # the log's times never fall and never lie ahead, whatever a file claims
            at = max(at, min(made.at, datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")))
            yield _replayed(made, scope, at=at if keep_times else "")
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the line"
            raise InvalidInput(f"line {number} is no line of a Tercet export: {where}: {first['msg']}") from None
        except StoreError as error:
            raise type(error)(f"line {number}: {error}") from None
    if header is None:
        raise InvalidInput("the file is empty; a Tercet export begins with a header line")


def _replayed(line: _Line, scope: str, *, at: str) -> Replayed:
    if line.text is None:
        return Replayed(line.op, line.id, None, None, at)
    values = {name: getattr(line, name) for name in _FIELDS}
    draft = checked_draft(
        line.text, scope=line.scope, below=scope, facts=line.facts, derived_from=line.derived_from, **values
    )
    return Replayed(line.op, line.id, line.replaces, replace(draft, id=line.id, known=at))


def _line(made: Change, item: Note) -> dict[str, object]:
    values: dict[str, object] = {"op": made.op, "at": made.at, "id": item.id}
    if made.seq == item.num:
        values |= {"text": item.text, "scope": item.scope}
        values |= {name: value for name in ("replaces", *_FIELDS) if (value := getattr(item, name))}
        if item.facts:
            values["facts"] = [stated(fact) for fact in item.facts]
        if item.parents:
            values["derived_from"] = list(item.parents)
    return values


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
