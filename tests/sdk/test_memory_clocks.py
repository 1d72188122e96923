"""The two clocks: when it happened, and when it was known; by moments and by numbers of changes."""

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any

import pytest
from factories import Memories  # type: ignore[import-not-found]

from tercet.sdk import Memory
from tercet.store import changes
from tercet.store.errors import InvalidInput


class Clock:
    """The time as the store sees it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time = datetime(2024, 1, 1, 12, 0, 0, 7, tzinfo=UTC)
        monkeypatch.setattr(changes, "datetime", self)

    def now(self, zone: tzinfo) -> datetime:
        return self.time.astimezone(zone)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def texts(memory: Memory, **when: Any) -> list[str]:  # noqa: ANN401
    listed = [note.text for note in memory.notes(**when)]
    assert sorted(note.text for note in memory.read("apple", k=100, **when).notes) == sorted(listed)
    return listed


@pytest.mark.parametrize(
    ("as_of", "seen"),
    [
        ("2023", "undated"),
        ("2023-12-31", "undated"),
        ("2024", "undated year month day minute second"),
        ("2024-02", "undated year"),
        ("2024-03", "undated year month day minute second"),
        ("2024-03-08", "undated year month"),
        ("2024-03-09", "undated year month day minute second"),
        (date(2024, 3, 9), "undated year month day minute second"),
        ("2024-03-09T13:55", "undated year month day"),
        ("2024-03-09T13:56", "undated year month day minute"),
        ("2024-03-09T13:56:06", "undated year month day minute"),
        ("2024-03-09T13:56:07", "undated year month day minute second"),
        (
            datetime(2024, 3, 9, 15, 56, 7, tzinfo=timezone(timedelta(hours=2))),
            "undated year month day minute second",
        ),
        ("9999-12-31", "undated year month day minute second"),
    ],
)
def test_as_of_shows_what_had_happened_by_the_end_of_that_moment(memory: Memories, as_of: Any, seen: str) -> None:  # noqa: ANN401
    ada = memory()
    for text, happened in [
        ("undated", None),
        ("year", "2024"),
        ("month", "2024-03"),
        ("day", "2024-03-09"),
        ("minute", "2024-03-09T13:56"),
        ("second", "2024-03-09T13:56:07"),
    ]:
        ada.write(f"{text} apple", happened=happened)
    assert sorted(texts(ada, as_of=as_of)) == sorted(f"{text} apple" for text in seen.split())


def test_known_at_a_change_shows_what_was_current_after_it(memory: Memories) -> None:
    ada = memory()
    first = ada.write("one apple")
    second = ada.write("two apple")
    third = ada.revise(first.id, "three apple")
    fourth = ada.undo(third.change)
    assert fourth
    ada.undo(second.change)
    ada.forget(ada.write("gone apple").id)
    assert [texts(ada, known_at=change) for change in range(8)] == [
        [],
        ["one apple"],
        ["two apple", "one apple"],
        ["three apple", "two apple"],
        ["one apple", "two apple"],
        ["one apple"],
        ["one apple"],  # what was forgotten has never been known
        ["one apple"],
    ]
    assert texts(ada) == ["one apple"]
    assert texts(ada, known_at=2**62) == ["one apple"]


def test_known_at_a_moment_shows_what_was_known_by_then(memory: Memories, clock: Clock) -> None:
    ada = memory()
    ada.write("one apple")
    clock.time += timedelta(days=1)
    note = ada.write("two apple")
    clock.time += timedelta(days=1)
    ada.revise(note.id, "three apple")
    assert texts(ada, known_at="2023") == []
    assert texts(ada, known_at="2024-01-01T11:59:59") == []
    assert texts(ada, known_at="2024-01-01T12:00") == ["one apple"]
    assert texts(ada, known_at="2024-01-01") == ["one apple"]
    assert texts(ada, known_at=date(2024, 1, 2)) == ["two apple", "one apple"]
    assert texts(ada, known_at=datetime(2024, 1, 2, 14, tzinfo=timezone(timedelta(hours=1)))) == [
        "two apple",
        "one apple",
    ]
    assert texts(ada, known_at="2024-01") == texts(ada) == ["three apple", "one apple"]


def test_known_at_tells_moments_apart_that_lie_in_one_second(memory: Memories, clock: Clock) -> None:
    ada = memory()
    first = ada.write("one apple")
    clock.time += timedelta(microseconds=1)
    second = ada.write("two apple")
    assert texts(ada, known_at=first.known) == ["one apple"]
    assert texts(ada, known_at=second.known) == ["two apple", "one apple"]
    assert texts(ada, known_at=clock.time - timedelta(microseconds=1)) == ["one apple"]


def test_a_clock_that_is_set_back_does_not_reorder_what_is_known(memory: Memories, clock: Clock) -> None:
    ada = memory()
    notes = []
    for days in (0, -30, -400, 5):
        clock.time = datetime(2024, 1, 10, tzinfo=UTC) + timedelta(days=days)
        notes.append(ada.write(f"{days} apple"))
    assert [note.known[:10] for note in notes] == ["2024-01-10", "2024-01-10", "2024-01-10", "2024-01-15"]
    assert [event.at for note in notes for event in ada.history(note.id)] == [note.known for note in notes]
    assert texts(ada, known_at="2024-01-12") == ["-400 apple", "-30 apple", "0 apple"]


def test_both_clocks_narrow_together(memory: Memories) -> None:
    ada = memory()
    ada.write("old apple", happened="2020")
    change = ada.write("new apple", happened="2024").change
    ada.write("told late apple", happened="2019")
    assert texts(ada, as_of="2022") == ["told late apple", "old apple"]
    assert texts(ada, as_of="2022", known_at=change) == ["old apple"]


@pytest.mark.parametrize(
    "moment",
    [
        "yesterday",
        "2024-13",
        "2024-02-30",
        "0000",
        "-1",
        "24",
        "2024-03-09T25:00",
        "２０２４",
        "2024\x00",
        [],
        True,
        1.5,
    ],
)
def test_a_moment_that_is_none_is_refused(memory: Memories, moment: Any) -> None:  # noqa: ANN401
    ada = memory()
    for name in ("as_of", "known_at"):
        for ask in (lambda **when: ada.read("apple", **when), ada.notes, ada.facts):
            with pytest.raises(InvalidInput, match=name):
                ask(**{name: moment})
