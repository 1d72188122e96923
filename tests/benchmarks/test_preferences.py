from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks import preferences
from benchmarks.comparison import TERCET
from click.testing import CliRunner
from factories import HashEmbedder  # type: ignore[import-not-found]

ROWS = [
    {"preference": "I dislike fish.", "question": "What should I eat?"},
    {"preference": "I dislike fish.", "question": "Which oils are healthy?"},
    {"preference": "I love jazz.", "question": "What should I hear tonight?"},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "explicit_preference").mkdir()
    (tmp_path / "explicit_preference" / "food_music.json").write_text(json.dumps(ROWS))
    return tmp_path


def test_a_preference_stated_twice_is_one(folder: Path) -> None:
    found, asked = preferences.read_preferences(folder)
    assert found == {"0": "I dislike fish.", "1": "I love jazz."}
    assert [(question.kind, set(question.evidence)) for question in asked] == [
        ("food music", {"0"}),
        ("food music", {"0"}),
        ("food music", {"1"}),
    ]


def test_it_runs_every_arm(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preferences, "MiniLM", HashEmbedder)
    out = folder / "out.json"
    result = CliRunner().invoke(preferences.main, ["--data", str(folder), "--json", str(out)])
    assert result.exit_code == 0, result.output
    found = json.loads(out.read_text())
    assert found["arms"][TERCET]["all"]["hit@5"] == 1.0
    assert [gap["metric"] for gap in found["against_best_peer"]] == ["hit@1", "hit@5", "hit@10"]


@pytest.mark.data
def test_the_shared_preferences_are_read(data: Path) -> None:
    found, asked = preferences.read_preferences(data / "prefeval")
    assert len(asked) >= len(found) > 490
