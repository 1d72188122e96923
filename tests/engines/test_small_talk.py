"""The gate: small talk and sums need no memory, and nothing else is ever kept from it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tercet.engines.small_talk import worth_reading


@pytest.mark.parametrize(
    "turn",
    [
        "Hi!",
        "Hello there, Ada.",
        "Good morning! How are you today?",
        "Thanks a lot, Mia!",
        "thank you so much for that",
        "OK, got it. Thanks!",
        "See you tomorrow. Have a nice evening!",
        "That’s great :)",
        "haha",
        "2+2",
        "What is 17 * (3 + 4)?",
        "how much is 1,200 divided by 7",
        "👍",
        "...",
        "",
    ],
)
def test_small_talk_and_sums_need_no_memory(turn: str) -> None:
    assert not worth_reading(turn)


@pytest.mark.parametrize(
    "turn",
    [
        "Where do I live?",
        "And Ada?",
        "Thanks. And Mia?",
        "But Bob?",
        "OK, then Porto?",
        "Well, Mia too?",
        "What is 555-0199?",
        "What's 12/25?",
        "Hi, where do I live?",
        "Thanks! And what was her name again?",
        "Thank you for the recipe of the cake",
        "How are you and Mia getting on?",
        "Good morning is the name of my cat.",
        "Ada",
        "yes",
        "2024-03-09",
        "What is 17 Park Lane?",
        "How much is my rent?",
        "12 apples + 3 pears",
        "What did I say about 3 + 4 kids?",
        "Hello Kitty is my favourite",
        "Mia Ada Ben",
        "Gracias, Ada",
        "東京",
        "I am tired today.",
    ],
)
def test_everything_else_is_worth_a_read(turn: str) -> None:
    assert worth_reading(turn)


@given(st.text(max_size=300))
def test_it_takes_any_text_and_whatever_is_added_to_a_question_it_stays_one(noise: str) -> None:
    worth_reading(noise)
    assert worth_reading(f"{noise} Where do I live?")


def test_it_is_quick_on_bad_input() -> None:
    start = time.perf_counter()
    for text in ("hi " * 60, "ha" * 99, "1+" * 99, "1" * 199, "thanks " * 5_000, "a" * 10**6):
        worth_reading(text)
    assert time.perf_counter() - start < 0.5
