from __future__ import annotations

import json
from pathlib import Path

from benchmarks.recall_locomo import TERCET, asked, in_context, main
from click.testing import CliRunner

from tercet.adapters.dialogues import Question, Transcript

DEMO = Path(__file__).resolve().parents[2] / "adapters" / "cli" / "demo" / "dialogue.json"


def test_evidence_that_does_not_exist_is_counted_and_dropped() -> None:
    transcript = Transcript(
        id="c",
        turns=({"source": "c:D1:1"}, {"source": "c:D1:2"}),
        questions=(
            Question("both", "", ("c:D1:1", "c:D1:2", "c:D9:9"), 1),
            Question("gone", "", ("c:D8:6; D9:17",), 1),
            Question("none", "", (), 3),
        ),
    )
    kept, skipped, missing = asked(transcript)
    assert [(question.text, question.evidence) for question in kept] == [("both", {"c:D1:1", "c:D1:2"})]
    assert (skipped, missing) == (2, 2)


def test_context_is_date_speaker_words_and_the_turn_before() -> None:
    turns = (
        {"speaker": "Ada", "text": "hello", "happened": "2023-05-08T13:56"},
        {"speaker": "Bo", "text": "hi", "happened": ""},
    )
    assert in_context(Transcript("c", turns, ())) == ["8 May 2023 Ada: hello", "Bo: hi\nAda: hello"]


def test_the_benchmark_runs_on_the_demo_dialogue(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        main, ["--data", str(DEMO), "--json", str(tmp_path / "out.json")], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["data"] == {
        "dialogues": 1,
        "turns": 62,
        "questions": 16,
        "questions_skipped": 0,
        "evidence_missing": 0,
    }
    figures = found["arms"][TERCET]["all"]
    assert 0.5 < figures["R@5"] <= figures["R@10"] <= figures["R@50"] <= 1
    assert {"multi-hop", "temporal", "open-domain", "single-hop", "adversarial"} == set(
        found["arms"][TERCET]["by_category"]
    )
    assert [gap["metric"] for gap in found["tercet_against_best_peer"]] == ["R@5", "R@10"]
    assert str(tmp_path) not in (tmp_path / "out.json").read_text()


def test_missing_data_is_one_line() -> None:
    result = CliRunner().invoke(main, ["--data", "nowhere.json"])
    assert result.exit_code == 1
    assert "no data at nowhere.json" in result.output
