"""Dates of answers: resolved against the turn that holds them, right only within the expected days."""

from datetime import date

import pytest
from benchmarks.dates import chosen, expected_of, named, within

from tercet.adapters.dialogues import Question, Transcript

MAY = (date(2023, 5, 1), date(2023, 6, 1))


def turn(source: str, text: str, happened: str) -> dict[str, str]:
    return {"source": source, "text": text, "happened": happened, "speaker": "Ada"}


def test_the_best_turn_that_names_a_time_says_when() -> None:
    said = [turn("1", "It was fun!", "2023-06-02"), turn("2", "I went yesterday.", "2023-05-08")]
    assert chosen(said) == (date(2023, 5, 7), date(2023, 5, 8))
    assert chosen(said[:1]) == (date(2023, 6, 2), date(2023, 6, 3))
    assert chosen([]) is None


@pytest.mark.parametrize(
    ("since", "until", "right"),
    [(7, 8, True), (1, 31, True), (0, 0, False)],
)
def test_only_days_within_the_expected_ones_are_right(since: int, until: int, right: bool) -> None:
    answer = (date(2023, 5, since), date(2023, 5, until)) if since else (date(2023, 4, 30), date(2023, 5, 2))
    assert within(answer, MAY) is right
    assert not within(None, MAY)


def test_questions_whose_answer_is_no_time_are_left_out() -> None:
    turns = [turn("1", "I went yesterday.", "2023-05-08")]
    asked = [
        Question("When did she go?", "7 May 2023", ("1",), 2),
        Question("Whom did she meet?", "her mother", ("1",), 2),
        Question("What did she eat on 7 May?", "7 May 2023", ("1",), 4),
        Question("When did she go?", "7 May 2023", ("9",), 2),
    ]
    transcript = Transcript("D", tuple(turns), tuple(asked))
    assert expected_of(transcript) == [(asked[0], named("7 May 2023", "2023-05-08"))]
