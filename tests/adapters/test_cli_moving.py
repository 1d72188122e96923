from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]
DIALOGUE = [
    {
        "sample_id": "walk",
        "conversation": {
            "session_1_date_time": "1:56 pm on 8 May, 2023",
            "session_1": [
                {"speaker": "Ann", "dia_id": "D1:1", "text": "The ferry leaves at nine."},
                {
                    "speaker": "Ben",
                    "dia_id": "D1:2",
                    "text": "Then I bring the bicycles.",
                    "facts": [["Ben", "owns", "bicycles"]],
                },
            ],
        },
    }
]


@pytest.fixture
def dialogue(tmp_path: Path) -> str:
    file = tmp_path / "dialogue.json"
    file.write_text(json.dumps(DIALOGUE, indent=1))
    return str(file)


def test_an_export_makes_the_memory_anew(cli: Run) -> None:
    cli("write", "I moved to Lisbon.", "--speaker", "Ada", "--fact", "Ada|lives in|Lisbon")
    id = json.loads(cli("list", "--json").stdout)[0]["id"]
    cli("revise", id, "I moved to Porto.")
    exported = cli("export").stdout
    for source in (("import", "-"), ("import", "copy.jsonl")):
        if source[1] != "-":
            assert cli("export", "copy.jsonl").stdout == "copy.jsonl: 2 changes\n"
        where = ("--memory", f"new-{len(source[1])}.tercet")
        result = cli(*source, *where, stdin=exported)
        assert result.stdout == "2 new notes\n", result.output
        assert cli("export", *where).stdout == exported
        assert cli("history", id, "--json", *where).stdout == cli("history", id, "--json").stdout


def test_an_export_is_for_its_owner_and_replaces_nothing_unasked(cli: Run, tmp_path: Path) -> None:
    cli("write", "private words")
    assert cli("export", "out.jsonl").exit_code == 0
    assert stat.S_IMODE(os.stat(tmp_path / "out.jsonl").st_mode) == 0o600
    before = (tmp_path / "out.jsonl").read_text()
    refused = cli("export", "out.jsonl")
    assert refused.exit_code == 2
    assert "say --yes" in refused.stderr
    assert cli("export", "out.jsonl", "--yes").exit_code == 0
    assert (tmp_path / "out.jsonl").read_text() == before
    assert cli("export", "/dev/null", "--yes").exit_code == 2
    assert cli("export", "no/such/folder.jsonl").exit_code == 1


def test_a_dialogue_is_recognised_and_taken_in_once(cli: Run, dialogue: str) -> None:
    assert cli("import", dialogue).stdout == "2 new notes\n"
    assert json.loads(cli("import", dialogue, "--json").stdout) == {"file": dialogue, "format": "locomo", "new": 0}
    first = json.loads(cli("list", "--json").stdout)[-1]
    assert (first["speaker"], first["happened"], first["thread"]) == ("Ann", "2023-05-08T13:56:00", "walk")
    assert (first["source"], first["origin"]) == ("walk:D1:1", "import")
    assert (
        json.loads(cli("facts", "--subject", "Ben", "--relation", "owns", "--json").stdout)[0]["object"] == "bicycles"
    )


def test_the_format_can_be_given(cli: Run, dialogue: str) -> None:
    assert cli("import", dialogue, "--format", "locomo").exit_code == 0
    wrong = cli("import", dialogue, "--format", "tercet")
    assert wrong.exit_code == 1
    assert "error: line 1" in wrong.stderr
    assert cli("import", dialogue, "--format", "csv").exit_code == 2
    assert cli("import", "-", "--format", "locomo", stdin="[]").exit_code == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is neither a Tercet export"),
        (b"plain words\n", "is neither a Tercet export"),
        (b'{"conversation": {}}', "is neither a Tercet export"),
        (b"\x80\x04\x95\x0c\x00pickle", "is neither a Tercet export"),
        (b"PK\x03\x04zip", "is neither a Tercet export"),
        (b"[]extra", "this is no JSON"),
        (b"[" * 200_000, "nested"),
        (b'[{"conversation": {}}]', "has no session_1"),
        (b'{"tercet": 1, "scope": "me"}\nnot json\n', "line 2"),
        (b'{"tercet": 1, "scope": "me"}\n{"op": "write"}\n', "line 2 is no line of a Tercet export"),
        (b'{"tercet": 99, "scope": "me"}\n', "format 99"),
        (b'{"tercet": 1, "scope": "me", "scope": "you"}\n', "stands twice"),
        (b'{"tercet": 1, "scope": "me"}\n\xff\xfe\n', "line 2 of bad.file is not UTF-8"),
        (b'{"tercet": 1, "scope": "me"}\n' + b" " * (9 << 20), "line 2 of bad.file has over 8,388,608 bytes"),
        (b'{"tercet": 1, "scope": "me"}\n' + b"[" * 100_000, "line 2"),
    ],
    ids=range(15),
)
def test_a_bad_file_is_one_line_and_writes_nothing(cli: Run, tmp_path: Path, content: bytes, said: str) -> None:
    cli("write", "already here")
    (tmp_path / "bad.file").write_bytes(content)
    result = cli("import", "bad.file")
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert len(json.loads(cli("list", "--json").stdout)) == 1


def test_an_import_never_leaves_the_handle_s_scope(cli: Run) -> None:
    cli("write", "a secret of Bob's", "--scope", "bob")
    exported = cli("export", "--scope", "bob").stdout
    result = cli("import", "-", "--scope", "ada", "--memory", "other.tercet", stdin=exported)
    assert result.exit_code == 1
    assert "outside this handle's scope" in result.stderr


def test_a_missing_file_is_wrong_usage(cli: Run) -> None:
    result = cli("import", "nowhere.json")
    assert result.exit_code == 2
    assert "nowhere.json" in result.stderr
    assert cli("import", ".").exit_code == 2
