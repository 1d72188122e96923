"""Names that may mean the same one, against comparing every two of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tercet.store.likeness import ACCENTS, SPELLING, spelt_alike, spelt_like


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("josé", "jose", ACCENTS),
        ("zoë bell", "zoe bell", ACCENTS),
        ("ferreira", "fereira", SPELLING),
        ("hartmann", "hartmnan", SPELLING),
        ("katherine", "catherine", SPELLING),
        ("müllers", "muller", SPELLING),
    ],
)
def test_slips_are_found(one: str, other: str, why: str) -> None:
    assert spelt_alike([one, other, "somebody else"]) == [(*sorted((one, other)), why)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ann", "ian"),
        ("house 12", "house 13"),
        ("lisbon", "london"),
        ("abcdef", "bcdefa"),
        ("mia", "mia ferreira"),
    ],
)
def test_what_differs_more_or_means_two_is_not(one: str, other: str) -> None:
    assert spelt_alike([one, other]) == []


def test_a_pattern_is_no_slip() -> None:
    assert spelt_alike([f"ward {letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]) == []


@given(st.lists(st.text("abcé1 ", min_size=1, max_size=9).map(str.strip), min_size=2, max_size=2, unique=True))
def test_one_name_is_looked_for_by_the_same_rule(pair: list[str]) -> None:
    one, other = pair
    assert spelt_like(one, [other]) == [other] * len(spelt_alike(pair))


def _near(one: str, other: str) -> bool:
    """Whether one edit makes one of the other, by trying every edit."""
    letters = set(one + other)
    edits = {one[:i] + one[i + 1 :] for i in range(len(one))}
    edits |= {one[:i] + c + one[i:] for i in range(len(one) + 1) for c in letters}
    edits |= {one[:i] + c + one[i + 1 :] for i in range(len(one)) for c in letters}
    edits |= {one[:i] + one[i + 1] + one[i] + one[i + 2 :] for i in range(len(one) - 1)}
    return other in edits


@given(st.lists(st.text("abc", min_size=5, max_size=7), max_size=6, unique=True))
def test_it_finds_what_comparing_every_two_finds(names: list[str]) -> None:
    found = {(one, other) for one, other, _ in spelt_alike(names)}
    assert found == {(a, b) for a in names for b in names if a < b and _near(a, b)}
