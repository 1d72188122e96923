"""The small language of patterns: what it reads, and what it says to what it cannot read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tercet.store.errors import InvalidInput
from tercet.store.patterns import Hop, Pattern, parse


@pytest.mark.parametrize(
    ("text", "names", "hops"),
    [
        ("Ada > lives in > ?", ("ada", ""), [("lives in", ">")]),
        ("Lisbon < lives in < ?", ("lisbon", ""), [("lives in", "<")]),
        ("Ada - ? - Lisbon", ("ada", "lisbon"), [("", "-")]),
        ("Ada < daughter of < ? > lives in > ?", ("ada", "", ""), [("daughter of", "<"), ("lives in", ">")]),
        ('"?" > likes > "x > y"', ("?", "x y"), [("likes", ">")]),
        ("the Mill > is > C++", ("mill", "c++"), [("is", ">")]),
        ("😀 > ? > ?", ("😀", ""), [("", ">")]),
    ],
)
def test_with_signs_there_is_one_way_to_read_it(text: str, names: tuple[str, ...], hops: list[tuple[str, str]]) -> None:
    assert parse(text) == [Pattern(names, tuple(Hop(relation, sign) for relation, sign in hops))]


def test_plain_words_are_divided_in_every_way() -> None:
    read = {(one.names[0], one.hops[0].relation, one.names[1]) for one in parse("? lives in New York")}
    assert read == {("", "lives", "in new york"), ("", "lives in", "new york"), ("", "lives in new", "york")}
    assert [(one.names, one.hops[0].relation) for one in parse("Ada ? Lisbon")] == [(("ada", "lisbon"), "")]
    quoted = [(one.hops[0].relation, one.names[1]) for one in parse('? "lives in" "New York"')]
    assert quoted == [("lives in", "new york")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the pattern is empty"),
        ("   ", "the pattern is empty"),
        ("Ada ?", "under three parts"),
        ("Ada > ?", "has 2 parts"),
        ("Ada > lives in >", "an empty part"),
        ("Ada > lives in < ?", "step 1 .* goes one way"),
        ("a > b > c > d - e > f", "step 2 .* '-' before its relation and '>' after it|has 6 parts"),
        ("? ? ?", "asks for everything"),
        ("? > ? > ? > ? > ?", "asks for everything"),
        (" > ".join("abcdefghijk"), "has 5 steps, the limit is 4"),
        ('Ada > "lives in > ?', "never closed"),
        ("Ada > lives ? > Porto", "a part of its own"),
        ("Ada ? b ? c", "more parts than one step"),
        ("? ? ? ?", "more parts than one step"),
        ("word " * 17, "has 17 words; put signs"),
        ('"" > x > ?', "an empty part"),
    ],
)
def test_what_cannot_be_read_is_told_with_the_mend(text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        parse(text)


@given(st.text(alphabet='ab? ><-"\t😀', max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read = parse(text)
    except InvalidInput:
        return
    for pattern in read:
        assert len(pattern.names) == len(pattern.hops) + 1
        assert pattern.backwards().backwards() == pattern
        assert any(pattern.names) or any(hop.relation for hop in pattern.hops)
