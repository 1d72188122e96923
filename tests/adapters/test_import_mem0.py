from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tercet.adapters.importers import per_user, read_mem0
from tercet.store.errors import InvalidInput, InvalidScope, LimitExceeded

MEMORY = {
    "id": "bf4d4092-cf91-4181-bfeb-b6fa2ed3061b",
    "memory": "Ada plays the cello",
    "hash": "9b7c5d",
    "metadata": {"category": "music"},
    "created_at": "2024-07-20T01:30:36.275141-07:00",
    "updated_at": None,
    "user_id": "ada",
    "role": "user",
}


def saved(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "mem0.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def history(tmp_path: Path, *rows: dict[str, Any], columns: str = "") -> Path:
    path = tmp_path / "history.db"
    columns = columns or (
        "id TEXT PRIMARY KEY, memory_id TEXT, old_memory TEXT, new_memory TEXT, event TEXT, created_at DATETIME, "
        "updated_at DATETIME, is_deleted INTEGER, actor_id TEXT, role TEXT"
    )
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"CREATE TABLE history ({columns})")
        for number, row in enumerate(rows):
            names = ", ".join(("id", *row))
            marks = ", ".join("?" * (len(row) + 1))
            connection.execute(f"INSERT INTO history ({names}) VALUES ({marks})", (str(number), *row.values()))
    return path


# --- JSON ------------------------------------------------------------------------------------------------------


def test_a_memory_becomes_the_keywords_of_write(tmp_path: Path) -> None:
    (draft,) = read_mem0(saved(tmp_path, {"results": [MEMORY]}))
    assert {name: value for name, value in draft.items() if name != "key"} == {
        "text": "Ada plays the cello",
        "source": "mem0:bf4d4092-cf91-4181-bfeb-b6fa2ed3061b",
        "happened": "2024-07-20T01:30:36.275141-07:00",
        "origin": "user",
        "metadata": {"category": "music", "hash": "9b7c5d", "user_id": "ada", "role": "user"},
    }


@pytest.mark.parametrize(
    "content",
    [
        {"results": [MEMORY, {"id": 2, "memory": "b"}]},
        {"count": 2, "next": None, "results": [MEMORY, {"id": 2, "memory": "b"}]},
        {"memories": [MEMORY, {"id": 2, "memory": "b"}]},
        [MEMORY, {"id": 2, "memory": "b"}],
        json.dumps(MEMORY) + '\n{"id": 2, "memory": "b"}\n',
    ],
)
def test_every_layout_gives_the_same_drafts(tmp_path: Path, content: object) -> None:
    drafts = list(read_mem0(saved(tmp_path, content)))
    assert [draft["text"] for draft in drafts] == ["Ada plays the cello", "b"]
    assert drafts == list(read_mem0(saved(tmp_path, {"results": [MEMORY, {"id": 2, "memory": "b"}]})))


@pytest.mark.parametrize(
    ("role", "origin"), [("assistant", "model"), ("tool", "tool"), ("narrator", "import"), (None, "import")]
)
def test_the_role_says_the_origin(tmp_path: Path, role: str | None, origin: str) -> None:
    (draft,) = read_mem0(saved(tmp_path, [{**MEMORY, "role": role, "actor_id": "Bo"}]))
    assert (draft["origin"], draft["speaker"]) == (origin, "Bo")


def test_metadata_of_its_own_is_not_overwritten(tmp_path: Path) -> None:
    (draft,) = read_mem0(saved(tmp_path, [{"id": "1", "memory": "m", "user_id": "a", "metadata": {"user_id": "b"}}]))
    assert draft["metadata"] == {"user_id": "a", "metadata": {"user_id": "b"}}


def test_relations_become_facts(tmp_path: Path) -> None:
    relation = {"source": "ada", "relationship": "lives_in", "target": "lisbon"}
    (draft,) = read_mem0(saved(tmp_path, {"results": [], "relations": [relation]}))
    assert (draft["text"], draft["facts"]) == ("ada lives in lisbon", [("ada", "lives_in", "lisbon")])


def test_an_empty_memory_is_left_out_and_counted(tmp_path: Path) -> None:
    drafts = read_mem0(saved(tmp_path, [{"id": "1", "memory": " "}, MEMORY]))
    assert len(list(drafts)) == len(list(drafts)) == 1
    assert drafts.skipped == {"empty memories": 1}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"results": {}}, "record 1 (line 1): results: input should be a valid list"),
        ({"results": [5]}, "results[0]: input should be an object, not 5"),
        ({"results": [{"id": "1"}]}, "results[0]: memory: field required"),
        ([MEMORY, {**MEMORY, "memory": 7}], "record 2 (line 1): memory: input should be a valid string, not 7"),
        ([{**MEMORY, "metadata": "x"}], "metadata: input should be a valid dictionary, not 'x'"),
        ([{**MEMORY, "created_at": "yesterday"}], "happened is not a date: 'yesterday'"),
        ([{**MEMORY, "created_at": 10**30}], "created_at: the time stamp"),
        ([{**MEMORY, "created_at": True}], "created_at: a time stamp is a number"),
        ('[{"id": "1", "memory": "\\ud800"}]', "the text holds a lone surrogate"),
        ('[{"id": "1", "memory": "a\\u0000"}]', "the text holds a NUL character"),
        ('[{"id": "1", "memory": "a", "metadata": {"\\udc00": 1}}]', "lone surrogate"),
        ('[{"id": "1", "memory": "a", "memory": "b"}]', "stands twice"),
        ({"results": [], "relations": [{"source": "a"}]}, "relations: [0].relationship: field required"),
        ({"results": [], "relations": [{"source": "a\nb", "relationship": "r", "target": "t"}]}, "single line"),
    ],
    ids=range(14),
)
def test_another_shape_is_refused_with_its_place(tmp_path: Path, content: object, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        list(read_mem0(saved(tmp_path, content)))
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "mem0.json"))


