from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks import babi
from benchmarks.comparison import TERCET
from click.testing import CliRunner
from factories import HashEmbedder  # type: ignore[import-not-found]

STORY = """1 Mary went to the garden.
2 John took the ball.
3 Where is Mary?\tgarden\t1
4 John went to the office.
5 Where is the ball?\toffice\t2 4
1 Bill slept.
2 Who slept?\tBill\t1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "qa2_WhereIsObject.txt").write_text(STORY)
    return tmp_path


def test_a_question_is_asked_of_the_lines_before_it(folder: Path) -> None:
    ((kind, path),) = babi.tasks(folder)
    assert kind == " 2 Where Is Object"
    first, second = babi.read_stories(path, kind=kind, limit=5)
    assert first.lines == [
        ("1", "Mary went to the garden."),
        ("2", "John took the ball."),
        ("4", "John went to the office."),
    ]
    assert [(count, asked.text, set(asked.evidence)) for count, asked in first.questions] == [
        (2, "Where is Mary?", {"1"}),
        (3, "Where is the ball?", {"2", "4"}),
    ]
    assert second.lines == [("1", "Bill slept.")]
    assert len(babi.read_stories(path, kind=kind, limit=1)) == 1


def test_it_runs_every_arm(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(babi, "MiniLM", HashEmbedder)
    out = folder / "out.json"
    result = CliRunner().invoke(babi.main, ["--data", str(folder), "--json", str(out)])
    assert result.exit_code == 0, result.output
    found = json.loads(out.read_text())
    assert found["data"]["questions"] == {" 2 Where Is Object": 3}
    assert found["arms"][TERCET]["all"]["R@2n"] == 1.0
    # of the lines told last, the question of the last story finds its only one, the ball's its two of four
    assert found["arms"][babi.LATEST]["all"]["R@n"] == pytest.approx((0 + 1 + 1) / 3, abs=1e-4)


@pytest.mark.data
def test_all_twenty_tasks_are_there(data: Path) -> None:
    found = babi.tasks(data / "babi" / "train")
    assert [int(kind.split()[0]) for kind, _ in found] == list(range(1, 21))
    for kind, path in found:
        (story,) = babi.read_stories(path, kind=kind, limit=1)
        for count, asked in story.questions:
            assert asked.evidence <= {number for number, _ in story.lines[:count]}
