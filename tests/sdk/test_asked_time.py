"""A question's own time: notes of that time come first, by their date or by what their words name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tercet import Memory


@pytest.fixture
def ada(tmp_path: Path) -> Memory:
    opened = Memory(tmp_path / "memory.tercet", scope="ada", embedder=None)
    opened.write_many(
        [
            {"text": f"I had {food} for lunch.", "happened": f"2023-05-{day:02}"}
            for day, food in enumerate("rice soup tacos curry beans toast pasta fish eggs stew".split(), 1)
        ]
        + [
            {"text": "I ran a race last Saturday.", "happened": "2023-05-25"},
            {"text": "We went swimming.", "happened": "2023-04-02"},
        ]
    )
    return opened


@pytest.mark.parametrize("day", ["4 May 2023", "May 4, 2023", "2023-05-04", "2023/05/04", "May 4th 2023"])
def test_a_day_however_it_is_written(ada: Memory, day: str) -> None:
    recall = ada.read(f"What did I have for lunch on {day}?")
    assert recall[0].note.text == "I had curry for lunch."
    assert recall[0].why.votes["time"] == 1.0


def test_a_day_that_a_note_names_only_relatively(ada: Memory) -> None:
    found = ada.read("What happened on 20 May 2023?")[0]
    assert found.note.text == "I ran a race last Saturday."
    assert found.why.votes["time"] == 1.0


def test_a_month(ada: Memory) -> None:
    assert ada.read("What did we do in April 2023?")[0].note.text == "We went swimming."


def test_the_preference_is_soft(ada: Memory) -> None:
    assert ada.read("Who ran a race in 1999?")[0].note.text == "I ran a race last Saturday."


def test_a_question_without_a_time_gets_no_such_vote(ada: Memory) -> None:
    assert all("time" not in found.why.votes for found in ada.read("What did I have for lunch?"))


def test_the_clock_of_the_question_bounds_it(ada: Memory) -> None:
    found = ada.read("What did I have for lunch on 4 May 2023?", as_of="2023-05-02", k=50)
    assert {one.note.happened for one in found} <= {"2023-05-01", "2023-05-02", "2023-04-02"}
