"""Files with bytes changed, cut or moved: each is read or refused, and no other error comes out."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tercet.adapters.importers import Drafts, read_chat, read_langgraph, read_mcp, read_mem0, sniffed
from tercet.store.draft import checked_draft
from tercet.store.errors import InvalidInput, LimitExceeded

ROUNDS = 400
JSON_FILES = [
    (
        read_mem0,
        {
            "results": [{"id": "1", "memory": "m", "metadata": {"a": [1.5]}, "created_at": "2024-07-20T08:00:00Z"}],
            "relations": [{"source": "a", "relationship": "b", "target": "c"}],
        },
    ),
    (
        read_mcp,
        {
            "entities": [{"name": "A", "entityType": "t", "observations": ["o", "p"]}],
            "relations": [{"from": "A", "to": "B", "relationType": "r"}],
        },
    ),
    (
        read_chat,
        {"id": 5, "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}], "timestamp": 1e9}]},
    ),
    (read_chat, [{"id": "s", "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}]),
    (
        read_chat,
        [
            {
                "conversation_id": "c",
                "create_time": 1.6e9,
                "current_node": "b",
                "mapping": {
                    "a": {"parent": None, "children": ["b"], "message": None},
                    "b": {
                        "parent": "a",
                        "children": [],
                        "message": {
                            "id": "m",
                            "author": {"role": "user", "name": None},
                            "content": {"content_type": "text", "parts": ["hi", {"content_type": "image"}]},
                            "metadata": {},
                        },
                    },
                },
            }
        ],
    ),
]
_PARTS = (
    b"",
    b"null",
    b"true",
    b"5",
    b'"x"',
    b"[]",
    b"{}",
    b"-1e999",
    b"NaN",
    b"\xff",
    b"\\ud800",
    b"\n",
    b"1e300",
    b"0",
)


def read(reader: Callable[[Path], Drafts], path: Path) -> bool:
    """Returns whether the file was taken; whatever is taken can be written."""
    said = ""
    with suppress(InvalidInput):
        sniffed(path)
    try:
        for draft in reader(path):
            values = {name: value for name, value in draft.items() if name != "text"}
            checked_draft(draft["text"], scope="any", **values)  # type: ignore[arg-type]
    except (InvalidInput, LimitExceeded) as error:
        said = str(error)
    assert "\n" not in said
    assert len(said) < len(str(path)) * 2 + 400
    return not said


def mutated(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data))
    end = min(len(data), start + chance.choice((0, 1, 2, 5, 20)))
    return data[:start] + chance.choice((*_PARTS, data[chance.randrange(len(data)) :][:10])) + data[end:]


@pytest.mark.parametrize(("reader", "content"), JSON_FILES, ids=range(len(JSON_FILES)))
def test_a_changed_json_file_is_read_or_refused(
    tmp_path: Path, reader: Callable[[Path], Drafts], content: object
) -> None:
    chance, path, whole = random.Random(11), tmp_path / "f.json", json.dumps(content).encode()
    path.write_bytes(whole)
    assert read(reader, path)
    refused = 0
    for _ in range(ROUNDS):
        path.write_bytes(mutated(whole, chance))
        refused += not read(reader, path)
    assert refused > ROUNDS // 10


def places(value: Any) -> list[tuple[Any, str | int]]:  # noqa: ANN401
    """Returns every value inside another one, as what holds it and its name or number there."""
    if isinstance(value, dict):
        return [(value, name) for name in value] + [one for item in value.values() for one in places(item)]
    if isinstance(value, list):
        return [(value, place) for place in range(len(value))] + [one for item in value for one in places(item)]
    return []


OTHERS: tuple[object, ...] = (None, True, 7, -1.5, "", "x", "x\ny", [], [[]], {}, {"a": 1}, "y" * 2000, 10**40)


@pytest.mark.parametrize(("reader", "content"), JSON_FILES, ids=range(len(JSON_FILES)))
def test_a_value_in_the_place_of_any_other_is_read_or_refused(
    tmp_path: Path, reader: Callable[[Path], Drafts], content: object
) -> None:
    path, text = tmp_path / "f.json", json.dumps(content)
    refused = 0
    for number in range(len(places(json.loads(text)))):
        for other in OTHERS:
            whole = json.loads(text)
            inside, place = places(whole)[number]
            inside[place] = other
            path.write_text(json.dumps(whole))
            refused += not read(reader, path)
    assert refused


@pytest.mark.parametrize("reader", [read_langgraph, read_mem0])
def test_a_changed_database_is_read_or_refused(tmp_path: Path, reader: Callable[[Path], Drafts]) -> None:
    path = tmp_path / "f.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE store (prefix text, key text, value text, created_at text, updated_at text)")
        connection.execute("CREATE TABLE history (memory_id text, new_memory text, event text, created_at text)")
        for number in range(60):
            item = json.dumps({"text": f"words {number} " * 5})
            connection.execute("INSERT INTO store VALUES ('a.b', ?, ?, '2026-01-01', null)", (str(number), item))
            connection.execute("INSERT INTO history VALUES (?, ?, 'ADD', '2026-01-01')", (str(number), item))
    chance, whole = random.Random(13), path.read_bytes()
    assert read(reader, path)
    refused = 0
    for _ in range(ROUNDS):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 4, 30))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(bytes(data[: chance.choice((len(data), chance.randrange(len(data))))]))
        refused += not read(reader, path)
    assert refused > ROUNDS // 10
