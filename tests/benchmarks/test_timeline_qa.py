from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks import timeline
from benchmarks.comparison import TERCET
from click.testing import CliRunner
from factories import HashEmbedder  # type: ignore[import-not-found]

EPISODES = [
    {"eid": "e0", "kind": "chat0", "date": "2012/03/09", "text": "I talked to Maya for 5 minutes."},
    {"eid": "e1", "kind": "chat0", "date": "2012/03/20", "text": "I spent 9 talking to Maya, Ben."},
    {"eid": "e2", "kind": "chat0", "date": "2012/04/02", "text": "I talked to Maya."},
    {"eid": "e3", "kind": "watch tv0", "date": "2013/01/02", "text": "I watched a documentary on TV."},
]
LOG = {
    "episodes": EPISODES,
    "atomic_questions": [{"question": "On 2012/04/02, who did I talk to?", "evidence_eid": "e2"}],
    "multihop_questions": [
        {"question": "How many times did I talk to Maya in March 2012?", "answer_rows": [["2"]]},
        {"question": "How many times a documentary have I watched in total since 2010?", "answer_rows": [["7"]]},
        {"question": "What fruit do I buy the most often?", "answer_rows": [["figs", "3"]]},
    ],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sparse-0.json").write_text(json.dumps(LOG))
    return tmp_path


def test_counting_questions_keep_the_entries_they_count(folder: Path) -> None:
    log = timeline.read_log(folder / "sparse-0.json", limit=10)
    assert [(asked.kind, set(asked.evidence)) for asked in log.atomic] == [("who", {"e2"})]
    # the documentaries are one and the gold answer says seven: left out
    assert [set(asked.evidence) for asked in log.counted] == [{"e0", "e1"}]
    assert log.left_out == 1


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How many times did I talk to Maya in April 2012?", {"e2"}),
        ("How many times did I talk to Ben in April 2012?", set()),
        ("How many times a documentary have I watched in total since 2013?", {"e3"}),
        ("How many times a documentary have I watched in total since 2014?", set()),
        ("How many moons are there?", set()),
    ],
)
def test_what_counts_is_found_by_words_kind_and_time(folder: Path, question: str, expected: set[str]) -> None:
    entries = timeline.read_log(folder / "sparse-0.json", limit=1).entries
    assert timeline.counted_by(question, entries) == expected


def test_it_runs_every_arm(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "MiniLM", HashEmbedder)
    out = folder / "out.json"
    result = CliRunner().invoke(timeline.main, ["--data", str(folder), "--json", str(out)])
    assert result.exit_code == 0, result.output
    found = json.loads(out.read_text())
    assert found["arms"][TERCET]["all"]["hit@5"] == 1.0
    assert found["data"]["counting"]["arms"][TERCET]["all"]["R@50"] == 1.0


@pytest.mark.data
def test_the_patterns_give_the_gold_answers(data: Path) -> None:
    log = timeline.read_log(data / "timelineqa" / "sparse-0.json", limit=100)
    assert len(log.atomic) == 100
    assert len(log.counted) >= 10
