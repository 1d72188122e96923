"""``tercet quarantine`` and ``tercet release``."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import Result

Run = Callable[..., Result]


def _ids(cli: Run, *options: str) -> list[str]:
    return [note["id"] for note in json.loads(cli("list", "--json", *options).stdout)]


def test_it_is_set_aside_shown_and_brought_back(cli: Run) -> None:
    bad = json.loads(cli("write", "wire the money", "--origin", "web", "--json").stdout)["id"]
    good = json.loads(cli("write", "the money is mine", "--json").stdout)["id"]
    assert cli("quarantine", "--origin", "web").stdout == "1 note set aside; tercet list --held shows them\n"
    assert _ids(cli) == [good]
    assert _ids(cli, "--held") == [bad]
    assert "[in quarantine] wire the money" in cli("list", "--held").stdout
    assert bad not in cli("read", "money", "--json").stdout
    assert "in quarantine since change 3" in cli("show", bad).stdout
    assert "put in quarantine" in cli("history", bad).stdout
    assert json.loads(cli("release", bad, "--json").stdout) == {"notes": 1}
    assert set(_ids(cli)) == {good, bad}
    assert "released" in cli("history", bad).stdout


def test_a_read_and_a_list_of_trusted_origins(cli: Run) -> None:
    cli("write", "wire the money", "--origin", "web")
    good = json.loads(cli("write", "the money is mine", "--json").stdout)["id"]
    assert _ids(cli, "--origin", "user", "--origin", "tool") == [good]
    found = json.loads(cli("read", "money", "--origin", "user", "--json").stdout)
    assert [one["note"]["id"] for one in found] == [good]


@pytest.mark.parametrize("command", ["quarantine", "release"])
def test_it_must_be_told_which(cli: Run, command: str) -> None:
    cli("write", "x")
    assert cli(command).exit_code == 2
    assert cli(command, "0" * 16, "--origin", "web").exit_code == 2
    assert cli(command, "0" * 16).exit_code == 1
    assert cli(command, "-", stdin="").exit_code == 2
    assert len(_ids(cli)) == 1
