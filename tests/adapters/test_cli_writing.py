from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tercet import Memory
from tercet.adapters.cli import asking

Run = Callable[..., Result]


def note_of(result: Result) -> dict[str, object]:
    assert result.exit_code == 0, result.output
    value: dict[str, object] = json.loads(result.stdout)
    return value


def test_write_keeps_every_field(cli: Run) -> None:
    written = note_of(
        cli(
            *("write", "Mia is Ada's daughter.", "--speaker", "Ada", "--source", "chat:1", "--thread", "chat"),
            *("--happened", "2024-03-09", "--origin", "tool", "--key", "msg-17", "--fact", "Mia | daughter of | Ada"),
            *("--metadata", '{"lang": "en"}', "--json"),
        )
    )
    assert written["metadata"] == {"lang": "en"}
    assert {key: written[key] for key in ("speaker", "source", "thread", "happened", "origin", "key")} == {
        "speaker": "Ada",
        "source": "chat:1",
        "thread": "chat",
        "happened": "2024-03-09",
        "origin": "tool",
        "key": "msg-17",
    }
    facts = json.loads(cli("facts", "--subject", "Mia", "--relation", "daughter of", "--json").stdout)
    assert [(fact["object"], fact["notes"]) for fact in facts] == [("Ada", [written["id"]])]


def test_write_tells_people_the_id_and_the_change(cli: Run) -> None:
    result = cli("write", "I moved to Lisbon.")
    id = json.loads(cli("list", "--json").stdout)[0]["id"]
    assert result.stdout == f"note {id}, change 1\n"


@pytest.mark.parametrize(
    ("stdin", "text"),
    [
        (b"one line\n", "one line"),
        (b"two\nlines", "two\nlines"),
        (b"from windows\r\n", "from windows"),
        (b"\xef\xbb\xbfwith a mark", "with a mark"),
        ("ein Gruß — 日本".encode(), "ein Gruß — 日本"),
    ],
)
def test_write_reads_standard_input(cli: Run, stdin: bytes, text: str) -> None:
    assert note_of(cli("write", "-", "--json", stdin=stdin))["text"] == text


def test_the_same_key_writes_once(cli: Run) -> None:
    first, again = (note_of(cli("write", "hello there", "--key", "k1", "--json")) for _ in range(2))
    assert first["id"] == again["id"]
    other = cli("write", "something else", "--key", "k1")
    assert (other.exit_code, other.stdout) == (1, "")
    assert other.stderr.startswith("error: key 'k1' already names note")