def test_a_text_over_the_limit_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(LimitExceeded, match=r"record 1 \(line 1\): the text has 1,000,001 bytes"):
        list(read_mem0(saved(tmp_path, [{**MEMORY, "memory": "x" * 1_000_001}])))


def test_the_key_follows_the_content(tmp_path: Path) -> None:
    texts = ("Ada plays the cello", "Ada plays the cello", "Ada sold the cello")
    keys = [next(iter(read_mem0(saved(tmp_path, [{**MEMORY, "memory": text}]))))["key"] for text in texts]
    assert keys[0] == keys[1] != keys[2]


# --- history.db ------------------------------------------------------------------------------------------------


def test_the_history_gives_what_each_memory_says_now(tmp_path: Path) -> None:
    day = "2024-07-20T01:30:36+00:00"
    path = history(
        tmp_path,
        {"memory_id": "a", "new_memory": "likes tea", "event": "ADD", "created_at": day, "role": "user"},
        {"memory_id": "b", "new_memory": "gone", "event": "ADD", "created_at": day},
        {"memory_id": "a", "new_memory": "likes coffee", "event": "UPDATE", "updated_at": "2024-08-01T00:00:00+00:00"},
        {"memory_id": "b", "event": "DELETE", "is_deleted": 1},
        {"memory_id": "c", "new_memory": "has a dog", "event": "ADD", "actor_id": "Bo"},
    )
    before = path.read_bytes()
    drafts = read_mem0(path)
    first, second = drafts
    assert (first["text"], first["happened"], first["source"]) == ("likes coffee", day, "mem0:a")
    assert first["metadata"] == {"updated_at": "2024-08-01T00:00:00+00:00"}
    assert (second["text"], second["speaker"]) == ("has a dog", "Bo")
    assert drafts.skipped == {"deleted memories": 1}
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["history.db"]


def test_the_history_of_an_early_version_is_read(tmp_path: Path) -> None:
    path = history(
        tmp_path,
        {"memory_id": "a", "new_memory": "likes tea", "event": "ADD"},
        columns="id TEXT PRIMARY KEY, memory_id TEXT, old_memory TEXT, new_memory TEXT, new_value TEXT, event TEXT",
    )
    assert [draft["text"] for draft in read_mem0(path)] == ["likes tea"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"memory_id": 5.5, "new_memory": "m", "event": "ADD"}, "row 1: event should be"),
        ({"memory_id": None, "new_memory": "m", "event": "ADD"}, "row 1: memory_id should be a text, not None"),
        ({"memory_id": "a", "new_memory": None, "event": "ADD"}, "row 1: memory: input should be a valid string"),
        ({"memory_id": "a", "new_memory": b"\xff", "event": "ADD"}, "row 1: memory: input should be a valid string"),
        ({"memory_id": "a", "new_memory": "m", "event": "MERGE"}, "row 1: event should be ADD, UPDATE or DELETE"),
    ],
)
def test_a_wrong_history_is_refused_with_its_row(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    if isinstance(row["memory_id"], float):
        row = {**row, "memory_id": "a", "event": 5.5}
    with pytest.raises(InvalidInput) as caught:
        list(read_mem0(history(tmp_path, row)))
    assert said in str(caught.value)


def test_another_sqlite_file_is_refused(tmp_path: Path) -> None:
    path = history(tmp_path, columns="id TEXT, other TEXT")
    with pytest.raises(InvalidInput, match=r"is it mem0's history\.db"):
        list(read_mem0(path))
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * 4000)
    with pytest.raises(InvalidInput, match="SQLite cannot read it"):
        list(read_mem0(path))


# --- users -----------------------------------------------------------------------------------------------------


def users(*ids: object) -> list[dict[str, object]]:
    return [{"text": "m", "metadata": {"user_id": id}} for id in ids]


def test_each_user_gets_a_scope_below_the_handle_s() -> None:
    placed = per_user([*users("ada", "Bob.Smith@x.org", "ada", 7), {"text": "nobody's"}], scope="team")
    assert [draft.get("scope") for draft in placed] == [
        "team/ada",
        "team/bob-smith-x-org",
        "team/ada",
        "team/7",
        None,
    ]
    assert placed[1]["metadata"] == {"user_id": "Bob.Smith@x.org"}


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (("Bob", "bob"), "the users 'Bob' and 'bob' would both be scope 'bob'"),
        (("a b", "a.b"), "would both be scope 'a-b'"),
        (("x" * 64 + "1", "x" * 64 + "2"), "would both be scope"),
        (("李",), "user_id '李' holds no letter or digit"),
        (("../..",), "holds no letter or digit"),
        (({"a": 1},), "is no text"),
        ((True,), "is no text"),
    ],
)
def test_users_who_cannot_be_told_apart_are_refused(ids: tuple[object, ...], said: str) -> None:
    with pytest.raises(InvalidInput, match="user") as caught:
        per_user(users(*ids), scope="team")
    assert said in str(caught.value)


@pytest.mark.parametrize("id", ["../other", "/etc", "team/../other", "other/secret", "a\nb", "a\x00b"])
def test_no_user_reaches_outside_the_scope(id: str) -> None:
    (placed,) = per_user(users(id), scope="team")
    assert str(placed["scope"]).startswith("team/")
    assert str(placed["scope"]).count("/") == 1


def test_a_scope_that_is_too_deep_is_refused() -> None:
    with pytest.raises(InvalidScope):
        per_user(users("ada"), scope="a/b/c/d/e/f/g/h")
