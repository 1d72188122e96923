"""Summaries on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable

from click.testing import Result

Run = Callable[..., Result]


def test_a_summary_is_shown_stale_and_goes_with_what_it_sums_up(cli: Run) -> None:
    one = json.loads(cli("write", "I moved to Lisbon.", "--json").stdout)["id"]
    made = json.loads(cli("write", "Ada is in Lisbon.", "--derived-from", one, "--json").stdout)
    assert (made["derived_from"], made["origin"], made["stale"]) == ([one], "model", False)
    cli("revise", one, "I moved to Porto.")
    assert "[stale] Ada is in Lisbon." in cli("list").stdout
    assert "no longer says the same" in cli("show", made["id"]).stdout
    assert "[stale]" in cli("read", "Where is Ada?").stdout
    told = cli("forget", one, "--yes")
    assert "1 versions, forgotten too" in told.stdout
    assert json.loads(cli("list", "--json").stdout) == []


def test_lines_are_made_of_nothing(cli: Run) -> None:
    assert cli("write", "--lines", "--derived-from", "0" * 16, stdin="x\n").exit_code == 2
