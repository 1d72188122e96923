"""``tercet forget`` with options instead of ids."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import Result

from tercet.adapters.cli import asking

Run = Callable[..., Result]


def _texts(cli: Run, *options: str) -> set[str]:
    return {note["text"] for note in json.loads(cli("list", "--json", *options).stdout)}


def _filled(cli: Run) -> None:
    cli("write", "of Mia", "--speaker", "Mia", "--source", "mail:3", "--thread", "chat")
    cli("write", "of a page", "--origin", "web")
    cli("write", "of Ada", "--speaker", "Ada")


@pytest.mark.parametrize(
    "option", [("--speaker", "Mia"), ("--source", "mail:3"), ("--thread", "chat"), ("--origin", "user")]
)
def test_an_option_says_which(cli: Run, option: tuple[str, str]) -> None:
    _filled(cli)
    receipt = json.loads(cli("forget", *option, "--yes", "--json").stdout)
    gone = {"of Mia", "of Ada"} if option[0] == "--origin" else {"of Mia"}
    assert len(receipt["notes"]) == len(gone)
    assert _texts(cli) == {"of Mia", "of Ada", "of a page"} - gone


def test_everything_is_of_the_scope_only(cli: Run) -> None:
    _filled(cli)
    cli("write", "at work", "--scope", "me/work")
    cli("write", "of bob", "--scope", "bob")
    assert cli("forget", "--everything", "--scope", "me/work", "--yes").exit_code == 0
    assert len(_texts(cli)) == 3
    assert cli("forget", "--everything", "--yes").exit_code == 0
    assert _texts(cli) == set()
    assert _texts(cli, "--scope", "bob") == {"of bob"}


def test_it_shows_how_many_and_asks(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _filled(cli)
    monkeypatch.setattr(asking, "somebody_is_there", lambda: True)
    refused = cli("forget", "--origin", "user", stdin="n\n")
    assert refused.exit_code == 1
    assert "Forget these 2 notes for good" in refused.stderr
    assert "of Mia" in refused.stderr
    assert len(_texts(cli)) == 3


def test_what_fits_nothing_is_said(cli: Run) -> None:
    _filled(cli)
    result = cli("forget", "--speaker", "Theo", "--erase")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.endswith("no note fits; nothing was forgotten\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give the ID of at least one note"),
        (("0" * 16, "--speaker", "Mia"), "not both"),
        (("--everything", "--speaker", "Mia"), "nothing to choose"),
        (("0" * 16, "--everything"), "not both"),
    ],
)
def test_what_is_not_clear_is_refused(cli: Run, arguments: tuple[str, ...], said: str) -> None:
    _filled(cli)
    result = cli("forget", *arguments, "--yes")
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(_texts(cli)) == 3


def test_an_empty_option_is_no_option_left_out(cli: Run) -> None:
    _filled(cli)
    result = cli("forget", "--speaker", "", "--yes")
    assert result.exit_code == 1
    assert "speaker is empty" in result.stderr
    assert len(_texts(cli)) == 3
