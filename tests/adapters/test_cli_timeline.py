"""``tercet timeline``: a table for people, JSON for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tercet import Memory
from tercet.adapters.cli.timeline import timeline


@pytest.fixture
def place(tmp_path: Path) -> str:
    folder = tmp_path / "memory.tercet"
    with Memory(folder, scope="me", embedder=None) as memory:
        memory.write_many(
            [
                {"text": "I ran yesterday.", "speaker": "Ada", "happened": "2023-05-03"},
                {"text": "I ran ten \x1b[31mmiles.", "speaker": "Ada", "happened": "2023-05-20"},
                {"text": "The move is done.", "happened": "2023-02-10"},
                {"text": "The wedding was fun.", "happened": "2023-01-10"},
            ]
        )
    return str(folder)


def run(place: str, *arguments: str) -> Result:
    result = CliRunner().invoke(timeline, [*arguments, "--memory", place, "--no-vectors"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_people_get_a_table_and_the_count(place: str) -> None:
    result = run(place, "How many times did Ada run?")
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["date", "said", "speaker", "memory"]
    assert lines[1].split()[:4] == ["2023-05-02", "yesterday", "Ada", "I"]
    assert lines[2].startswith("2023-05-20")
    assert "\x1b" not in result.stdout
    assert "2 times" in result.stderr


def test_alternatives_are_named(place: str) -> None:
    lines = run(place, "What came first, the move or the wedding?").stdout.splitlines()
    assert "[the wedding] The wedding was fun." in lines[1]
    assert "[the move] The move is done." in lines[2]


def test_programs_get_json(place: str) -> None:
    found = json.loads(run(place, "How many times did Ada run?", "--json").stdout)
    assert (found["count"], found["exact"]) == (2, True)
    assert [(event["since"], event["said"]) for event in found["events"]] == [
        ("2023-05-02", "yesterday"),
        ("2023-05-20", ""),
    ]
    assert found["events"][0]["note"]["text"] == "I ran yesterday."


def test_fewer_are_said_to_be_fewer(place: str) -> None:
    result = run(place, "How many times did Ada run?", "--limit", "1")
    assert len(result.stdout.splitlines()) == 2
    assert "2 times, the earliest 1 shown" in result.stderr


def test_what_is_not_counted_is_said_to_be_so(place: str) -> None:
    assert "nothing counted" in run(place, "How many times did Ada run a marathon?").stderr
    assert "nothing fits" in run(place, "?").stderr
