"""tercet facts --pattern, as a person would run it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import Result

Run = Callable[..., Result]


@pytest.fixture
def family(cli: Run) -> Run:
    cli("write", "Mia is my daughter.", "--speaker", "Ada", "--fact", "Mia|daughter of|Ada", "--happened", "2024-01-12")
    cli("write", "Mia \x1b[31mlives in Porto.", "--fact", "Mia|lives in|Porto", "--happened", "2024-03-09")
    return cli


def test_a_chain_stands_above_its_steps_and_their_notes(family: Run) -> None:
    lines = family("facts", "--pattern", "Ada < daughter of < ? > lives in > ?").stdout.splitlines()
    assert lines[0] == "Ada ←daughter of— Mia —lives in→ Porto"
    assert "Mia daughter of Ada  since 2024-01-12" in lines[1]
    assert lines[2].endswith("2024-01-12 Ada: Mia is my daughter.")
    assert lines[4].endswith("2024-03-09 Mia \\x1b[31mlives in Porto.")


def test_what_is_stated_the_other_way_round_is_pointed_at(family: Run) -> None:
    result = family("facts", "--pattern", "Ada > daughter of > ? > lives in > ?")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "the other way round this does: Ada ←daughter of— Mia —lives in→ Porto" in result.stderr
    assert family("facts", "--pattern", "Ada > hates > ?").stderr == "nothing fits\n"


def test_json_has_every_step(family: Run) -> None:
    answer = json.loads(family("facts", "--pattern", "? lives in Porto", "--json").stdout)
    (path,) = answer["paths"]
    assert (path["found"], answer["cut"]) == (["Mia"], False)
    assert [(one["subject"], one["object"], one["backward"]) for one in path["steps"]] == [("Mia", "Porto", False)]


def test_more_than_fits_a_screen_is_told(cli: Run) -> None:
    for name in range(25):
        cli("write", f"{name}", "--fact", f"Ada|likes|T{name}")
    shown = cli("facts", "--pattern", "Ada likes ?")
    assert sum(line.startswith("Ada —likes→") for line in shown.stdout.splitlines()) == 20
    assert "5 more fit" in shown.stderr


def test_a_pattern_that_cannot_be_read_is_one_line(family: Run) -> None:
    result = family("facts", "--pattern", "Ada > ?")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: the pattern 'Ada > ?' has 2 parts;")
    assert len(result.stderr.splitlines()) == 1
    assert family("facts", "--pattern", "? ? Ada", "--subject", "Ada").exit_code == 2


def test_names_that_may_be_one_are_proposed_and_never_merged(cli: Run) -> None:
    for fact in ("Mia|lives in|Porto", "Mia Ferreira|likes|plums", "Fereira|likes|tea", "Ferreira|likes|jam"):
        cli("write", f"It is said: {fact}.", "--fact", fact)
    before = cli("facts", "--json").stdout
    shown = cli("facts", "--aliases")
    told = [line.split() for line in shown.stdout.splitlines()]
    assert any({"Fereira", "Ferreira", "spelling"} <= set(line) for line in told)
    assert any(line[1:] == ["first", "name", "Mia", "Mia", "Ferreira"] for line in told)
    assert "nothing is merged" in shown.stderr
    pairs = json.loads(cli("facts", "--aliases", "--json").stdout)
    assert {"name": "Mia", "other": "Mia Ferreira", "why": "first name"}.items() <= pairs[
        [pair["why"] for pair in pairs].index("first name")
    ].items()
    assert cli("facts", "--json").stdout == before
    assert cli("facts", "--aliases", "--pattern", "? ? Mia").exit_code == 2


def test_no_proposals_is_no_error(cli: Run) -> None:
    cli("write", "One.", "--fact", "Ada|lives in|Porto")
    assert cli("facts", "--aliases").stderr == "no two names are alike\n"
