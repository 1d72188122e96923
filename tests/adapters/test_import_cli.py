"""``tercet import`` with files of other products: recognised, written once, all or nothing, never outside the scope."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result

from tercet import Memory
from tercet.adapters.importers import per_user, read_chat, read_mem0, sniffed
from tercet.store.errors import InvalidInput

Run = Callable[..., Result]
MEM0 = {
    "results": [
        {"id": "1", "memory": "Ada plays the cello.", "created_at": "2024-07-20T08:00:00Z", "user_id": "Ada"},
        {"id": "2", "memory": "Bo has a boat.", "user_id": "bo"},
    ]
}
CHAT = {"id": "c1", "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello boat."}]}
MCP = [
    {"type": "entity", "name": "Ada", "entityType": "person", "observations": ["plays the cello"]},
    {"type": "relation", "from": "Ada", "to": "Lisbon", "relationType": "lives in"},
]


def langgraph(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE store (prefix text, key text, value text, created_at text, updated_at text)")
        connection.execute("INSERT INTO store VALUES ('users.ada', 'k', '{\"text\": \"Ada likes tea\"}', null, null)")


def history(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE history (id text, memory_id text, new_memory text, event text)")
        connection.execute("INSERT INTO history VALUES ('1', 'm', 'Ada likes tea', 'ADD')")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, tuple[str, int]]:
    """Returns per file what it is and how many notes it makes."""
    (tmp_path / "mem0.json").write_text(json.dumps(MEM0, indent=1))
    (tmp_path / "mem0-list.json").write_text(json.dumps(MEM0["results"]))
    (tmp_path / "memory.json").write_text("\n".join(map(json.dumps, MCP)))
    (tmp_path / "graph.json").write_text(json.dumps({"entities": [MCP[0]], "relations": [MCP[1]]}))
    (tmp_path / "openai.jsonl").write_text(json.dumps(CHAT) + "\n")
    (tmp_path / "messages.json").write_text(json.dumps(CHAT["messages"]))
    (tmp_path / "sharegpt.json").write_text('[{"id": "s", "conversations": [{"from": "human", "value": "Hi"}]}]')
    (tmp_path / "conversations.json").write_text('[{"title": "memory", "mapping": {}, "current_node": null}]')
    langgraph(tmp_path / "store.db")
    history(tmp_path / "history.db")
    return {
        "mem0.json": ("mem0", 2),
        "mem0-list.json": ("mem0", 2),
        "history.db": ("mem0", 1),
        "memory.json": ("mcp", 3),
        "graph.json": ("mcp", 3),
        "openai.jsonl": ("chat", 1),
        "messages.json": ("chat", 1),
        "sharegpt.json": ("chat", 1),
        "conversations.json": ("chat", 0),
        "store.db": ("langgraph", 1),
    }


def test_each_file_is_recognised_and_taken_in_once(cli: Run, files: dict[str, tuple[str, int]]) -> None:
    for file, (form, count) in files.items():
        where = ("--memory", f"{file}.tercet", "--json")
        first, second = (json.loads(cli("import", file, *where).stdout) for _ in range(2))
        assert (first["format"], first["new"]) == (form, count), file
        assert (second["format"], second["new"]) == (form, 0), file
        assert len(json.loads(cli("list", *where).stdout)) == count
        assert json.loads(cli("import", file, "--format", form, *where).stdout)["new"] == 0


def test_what_is_left_out_is_said(cli: Run, files: dict[str, tuple[str, int]]) -> None:
    result = cli("import", "openai.jsonl")
    assert result.stdout == "1 new notes\n"
    assert "left out: 1 system prompts" in result.stderr
    assert json.loads(cli("import", "openai.jsonl", "--json").stdout)["left_out"] == {"system prompts": 1}


def test_the_facts_of_a_graph_can_be_asked_for(cli: Run, files: dict[str, tuple[str, int]]) -> None:
    cli("import", "memory.json")
    facts = json.loads(cli("facts", "--subject", "Ada", "--json").stdout)
    assert {("Ada", "is a", "person"), ("Ada", "lives in", "Lisbon")} <= {
        (fact["subject"], fact["relation"], fact["object"]) for fact in facts
    }


def test_users_stay_in_the_scope_unless_asked_for(cli: Run, files: dict[str, tuple[str, int]]) -> None:
    cli("import", "mem0.json", "--scope", "team")
    notes = json.loads(cli("list", "--json", "--scope", "team").stdout)
    assert {note["scope"] for note in notes} == {"team"}
    assert {note["metadata"]["user_id"] for note in notes} == {"Ada", "bo"}
    cli("import", "mem0.json", "--scope", "other", "--by-user")
    assert {note["scope"] for note in json.loads(cli("list", "--json", "--scope", "other").stdout)} == {
        "other/ada",
        "other/bo",
    }
    assert len(json.loads(cli("list", "--json", "--scope", "other/ada").stdout)) == 1


def test_users_who_cannot_be_told_apart_write_nothing(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps([{"id": "1", "memory": "a", "user_id": user} for user in ("Bo", "bo")]))
    result = cli("import", "m.json", "--by-user")
    assert result.exit_code == 1
    assert "the users 'Bo' and 'bo' would both be scope 'bo'" in result.stderr
    assert not (tmp_path / "memory.tercet").exists()


def test_wrong_usage_is_said(cli: Run, files: dict[str, tuple[str, int]]) -> None:
    assert cli("import", "openai.jsonl", "--by-user").exit_code == 2
    assert cli("import", "-", "--format", "mem0", stdin="[]").exit_code == 2


@pytest.mark.parametrize("form", ["mem0", "langgraph", "mcp", "chat"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04\x95\x0c\x00pickle",
        b"PK\x03\x04zip",
        b"plain words",
        b"[1, 2]",
        b'[{"foo": "bar"}]',
        b"[" * 200_000 + b"]" * 200_000,
        b'[{"id": "1", "memory": "a", "messages": [], "type": ',
        b'{"memory": NaN, "messages": NaN, "type": NaN}',
        b"SQLite format 3\x00" + b"\x00" * 5000,
        b'{"type": "entity"}\n' + b" " * (3 << 20) + b"x",
    ],
    ids=range(11),
)
def test_a_bad_file_is_one_line_and_writes_nothing(cli: Run, tmp_path: Path, form: str, content: bytes) -> None:
    (tmp_path / "bad.file").write_bytes(content)
    result = cli("import", "bad.file", "--format", form)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: bad.file")
    assert result.stderr.count("\n") == 1
    assert len(result.stderr) < 400
    assert not (tmp_path / "memory.tercet").exists()


def test_a_file_that_breaks_off_late_writes_nothing(cli: Run, tmp_path: Path) -> None:
    cli("write", "already here")
    lines = [json.dumps({"id": str(number), "memory": f"memory {number}"}) for number in range(3000)]
    (tmp_path / "m.jsonl").write_text("\n".join(lines)[:-5])
    result = cli("import", "m.jsonl")
    assert "ends in the middle of record 3000 (line 3000)" in result.stderr
    assert len(json.loads(cli("list", "--json").stdout)) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'[{"foo": 1}]', "is neither a Tercet export"),
        (b'{"foo": {"memory": 1}}', "is neither a Tercet export"),
        (b'{"conversation": {}}', "is neither a Tercet export"),
        (b'{"memory": "x", "messages": []}', "could be mem0 or chat; say which with --format"),
        (b'{"a": "' + b'\\"' * 40_000, "is neither a Tercet export"),
    ],
)
def test_what_is_not_clear_is_asked_for(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "some.file").write_bytes(content)
    with pytest.raises(InvalidInput, match=said):
        sniffed(tmp_path / "some.file")


def test_another_sqlite_file_is_not_recognised(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection, connection:
        connection.execute("CREATE TABLE other (a)")
    with pytest.raises(InvalidInput, match="is neither"):
        sniffed(tmp_path / "other.db")


def test_a_dialogue_file_is_told_by_what_comes_first(tmp_path: Path) -> None:
    question = json.dumps([{"qa": [{"question": "x" * 70_000}], "conversation": {}}])
    for content in (question, '[{"sample_id": "a", "conversation": {"memory": []}}]', "[]", "[broken"):
        (tmp_path / "talk.json").write_text(content)
        assert sniffed(tmp_path / "talk.json") == "locomo"


# --- as a library ----------------------------------------------------------------------------------------------


def test_drafts_go_into_a_memory_as_they_are(tmp_path: Path, files: dict[str, tuple[str, int]]) -> None:
    with Memory(tmp_path / "one.tercet", scope="team", embedder=None) as memory:
        memory.write_many(read_chat(tmp_path / "openai.jsonl"))
        notes = memory.write_many(per_user(read_mem0(tmp_path / "mem0.json"), scope="team"))
        assert [note.scope for note in notes] == ["team/ada", "team/bo"]
        assert notes[0].happened == "2024-07-20T08:00:00"
        assert memory.write_many(per_user(read_mem0(tmp_path / "mem0.json"), scope="team")) == notes
        assert memory.stats().notes == 3
        assert memory.read("Who has a boat?", k=1)[0].note.text in ("Bo has a boat.", "Hello boat.")


def test_a_memory_that_was_forgotten_here_can_come_again(tmp_path: Path, files: dict[str, tuple[str, int]]) -> None:
    with Memory(tmp_path / "one.tercet", scope="team", embedder=None) as memory:
        first, _ = memory.write_many(read_mem0(tmp_path / "mem0.json"))
        memory.forget(first.id)
        again, _ = memory.write_many(read_mem0(tmp_path / "mem0.json"))
        assert again.text == first.text
        assert memory.stats().notes == 2
