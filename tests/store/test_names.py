import pytest

from tercet.store.names import fold


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada's", "ada"),
        ("The Crumb bakery", "crumb  BAKERY"),
        ("Dr. Okafor", "dr okafor"),
        ("Ada\u200b", "Ada"),
        ("ﬁre", "fire"),
        ("St. John's Wood", "st johns wood".replace("johns", "john")),
        ("well-known", "well known"),
        ("5-7", "5 7"),
    ],
)
def test_spellings_of_one_name_meet(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"), [("C", "C++"), ("C++", "C#"), ("5", "-5"), ("3.5", "35"), ("1.5%", "1.5"), ("Ada", "Adam")]
)
def test_different_names_stay_apart(one: str, other: str) -> None:
    assert fold(one) != fold(other)
