from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from functools import partialmethod
from pathlib import Path

import pytest
import transformers
from click.testing import Result

from tercet.adapters.cli.chat import STORIES
from tercet.store.sqlite import SQLite

Run = Callable[..., Result]


def levels(result: Result) -> dict[str, str]:
    return {finding["check"]: finding["level"] for finding in json.loads(result.stdout)}


def test_doctor_finds_a_sound_memory_sound(cli: Run) -> None:
    cli("write", "I moved to Lisbon.", "--speaker", "Ada")
    result = cli("doctor", "--json")
    assert result.exit_code == 0
    found = levels(result)
    assert {"sqlite", "faiss", "embedder", "files", "file system", "database", "notes", "words"} <= set(found)
    assert "fail" not in found.values()
    shown = cli("doctor").stdout
    assert "1 in the full text, which fits" in shown


def test_doctor_looks_at_the_machine_where_there_is_no_memory(cli: Run, tmp_path: Path) -> None:
    result = cli("doctor", "--json")
    assert result.exit_code == 0
    assert levels(result)["memory"] == "warn"
    assert not (tmp_path / "memory.tercet").exists()


def test_doctor_fails_on_a_broken_index_and_rebuild_mends_it(cli: Run, tmp_path: Path) -> None:
    cli("write", "--lines", stdin="one\ntwo\nthree\n")
    with sqlite3.connect(tmp_path / "memory.tercet" / "memory.db") as connection:
        connection.execute("INSERT INTO words(words) VALUES('delete-all')")
    connection.close()
    broken = cli("doctor", "--json")
    assert broken.exit_code == 1
    assert levels(broken)["words"] == "fail"
    assert "tercet rebuild --form words" in broken.stdout
    assert json.loads(cli("rebuild", "--form", "words", "--json").stdout) == {"words": 3}
    assert cli("doctor").exit_code == 0


def test_doctor_survives_a_file_that_is_no_database(cli: Run, tmp_path: Path) -> None:
    cli("write", "something")
    (tmp_path / "memory.tercet" / "memory.db").write_bytes(b"not a database at all" * 500)
    result = cli("doctor", "--json")
    assert result.exit_code == 1
    assert levels(result)["database"] == "fail"


def test_doctor_warns_of_a_folder_that_others_may_read(cli: Run, tmp_path: Path) -> None:
    cli("write", "something")
    (tmp_path / "memory.tercet").chmod(0o755)
    assert levels(cli("doctor", "--json"))["files"] == "warn"
    (tmp_path / "memory.tercet").chmod(0o777)
    result = cli("doctor", "--json")
    assert (result.exit_code, levels(result)["files"]) == (1, "fail")


def test_doctor_erases_what_a_reader_had_kept(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SQLite, "__init__", partialmethod(SQLite.__init__, timeout=0.2))
    cli("write", "My locker code is quasarzebra.")
    id = json.loads(cli("list", "--json").stdout)[0]["id"]
    reader = sqlite3.connect(tmp_path / "memory.tercet" / "memory.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM note").fetchone()
    assert cli("forget", id, "--erase", "--yes").exit_code == 1
    reader.close()
    assert levels(cli("doctor", "--erase", "--json"))["erase"] == "ok"
    for path in (tmp_path / "memory.tercet").rglob("*"):
        assert b"quasarzebra" not in path.read_bytes()


def test_rebuild_makes_every_form_anew(cli: Run) -> None:
    cli("write", "--lines", stdin="one\ntwo\n")
    assert json.loads(cli("rebuild", "--json").stdout)["words"] == 2
    assert "words" in cli("rebuild", "--form", "words", "--form", "graph").stdout
    assert cli("rebuild", "--form", "magic").exit_code == 2
    assert cli("rebuild", "--form", "vectors").exit_code == 2


def test_a_model_and_erase_exclude_each_other(cli: Run) -> None:
    assert cli("doctor", "--erase", "--model", "x").exit_code == 2


@pytest.mark.parametrize("command", [("list",), ("write", "x"), ("read", "x"), ("stats",)])
def test_a_damaged_memory_is_an_error_and_no_traceback(cli: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    cli("write", "something")
    (tmp_path / "memory.tercet" / "memory.db").write_bytes(b"not a database at all" * 500)
    result = cli(*command)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


def test_doctor_examines_a_model(cli: Run) -> None:
    exact = cli("doctor", "--model", str(STORIES), "--json")
    assert exact.exit_code == 0, exact.output
    report = json.loads(exact.stdout)
    assert list(report) == ["family", "layers", "max_relative_logit_diff", "greedy_equal", "verdict", "reason"]
    assert (report["family"], report["layers"], report["greedy_equal"]) == ("llama", ["rope"] * 5, True)
    assert report["max_relative_logit_diff"] < 1e-4


def test_doctor_refuses_a_model_that_cannot_attend(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "gpt2").mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(STORIES / name, tmp_path / "gpt2" / name)
    config = transformers.GPT2Config(
        vocab_size=512, n_positions=256, n_embd=32, n_layer=2, n_head=2, bos_token_id=1, eos_token_id=2
    )
    transformers.GPT2LMHeadModel(config).save_pretrained(tmp_path / "gpt2")
    refused = cli("doctor", "--model", str(tmp_path / "gpt2"), "--json")
    assert refused.exit_code == 1
    report = json.loads(refused.stdout)
    assert (report["family"], report["verdict"]) == ("gpt2", "refused")
    assert report["reason"]
    shown = cli("doctor", "--model", str(tmp_path / "gpt2"))
    assert shown.exit_code == 1
    assert "refused" in shown.stdout
    missing = cli("doctor", "--model", str(tmp_path / "nothing"))
    assert (missing.exit_code, missing.stderr.count("\n")) == (1, 1)
