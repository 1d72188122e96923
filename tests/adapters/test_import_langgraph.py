from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tercet.adapters.importers import read_langgraph, sqlite_rows
from tercet.store.errors import InvalidInput

# as langgraph-checkpoint-sqlite 3.1 makes it; values are written as blobs
TABLE = """CREATE TABLE store (prefix text NOT NULL, key text NOT NULL, value text NOT NULL,
created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
expires_at TIMESTAMP, ttl_minutes REAL, PRIMARY KEY (prefix, key))"""
DAY = "2026-03-01 08:00:00"


def store(tmp_path: Path, *values: object, **columns: object) -> Path:
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(TABLE)
        for number, value in enumerate(values, start=1):
            stored = json.dumps(value).encode() if isinstance(value, (dict, list)) else value
            row = {"prefix": "users.ada", "key": f"k{number}", "value": stored, "created_at": DAY, "updated_at": DAY}
            row |= columns
            connection.execute(
                f"INSERT INTO store ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", (*row.values(),)
            )
    return path


def test_an_item_becomes_the_keywords_of_write(tmp_path: Path) -> None:
    (draft,) = read_langgraph(store(tmp_path, {"text": "Ada likes tea", "n": 3}, updated_at="2026-03-02 09:00:00"))
    assert {name: value for name, value in draft.items() if name != "key"} == {
        "text": "Ada likes tea",
        "source": "langgraph:users.ada",
        "happened": "2026-03-01T08:00:00",
        "origin": "import",
        "metadata": {
            "namespace": ["users", "ada"],
            "key": "k1",
            "updated_at": "2026-03-02T09:00:00",
            "value": {"n": 3},
        },
    }


@pytest.mark.parametrize(
    ("value", "text", "rest"),
    [
        ({"content": "a"}, "a", None),
        ({"memory": "a", "tags": []}, "a", {"tags": []}),
        ({"data": "a"}, "a", None),
        ({"text": "", "data": "a"}, "a", {"text": ""}),
        ({"kind": "Memory", "content": {"content": "Bob moved"}}, "Bob moved", {"kind": "Memory"}),
        (
            {"kind": "Note", "content": {"content": "b", "why": "c"}},
            "b",
            {"kind": "Note", "content": {"why": "c"}},
        ),
        ({"kind": "Profile", "content": {"name": "Ada"}}, '{"content": {"name": "Ada"}, "kind": "Profile"}', None),
        ({"city": "Zürich"}, '{"city": "Zürich"}', None),
        ({"content": ["a", "b"]}, '{"content": ["a", "b"]}', None),
    ],
)
def test_the_words_of_a_value_are_found(tmp_path: Path, value: object, text: str, rest: object) -> None:
    (draft,) = read_langgraph(store(tmp_path, value))
    metadata = draft["metadata"]
    assert draft["text"] == text
    assert isinstance(metadata, dict)
    assert metadata.get("value") == rest


def test_a_value_stored_as_text_is_read(tmp_path: Path) -> None:
    assert [draft["text"] for draft in read_langgraph(store(tmp_path, '{"text": "plain"}'))] == ["plain"]


def test_expired_and_empty_items_are_left_out_and_counted(tmp_path: Path) -> None:
    drafts = read_langgraph(store(tmp_path, {"text": "old"}, expires_at="2026-03-01 08:05:00.5+00:00"))
    assert list(drafts) == []
    assert drafts.skipped == {"expired items": 1}
    (tmp_path / "store.db").unlink()
    drafts = read_langgraph(store(tmp_path, {"text": "lasting"}, {}, expires_at="9000-01-01 00:00:00"))
    assert len(list(drafts)) == 1
    assert drafts.skipped == {"empty items": 1}


def test_the_same_key_in_two_namespaces_is_two_notes(tmp_path: Path) -> None:
    path = store(tmp_path, {"text": "same"})
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO store SELECT 'users.bo', key, value, created_at, updated_at, null, null FROM store"
        )
    first, second = read_langgraph(path)
    assert first["key"] != second["key"]


def test_a_store_in_use_is_read_whole_and_not_touched(tmp_path: Path) -> None:
    path = store(tmp_path, {"text": "in the file"})
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("PRAGMA wal_autocheckpoint = 0")
        row = ("users.ada", "new", b'{"text": "in the log"}')
        other.execute("INSERT INTO store (prefix, key, value) VALUES (?, ?, ?)", row)
        before = path.read_bytes()
        assert [draft["text"] for draft in read_langgraph(path)] == ["in the file", "in the log"]
        assert path.read_bytes() == before


def test_a_store_at_rest_has_no_files_beside_it_afterwards(tmp_path: Path) -> None:
    path = store(tmp_path, {"text": "in the file"})
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    assert [draft["text"] for draft in read_langgraph(path)] == ["in the file"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["store.db"]


@pytest.mark.parametrize(
    ("value", "columns", "said"),
    [
        (b"[1]", {}, "value should be a JSON object, not [1]"),
        (5, {}, "value should be a JSON object, not"),
        (b"{", {}, "row 1 ('k1' in 'users.ada'): value: this is no JSON"),
        (b'{"a": NaN}', {}, "NaN is no JSON number"),
        (b'{"a": 1, "a": 2}', {}, "stands twice"),
        (b"\xff", {}, "value is not UTF-8"),
        (b'{"a":' * 200_000, {}, "nested 200000 deep"),
        (b'{"text": "\\ud800"}', {}, "lone surrogate"),
        ({"text": "a"}, {"key": b"\x80"}, "key should be a text"),
        ({"text": "a"}, {"created_at": "soon"}, "created_at is not a date: 'soon'"),
        ({"text": "a"}, {"expires_at": "soon"}, "expires_at is not a date: 'soon'"),
    ],
    ids=range(11),
)
def test_a_wrong_item_is_refused_with_its_row(
    tmp_path: Path, value: object, columns: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        list(read_langgraph(store(tmp_path, value, **columns)))
    assert said in str(caught.value)
    assert "table store, row 1" in str(caught.value)
    assert len(str(caught.value)) < len(str(tmp_path)) + 300


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    for content, said in ((b"{}", "it is no SQLite file"), (b"SQLite format 3\x00" + b"\x01" * 4096, "SQLite cannot")):
        path.write_bytes(content)
        with pytest.raises(InvalidInput, match=said):
            list(read_langgraph(path))
    path.unlink()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE checkpoints (a)")
        connection.execute(
            "CREATE VIEW store AS SELECT 1 AS prefix, 2 AS key, 3 AS value, 4 AS created_at, 5 AS updated_at"
        )
    with pytest.raises(InvalidInput, match="is it a SqliteStore's file"):
        list(read_langgraph(path))
    with pytest.raises(InvalidInput, match="it cannot be read"):
        list(read_langgraph(tmp_path / "none.db"))


def test_a_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    path = store(tmp_path, *({"text": f"words {number} " * 50} for number in range(100)))
    assert len(list(read_langgraph(path))) == 100
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(InvalidInput, match="SQLite cannot read it"):
        list(read_langgraph(path))


def test_a_value_that_is_too_long_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_rows, "_LONGEST", 1000)
    with pytest.raises(InvalidInput, match="too big"):
        list(read_langgraph(store(tmp_path, {"text": "x" * 2000})))


def test_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = store(tmp_path, {"text": "a"})
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE store SET prefix = CAST(x'ff41' AS TEXT)")
    with pytest.raises(InvalidInput, match="SQLite cannot read it"):
        list(read_langgraph(path))
