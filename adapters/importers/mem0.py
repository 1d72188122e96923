"""Reads memories of mem0: what ``get_all()`` returns, saved as JSON, or its own ``history.db``.

Formats: mem0ai 0.1 to 2.2. ``get_all()`` gives ``{"results": [{"id", "memory", "hash", "metadata", "created_at",
"updated_at", "user_id", "agent_id", "run_id", …}]}``, earlier versions and the platform the bare list; graph memories
add ``"relations": [{"source", "relationship", "target"}]``. The platform's exports call the list ``memories``.
``history.db`` is SQLite with one row per event in table ``history``; what each memory says now is its last event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path

from pydantic import TypeAdapter

from ...store.errors import InvalidInput
from ...store.shown import shown
from .drafts import Drafts, drafted, moment, origin_of
from .json_records import records
from .shapes import Row, validated
from .sqlite_rows import columns, is_sqlite, rows

__all__ = ["read_mem0"]

_LISTS = ("results", "memories")
_NEEDED = ("memory_id", "new_memory", "event")
_OPTIONAL = ("created_at", "updated_at", "is_deleted", "actor_id", "role")


class _Memory(Row):
    id: str | int
    memory: str
    metadata: dict[str, object] | None = None
    created_at: object = None
    score: object = None  # of the search it came from: nothing to keep
    actor_id: str | None = None
    role: str | None = None


class _Relation(Row):
    source: str
    relationship: str
    target: str


_MEMORY = TypeAdapter(_Memory)
_MEMORIES = TypeAdapter(list[object])
_RELATIONS = TypeAdapter(list[_Relation])


def read_mem0(path: str | PathLike[str]) -> Drafts:
    """Reads memories of mem0 as drafts.

    The text is the memory's, ``happened`` its ``created_at``, the speaker its ``actor_id``, the source
    ``"mem0:ID"``; its metadata, ``user_id``, ``agent_id``, ``run_id`` and all other fields are in the note's
    metadata (`per_user` makes scopes of the users). Relations become notes with a fact.

    Raises:
        InvalidInput: while iterating, for anything else than such a file; the message names the place.
        LimitExceeded: while iterating, for a value that is larger than a documented limit.
    """
    return Drafts(path, _read)


def _read(file: Path, skipped: Counter[str]) -> Iterator[Mapping[str, object]]:
    if is_sqlite(file):
        yield from _from_history(file, skipped)
        return
    for record in records(file):
        found = [name for name in _LISTS if name in record.value]
        if not found:
            yield from _draft(record.value, record.where, skipped)
        for name in found:
            where = f"{record.where}: {name}"
            items = validated(_MEMORIES, record.value[name], where)
            for place, item in enumerate(items):
                yield from _draft(item, f"{where}[{place}]", skipped)
        if found and "relations" in record.value:
            where = f"{record.where}: relations"
            relations = validated(_RELATIONS, record.value["relations"], where)
            for place, relation in enumerate(relations):
                yield _related(relation, f"{where}[{place}]")


def _draft(value: object, where: str, skipped: Counter[str]) -> Iterator[Mapping[str, object]]:
    item = validated(_MEMORY, value, where)
    if not item.memory.strip():
        skipped["empty memories"] += 1
        return
    named = {name: given for name, given in (item.model_extra or {}).items() if given is not None}
    named |= {name: given for name, given in (("actor_id", item.actor_id), ("role", item.role)) if given}
    own = item.metadata or {}
    yield drafted(
        {
            "text": item.memory,
            "speaker": item.actor_id,
            "source": f"mem0:{item.id}",
            "happened": moment(item.created_at, f"{where}: created_at"),
            "origin": origin_of(item.role),
            # mem0 keeps both in one mapping itself; only its platform lets the names meet
            "metadata": {**own, **named} if own.keys().isdisjoint(named) else {"metadata": own, **named},
        },
        product="mem0",
        id=item.id,
        where=where,
    )


def _related(relation: _Relation, where: str) -> Mapping[str, object]:
    sides = (relation.source, relation.relationship, relation.target)
    return drafted(
        {
            "text": " ".join(sides).replace("_", " "),
            "source": "mem0:relations",
            "facts": [sides],
            "origin": "import",
            "metadata": relation.model_extra,
        },
        product="mem0",
        id="relation",
        where=where,
    )


def _from_history(file: Path, skipped: Counter[str]) -> Iterator[Mapping[str, object]]:
    there = columns(file, "history")
    if not there.issuperset(_NEEDED):
        raise InvalidInput(f"{file}: it has no table history with {', '.join(_NEEDED)}; is it mem0's history.db?")
    names = [*_NEEDED, *(name for name in _OPTIONAL if name in there)]
    last: dict[str, tuple[int, dict[str, object]]] = {}
    for number, row in enumerate(rows(file, "history", names), start=1):
        id, where = row["memory_id"], f"{file}: table history, row {number}"
        if not isinstance(id, str):
            raise InvalidInput(f"{where}: memory_id should be a text, not {shown(id)}")
        if row["event"] not in ("ADD", "UPDATE", "DELETE", "NONE"):
            raise InvalidInput(f"{where}: event should be ADD, UPDATE or DELETE, not {shown(row['event'])}")
        if row["event"] == "NONE":
            continue
        if row.get("created_at") is None and id in last:
            row["created_at"] = last[id][1].get("created_at")
        last[id] = number, row
    for id, (number, row) in last.items():
        if row["event"] == "DELETE" or row.get("is_deleted") in (1, True):
            skipped["deleted memories"] += 1
            continue
        fields = {name: row[name] for name in ("created_at", "updated_at", "actor_id", "role") if row.get(name)}
        yield from _draft(
            {"id": id, "memory": row["new_memory"], **fields}, f"{file}: table history, row {number}", skipped
        )
