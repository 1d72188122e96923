"""``tercet doctor --receipt``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]


def test_a_receipt_is_verified(cli: Run, tmp_path: Path) -> None:
    note = json.loads(cli("write", "My locker code is quasarzebra.", "--scope", "ada/home", "--json").stdout)
    file = str(tmp_path / "receipt.json")
    assert cli("forget", note["id"], "--scope", "ada/home", "--erase", "--yes", "--receipt", file).exit_code == 0
    good = cli("doctor", "--receipt", file, "--look-for", "quasarzebra")
    assert good.exit_code == 0, good.output
    assert "another process found none" in good.stdout
    cli("write", "quasarzebras again")
    doubtful = json.loads(cli("doctor", "--receipt", file, "--look-for", "quasarzebra", "--json").stdout)
    assert {one["check"]: one["level"] for one in doubtful}["bytes"] == "warn"
    (tmp_path / "memory.tercet" / "copy").write_text("quasarzebra!")
    values = json.loads(Path(file).read_text())
    values["erased"] = False
    Path(file).write_text(json.dumps(values))
    changed = cli("doctor", "--receipt", file)
    assert changed.exit_code == 1
    assert "changed after it was made" in changed.stdout


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"store": 1}', "not json", "\x00"])
def test_what_is_no_receipt_is_one_line(cli: Run, tmp_path: Path, content: str) -> None:
    cli("write", "x")
    (tmp_path / "file.json").write_text(content)
    result = cli("doctor", "--receipt", "file.json")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


def test_options_that_do_not_go_together(cli: Run) -> None:
    for arguments in (("--look-for", "x"), ("--receipt", "a", "--erase"), ("--receipt", "a", "--model", "b")):
        assert cli("doctor", *arguments).exit_code == 2
