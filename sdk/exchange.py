"""Exports and imports: JSON Lines with everything that is needed to make the notes anew.

The first line is a header; every other line is one change, oldest first, with the note it wrote. Forms are not
exported: they are made again from the words. Ids and histories survive; into an empty store the times survive too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..engines.screening import Screen, screened
from ..store.aliases import SameName, checked_pair
from ..store.changes import Change
from ..store.draft import checked_draft, checked_field
from ..store.errors import InvalidInput, LimitExceeded, StoreError
from ..store.note import Note
from ..store.note_rows import stated
from ..store.replay import Replayed, is_new, replay
from ..store.schema import change
from ..store.scope import checked_scope
from ..store.store import Store
from ..store.strict_json import loads_strict

__all__ = ["export_lines", "import_lines"]

_FORMAT = 2  # 2: notes made of notes, quarantine, names that are one
_LINE_LIMIT = 8 << 20
_BATCH = 500


_Id = Annotated[str, Field(pattern=r"\A[0-9a-f]{16}\z")]


class _Header(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    tercet: int
    scope: str


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    op: Literal["write", "revise", "undo", "quarantine", "release"]
    at: str = Field(pattern=r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\z")
    id: _Id
    replaces: _Id | None = None
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
    derived_from: list[_Id] = []

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


class _Same(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    op: Literal["same"]
    scope: str
    name: str
    other: str


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
        last = batch[-1].seq
    for said in store.aliases.said(scope):
        yield _json({"op": "same", "scope": said.scope, "name": said.name, "other": said.other})


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
    said: list[SameName] = []
    checked = _checked(lines, scope, keep_times=keep_times, said=said)
    found = (_screened(made, screen) for made in checked)
    changes = [made for made in found if is_new(store, made, scope)]
    count = replay(store, changes, scope=scope, progressed=on_progress)
    if said:  # all of it was checked; saying it again changes nothing
        with store.database.writing():
            for one in said:
                store.aliases.same(one.name, one.other, scope=one.scope, seq=store.notes.changes.last())
    return count


def _screened(made: Replayed, screen: Screen | None) -> Replayed:
    return replace(made, draft=screened(made.draft, screen)) if screen and made.draft else made


def _checked(lines: Iterable[str], scope: str, *, keep_times: bool, said: list[SameName]) -> Iterator[Replayed]:
    """Yields the changes of an export; which names are one goes to ``said``."""
    header: _Header | None = None
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
            if isinstance(values, dict) and values.get("op") == "same":
                said.append(_said(_Same.model_validate(values), scope))
                continue
            made = _Line.model_validate(values)
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


def _said(line: _Same, scope: str) -> SameName:
    names = checked_field(line.name, "name"), checked_field(line.other, "other")
    return checked_pair(SameName(checked_scope(line.scope, below=scope), *names, seq=0))


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
