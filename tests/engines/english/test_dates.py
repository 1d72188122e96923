from __future__ import annotations

import time

import pytest

from tercet.engines.english.dates import find_dates


def dates(text: str) -> list[tuple[str, str]]:
    return [(text[date.start : date.end], date.iso) for date in find_dates(text)]


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("9 March 2024", "2024-03-09"),
        ("9th of March 2024", "2024-03-09"),
        ("March 9, 2024", "2024-03-09"),
        ("March 9th 2024", "2024-03-09"),
        ("Sept. 3, 2001", "2001-09-03"),
        ("March 2024", "2024-03"),
        ("2024-03-09", "2024-03-09"),
        ("2024/03/09", "2024-03-09"),
        ("2024-03", "2024-03"),
        ("1914", "1914"),
        ("29 February 2024", "2024-02-29"),
        ("March 9", ""),
        ("9 March", ""),
    ],
)
def test_a_date_and_its_value(text: str, iso: str) -> None:
    assert dates(f"It was on {text}, they say.") == [(text, iso)]


@pytest.mark.parametrize(
    "text",
    ["31 April 2024", "29 February 2023", "2024-13-01", "may 2", "3.1415", "$2000", "12024", "v2024", "no digits"],
)
def test_what_is_no_date(text: str) -> None:
    assert dates(text) == []


def test_a_date_time_is_found_by_its_date() -> None:
    assert dates("at 2024-03-09T13:56") == [("2024-03-09", "2024-03-09")]


@pytest.mark.parametrize("text", ["1" * 300_000, "may " * 75_000, "1 may " * 50_000, "2024-" * 60_000])
def test_linear_time(text: str) -> None:
    start = time.process_time()
    assert sum(bool(date.iso) for date in find_dates(text)) <= 1
    assert time.process_time() - start < 5
