"""What happened when: counted, ordered, and never guessed.

TimelineQA, both open logs: of the 28 counting questions ("how many …") 17 (61 %) are counted exactly right, of the
four that ask for the first or last time two.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tercet import Memory
from tercet.sdk.timeline import timeline
from tercet.store.errors import InvalidInput


@pytest.fixture
def ada(tmp_path: Path) -> Memory:
    opened = Memory(tmp_path / "memory.tercet", scope="ada", embedder=None)
    opened.write_many(
        {"text": text, "speaker": speaker, "happened": happened}
        for text, speaker, happened in (
            ("I went running by the river yesterday.", "Ada", "2023-05-03"),
            ("I ran ten miles!", "Ada", "2023-05-20"),
            ("I ran ten miles!", "Ada", "2023-05-20"),
            ("I like to run in the rain; I did last Monday.", "Ada", "2023-06-01"),
            ("I went running too.", "Ben", "2023-05-21"),
            ("The move to Lisbon is done.", "Ada", "2023-02-10"),
            ("Our wedding was last year.", "Ada", "2023-07-01"),
            ("I painted the old flat.", "Ada", "2023-01-15"),
            ("I painted a sunrise.", "Ada", "2023-03-15"),
            ("The piano needs tuning.", "Ada", ""),
        )
    )
    return opened


def test_events_are_counted_and_in_order(ada: Memory) -> None:
    found = timeline(ada, "How many times did Ada go running?")
    assert found.exact
    assert [(event.since, event.said) for event in found] == [
        ("2023-05-02", "yesterday"),
        ("2023-05-20", ""),
        ("2023-05-29", "last Monday"),
    ]
    assert found.count == len(found) == 3
    assert {event.note.speaker for event in found} == {"Ada"}


def test_the_first_and_the_last(ada: Memory) -> None:
    found = timeline(ada, "When did Ada last run?")
    assert found.first is not None
    assert found.last is not None
    assert (found.first.since, found.last.since) == ("2023-05-02", "2023-05-29")


def test_a_time_in_the_question_counts_only_what_falls_in_it(ada: Memory) -> None:
    assert timeline(ada, "How many times did Ada run between 10 May 2023 and 25 May 2023?").count == 1
    assert timeline(ada, "How often did Ada run last month?", as_of="2023-06-10").count == 3
    assert timeline(ada, "What did Ada paint before March 2023?").events[0].note.text == "I painted the old flat."


def test_which_came_first(ada: Memory) -> None:
    found = timeline(ada, "What came first, the move or the wedding?")
    assert [(event.about, event.since) for event in found] == [
        ("the wedding", "2022-01-01"),
        ("the move", "2023-02-10"),
    ]


def test_before_and_after_an_event(ada: Memory) -> None:
    assert [e.since for e in timeline(ada, "What did Ada paint before the move?")] == ["2023-01-15"]
    assert [e.since for e in timeline(ada, "What did Ada paint after the move?")] == ["2023-03-15"]


def test_what_no_note_holds_is_shown_and_not_counted(ada: Memory) -> None:
    found = timeline(ada, "How many times did Ada run a marathon?")
    assert not found.exact
    assert found.count == 0
    assert found.events
    assert list(timeline(ada, "?!")) == []


def test_a_note_without_a_date_comes_last(ada: Memory) -> None:
    found = timeline(ada, "When was the piano tuned?")
    assert found.exact
    assert found.events[-1].since == ""
    assert found.first is found.last is None


def test_only_what_was_seen_from_there(ada: Memory) -> None:
    assert timeline(ada, "How often did Ada run?", as_of="2023-05-10").count == 1
    assert timeline(ada, "How often did Ada run?", known_at=1).count == 1
    assert len(timeline(ada, "How often did Ada run?", limit=2)) == 2


def test_bad_input_is_refused(ada: Memory) -> None:
    with pytest.raises(InvalidInput, match="limit"):
        timeline(ada, "When?", limit=0)


@pytest.mark.data
@pytest.mark.slow
def test_timelineqas_counting_questions(data: Path, tmp_path: Path) -> None:
    right = asked = 0
    for name in ("sparse-0", "sparse-1"):
        log = json.loads((data / "timelineqa" / f"{name}.json").read_text())
        with Memory(tmp_path / name, scope="me", embedder=None) as memory:
            memory.write_many(
                {"text": episode["text"], "happened": episode["date"].replace("/", "-")} for episode in log["episodes"]
            )
            for question in log["multihop_questions"]:
                words = question["question"]
                if words.startswith(("How many times", "How many social", "How many places")):
                    right += str(timeline(memory, words, limit=100_000).count) == question["answer_rows"][0][0]
                    asked += 1
    assert asked == 28
    assert right >= 17


@pytest.mark.parametrize(
    ("question", "since"),
    [
        ("When did Ada first run?", "2023-05-02"),
        ("When did Ada last run?", "2023-05-29"),
        ("In which year was the wedding?", "2022-01-01"),
        ("When did Ada paint a sunrise?", "2023-03-15"),
        ("How often did Ada run?", None),
    ],
)
def test_a_question_for_a_time_gets_that_of_what_fits_best(ada: Memory, question: str, since: str | None) -> None:
    when = ada.timeline(question).when
    assert (when.since if when else None) == since


def test_when_is_unknown_where_nothing_fits(tmp_path: Path) -> None:
    assert Memory(tmp_path / "empty.tercet", scope="ada", embedder=None).timeline("When did Ada move?").when is None
