from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tercet.engines.english.asked_period import asked_period

NOW = "2023-05-25"


@pytest.mark.parametrize(
    ("question", "since", "until", "rest"),
    [
        ("What happened on 6 May 2023?", "2023-05-06", "2023-05-07", "What happened ?"),
        ("what did I eat for lunch on 2015/06/04", "2015-06-04", "2015-06-05", "what did I eat for lunch"),
        ("Where was Ada in 2022?", "2022-01-01", "2023-01-01", "Where was Ada ?"),
        ("Who came last week?", "2023-05-15", "2023-05-22", "Who came ?"),
        ("Between March and May 2023, who came?", "2023-03-01", "2023-06-01", ", who came?"),
        ("Who came between November and January 2022?", "2021-11-01", "2022-02-01", "Who came ?"),
        ("Who came between March and May?", "2023-03-01", "2023-06-01", "Who came ?"),
        ("What was from 3 May 2023 to 5 May 2023?", "2023-05-03", "2023-05-06", "What was ?"),
        ("How often did I bake since 2010?", "2010-01-01", "9999-12-31", "How often did I bake ?"),
        ("How often did I bake after 2010?", "2011-01-01", "9999-12-31", "How often did I bake ?"),
        ("Who came before 2010?", "0001-01-01", "2010-01-01", "Who came ?"),
        ("Who came until May 2010?", "0001-01-01", "2010-06-01", "Who came ?"),
        ("Who came in the last two weeks?", "2023-05-11", "2023-05-26", "Who came ?"),
    ],
)
def test_the_time_of_a_question(question: str, since: str, until: str, rest: str) -> None:
    period = asked_period(question, NOW)
    assert period is not None
    assert (period.since, period.until, period.rest) == (date.fromisoformat(since), date.fromisoformat(until), rest)
    assert period.since in period
    assert period.until not in period


@pytest.mark.parametrize("question", ["Where does Ada live?", "What did Ada do before the move?", "", "every Friday?"])
def test_a_question_without_a_time(question: str) -> None:
    assert asked_period(question, NOW) is None


@given(
    st.text()
    | st.lists(st.sampled_from("between from and to before since 2023 March 29 February last week".split())).map(
        " ".join
    )
)
def test_any_question_has_a_time_or_none(question: str) -> None:
    period = asked_period(question, NOW)
    assert period is None or period.since < period.until