def test_lines_are_written_all_or_none(cli: Run) -> None:
    result = cli("write", "--lines", "--speaker", "Ada", stdin="first\n\n  \nsecond\r\nthird\n")
    assert result.stdout == "3 notes\n"
    notes = json.loads(cli("list", "--json").stdout)
    assert [(note["text"], note["speaker"]) for note in notes] == [
        ("third", "Ada"),
        ("second", "Ada"),
        ("first", "Ada"),
    ]
    bad = cli("write", "--lines", stdin="good\nbad\x00line\n")
    assert bad.exit_code == 1
    assert "NUL" in bad.stderr
    assert len(json.loads(cli("list", "--json").stdout)) == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("write",),
        ("write", "a text", "--lines"),
        ("write", "--lines", "--fact", "a|b|c"),
        ("write", "--lines", "--key", "k"),
        ("write", "x", "--fact", "only|two"),
        ("write", "x", "--fact", "a||c"),
        ("write", "x", "--metadata", "{not json"),
        ("write", "x", "--metadata", '{"a": 1, "a": 2}'),
        ("write", "x", "--metadata", '{"a": NaN}'),
        ("write", "x", "--metadata", "[1]"),
        ("write", "x", "--metadata", "[" * 200_000),
        ("undo", "first"),
        ("frobnicate",),
        ("forget",),
        ("forget", "--yes"),
        ("list", "--memory", ""),
        ("write", "x", "--no-such-option"),
    ],
    ids=lambda arguments: " ".join(arguments)[:40],
)
def test_wrong_usage_exits_2_and_writes_nothing(cli: Run, arguments: tuple[str, ...], tmp_path: Path) -> None:
    result = cli(*arguments, stdin="")
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: tercet")
    assert not (tmp_path / "memory.tercet").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("write", ""), "the text is empty"),
        (("write", "   "), "the text is empty"),
        (("write", "a\udc80b"), "lone surrogate"),
        (("write", "x", "--happened", "2024-13-01"), "happened is not a date"),
        (("write", "x", "--happened", "99999-01-01"), "happened is not a date"),
        (("write", "x", "--happened", "-0001-01-01"), "happened is not a date"),
        (("write", "x", "--origin", "elsewhere"), "origin 'elsewhere' is unknown"),
        (("write", "x", "--speaker", "two\nlines"), "speaker must be a single line"),
        (("write", "x", "--metadata", '{"n": 9223372036854775808}'), "outside 64 bits"),
        (("write", "x", "--scope", "../../x"), "scope '../../x' is malformed"),
        (("write", "x", "--scope", ""), "a scope is needed"),
        (("write", "x", "--scope", "*"), "scope '*' is malformed"),
        (("write", "x", "--scope", "a" * 300), "is malformed"),
        (("write", "x", "--scope", "а"), "is malformed"),  # a Cyrillic letter
        (("write", "x" * 1_000_001), "limit is 1,000,000"),
        (("write", "x", "--memory", "mysql://host/db"), "cannot be kept in mysql"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else None,
)
def test_bad_values_are_one_line_and_exit_1(cli: Run, arguments: tuple[str, ...], said: str) -> None:
    result = cli(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_bad_standard_input_is_refused(cli: Run) -> None:
    latin = cli("write", "-", stdin=b"caf\xe9")
    assert (latin.exit_code, latin.stderr) == (1, "error: standard input is not UTF-8 (byte 3); convert it first\n")
    large = cli("write", "-", stdin=b"x" * 3_000_000)
    assert large.exit_code == 1
    assert "1,000,000 bytes" in large.stderr
    line = cli("write", "--lines", stdin=b"ok\n" + b"x" * 1_000_001)
    assert line.exit_code == 1
    assert "line 2 of standard input has over 1,000,000 bytes" in line.stderr


def test_errors_never_run_in_the_terminal(cli: Run) -> None:
    result = cli("show", "\x1b]0;pwned\x07\u202e")
    assert result.exit_code == 1
    assert "\x1b" not in result.output
    assert "\u202e" not in result.output


def test_revise_keeps_the_rest_and_names_the_old_note(cli: Run) -> None:
    old = note_of(cli("write", "I moved to Lisbon.", "--speaker", "Ada", "--happened", "2024-03-09", "--json"))
    new = note_of(cli("revise", str(old["id"]), "-", "--json", stdin="I moved to Porto.\n"))
    assert (new["text"], new["speaker"], new["happened"]) == ("I moved to Porto.", "Ada", "2024-03-09")
    assert new["replaces"] == old["id"]
    assert [note["id"] for note in json.loads(cli("list", "--json").stdout)] == [new["id"]]
    again = cli("revise", str(old["id"]), "Once more.")
    assert again.exit_code == 1
    assert "not current any more" in again.stderr


def test_undo_brings_the_words_back_and_refuses_a_forget(cli: Run) -> None:
    old = note_of(cli("write", "I moved to Lisbon.", "--json"))
    cli("revise", str(old["id"]), "I moved to Porto.")
    told = cli("undo", "2")
    assert told.exit_code == 0
    assert told.stdout.endswith("is current: I moved to Lisbon.\n")
    other = note_of(cli("write", "a slip of the tongue", "--json"))
    assert (
        cli("undo", str(other["change"])).stdout == f"change {other['change']} is undone; nothing stands in its place\n"
    )
    cli("forget", str(old["id"]), "--yes")
    last = json.loads(cli("stats", "--json").stdout)["change"]
    assert "cannot be" in cli("undo", str(last)).stderr
    for number in ("0", "99999", str(2**70)):
        assert cli("undo", number).exit_code == 1


def test_forget_refuses_where_nobody_can_be_asked(cli: Run) -> None:
    note = note_of(cli("write", "keep me", "--json"))
    result = cli("forget", str(note["id"]), stdin="y\n")
    assert result.exit_code == 2
    assert "say --yes" in result.stderr
    assert cli("show", str(note["id"])).exit_code == 0


def test_forget_shows_the_notes_and_takes_no_for_an_answer(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    note = note_of(cli("write", "keep me", "--json"))
    monkeypatch.setattr(asking, "somebody_is_there", lambda: True)
    refused = cli("forget", str(note["id"]), stdin="n\n")
    assert refused.exit_code == 1
    assert "keep me" in refused.stderr
    assert refused.stderr.endswith("nothing was changed\n")
    assert cli("show", str(note["id"])).exit_code == 0
    assert cli("forget", str(note["id"]), stdin="y\n").exit_code == 0
    assert cli("show", str(note["id"])).exit_code == 1


def test_the_end_of_input_instead_of_an_answer_changes_nothing(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    note = note_of(cli("write", "keep me", "--json"))
    monkeypatch.setattr(asking, "somebody_is_there", lambda: True)
    assert cli("forget", str(note["id"]), stdin="").exit_code == 130
    assert cli("show", str(note["id"])).exit_code == 0


def test_forget_is_all_or_nothing(cli: Run) -> None:
    note = note_of(cli("write", "keep me", "--json"))
    for wrong in ("0" * 16, str(note["id"])[:8], "x" * 5000, ""):
        result = cli("forget", str(note["id"]), wrong, "--yes")
        assert result.exit_code == 1
        assert "no note" in result.stderr
    assert cli("show", str(note["id"])).exit_code == 0


def test_a_note_of_another_scope_looks_like_none(cli: Run) -> None:
    hidden = note_of(cli("write", "a secret", "--scope", "bob", "--json"))
    missing = "f" * 16
    for command in (("show",), ("history",), ("revise", "new words"), ("forget", "--yes")):
        name, *rest = command
        answers = [cli(name, id, *rest, "--scope", "ada") for id in (str(hidden["id"]), missing)]
        assert [answer.exit_code for answer in answers] == [1, 1]
        assert answers[0].stderr.replace(str(hidden["id"]), missing) == answers[1].stderr


def test_ids_come_from_standard_input(cli: Run) -> None:
    cli("write", "--lines", stdin="one\ntwo\nthree\n")
    ids = [note["id"] for note in json.loads(cli("list", "--json").stdout)]
    assert cli("forget", "-", "--yes", stdin="\n".join(ids[:2]) + "\n").exit_code == 0
    assert [note["text"] for note in json.loads(cli("list", "--json").stdout)] == ["one"]
    assert cli("forget", "-", "--yes", stdin=" \n").exit_code == 2


def test_the_receipt_is_printed_kept_and_true(cli: Run, tmp_path: Path) -> None:
    note = note_of(cli("write", "My locker code is quasarzebra.", "--json"))
    file = tmp_path / "receipt.json"
    printed = cli("forget", str(note["id"]), "--erase", "--yes", "--json", "--receipt", str(file))
    assert printed.exit_code == 0
    receipt = json.loads(printed.stdout)
    assert receipt == json.loads(file.read_text())
    assert (receipt["erased"], receipt["notes"]) == (True, [note["id"]])
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    for path in (tmp_path / "memory.tercet").rglob("*"):
        assert b"quasarzebra" not in path.read_bytes()


def test_a_receipt_for_people_names_what_was_not_reached(cli: Run) -> None:
    note = note_of(cli("write", "some words", "--json"))
    told = cli("forget", str(note["id"]), "--yes").stdout
    assert "1 version in change" in told
    assert "not reached" in told
    assert "erased     no\n" in told


def test_no_receipt_can_be_kept_no_note_is_forgotten(cli: Run, tmp_path: Path) -> None:
    note = note_of(cli("write", "keep me", "--json"))
    taken = tmp_path / "taken.json"
    taken.write_text("mine")
    assert cli("forget", str(note["id"]), "--yes", "--receipt", str(taken)).exit_code == 2
    missing = cli("forget", str(note["id"]), "--yes", "--receipt", str(tmp_path / "no" / "where.json"))
    assert missing.exit_code == 1
    assert missing.stderr.startswith(f"error: No such file or directory: {tmp_path}")
    assert taken.read_text() == "mine"
    assert cli("show", str(note["id"])).exit_code == 0


def test_a_forget_that_fails_leaves_no_receipt(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = note_of(cli("write", "keep me", "--json"))

    def broken(self: Memory, *ids: str, **rest: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Memory, "forget", broken)
    result = cli("forget", str(note["id"]), "--yes", "--receipt", str(tmp_path / "receipt.json"))
    assert result.exit_code == 130
    assert not (tmp_path / "receipt.json").exists()


def test_a_forget_that_could_not_erase_says_so(cli: Run, tmp_path: Path) -> None:
    note = note_of(cli("write", "My locker code is quasarzebra.", "--json"))
    (tmp_path / "memory.tercet" / "copy.txt").write_text("My locker code is quasarzebra.")
    result = cli("forget", str(note["id"]), "--erase", "--yes")
    assert result.exit_code == 1
    assert "STILL FOUND" in result.stdout
    assert result.stderr.splitlines()[-1].startswith("error: the notes are forgotten, but not every byte")


@pytest.mark.skipif(os.name != "posix", reason="links and modes are those of POSIX")
def test_a_folder_that_others_could_swap_is_refused(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    linked = cli("write", "x", "--memory", "link")
    assert (linked.exit_code, linked.stderr.count("\n")) == (1, 1)
    assert "is a link" in linked.stderr
    (tmp_path / "real").chmod(0o777)
    loose = cli("write", "x", "--memory", "real")
    assert loose.exit_code == 1
    assert "chmod 700" in loose.stderr


def test_a_refusal_of_one_note_does_not_count_drafts(cli: Run) -> None:
    refused = cli("write", "  ")
    assert (refused.exit_code, refused.stderr) == (1, "error: the text is empty; there is nothing to remember\n")
