"""Reads the file of the MCP memory server (``memory.jsonl``, earlier ``memory.json``).

Format: JSON Lines of ``{"type": "entity", "name", "entityType", "observations": […]}`` and ``{"type": "relation",
"from", "to", "relationType"}``. The answer of its tool ``read_graph``, ``{"entities": […], "relations": […]}``, is
read as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path

from pydantic import Field, TypeAdapter

from ...store.errors import InvalidInput
from ...store.shown import shown
from .drafts import Drafts, drafted
from .json_records import records
from .shapes import Row, validated

__all__ = ["read_mcp"]


class _Entity(Row):
    type: str = "entity"
    name: str = Field(min_length=1)
    entityType: str  # noqa: N815  (as the file has it)
    observations: list[str]


class _Relation(Row):
    type: str = "relation"
    source: str = Field(alias="from")
    target: str = Field(alias="to")
    relationType: str  # noqa: N815


_ENTITY = TypeAdapter(_Entity)
_RELATION = TypeAdapter(_Relation)
_ENTITIES = TypeAdapter(list[_Entity])
_RELATIONS = TypeAdapter(list[_Relation])


def read_mcp(path: str | PathLike[str]) -> Drafts:
    """Reads the knowledge graph of the MCP memory server as drafts.

    Each observation is a note about its entity, which it names first if it does not name it itself. The type of an
    entity is a note with the fact ``(name, "is a", entityType)``, a relation one with the fact ``(from,
    relationType, to)``. The file has no times, so ``happened`` is empty.

    Raises:
        InvalidInput: while iterating, for anything else than such a file; the message names the place. The server
            itself skips such lines without a word.
        LimitExceeded: while iterating, for a value that is larger than a documented limit.
    """
    return Drafts(path, _read)


def _read(file: Path, skipped: Counter[str]) -> Iterator[Mapping[str, object]]:
    for record in records(file):
        value, where = record.value, record.where
        kind = value.get("type")
        if kind == "entity":
            yield from _about(validated(_ENTITY, value, where), where, skipped)
        elif kind == "relation":
            yield _related(validated(_RELATION, value, where), where)
        elif kind is None and {"entities", "relations"} <= value.keys():
            for entity in validated(_ENTITIES, value["entities"], f"{where}: entities"):
                yield from _about(entity, f"{where}: entity {shown(entity.name)}", skipped)
            for relation in validated(_RELATIONS, value["relations"], f"{where}: relations"):
                yield _related(relation, f"{where}: a relation of {shown(relation.source)}")
        else:
            raise InvalidInput(f"{where}: type should be 'entity' or 'relation', not {shown(kind)}")


def _about(entity: _Entity, where: str, skipped: Counter[str]) -> Iterator[Mapping[str, object]]:
    metadata = {"entity": entity.name, **(entity.model_extra or {})}
    source = f"mcp:{entity.name}"
    if entity.entityType.strip():
        article = "an" if entity.entityType.strip()[0].lower() in "aeiou" else "a"
        values = {
            "text": f"{entity.name} is {article} {entity.entityType}.",
            "facts": [(entity.name, "is a", entity.entityType)],
            "source": source,
            "origin": "import",
            "metadata": metadata,
        }
        yield drafted(values, product="mcp", id="type", where=where)
    else:
        skipped["entities without a type"] += 1
    for place, words in enumerate(entity.observations):
        if not words.strip():
            skipped["empty observations"] += 1
            continue
        named = entity.name.casefold() in words.casefold()
        values = {
            "text": words if named else f"{entity.name}: {words}",
            "source": source,
            "origin": "import",
            "metadata": metadata,
        }
        yield drafted(values, product="mcp", id="observation", where=f"{where}: observations[{place}]")


def _related(relation: _Relation, where: str) -> Mapping[str, object]:
    sides = (relation.source, relation.relationType, relation.target)
    return drafted(
        {
            "text": f"{relation.source} {relation.relationType.replace('_', ' ')} {relation.target}.",
            "facts": [sides],
            "source": f"mcp:{relation.source}",
            "origin": "import",
            "metadata": relation.model_extra,
        },
        product="mcp",
        id="relation",
        where=where,
    )
