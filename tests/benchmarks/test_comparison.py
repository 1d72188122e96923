from __future__ import annotations

import io
import json
from pathlib import Path

import click
import pytest
from benchmarks.comparison import TERCET, Asked, Comparison, data_folder, save
from benchmarks.ranking import hit_at
from rich.console import Console

ASKED = [Asked("one?", "easy", frozenset("a")), Asked("two?", "hard", frozenset("bc"))]


def compared() -> Comparison:
    comparison = Comparison({"hit@1": lambda found, wanted: hit_at(found, wanted, 1)}, depth=2)
    right = {"one?": "a", "two?": "b"}
    comparison.ask(
        {
            TERCET: lambda question, k: [right[question], "z"][:k],
            "constant": lambda question, k: ["a", "b", "c"][:k],
            "none": lambda question, k: [],
        },
        ASKED,
    )
    return comparison


def test_means_are_over_all_questions_or_one_kind() -> None:
    comparison = compared()
    assert comparison.means(TERCET) == {"hit@1": 1.0}
    assert comparison.means("constant") == {"hit@1": 0.5}
    assert comparison.means("constant", "hard") == {"hit@1": 0.0}
    assert comparison.counts() == {"easy": 1, "hard": 1}


def test_the_best_peer_is_no_variant_of_tercet() -> None:
    comparison = compared()
    comparison.arms["Tercet, given"] = comparison.arms[TERCET]
    assert comparison.best_peer("hit@1") == "constant"
    gap = comparison.against_best("hit@1")
    assert (gap["arm"], gap["peer"], gap["difference"]) == (TERCET, "constant", 0.5)
    assert comparison.against_best("hit@1", kind="hard")["difference"] == 1.0


def test_what_is_shown_and_saved_holds_every_arm_and_kind(tmp_path: Path) -> None:
    comparison, console = compared(), Console(file=io.StringIO(), width=200)
    comparison.show(console, "title", by_kind="hit@1")
    gaps = [comparison.against_best("hit@1")]
    save("name", comparison, gaps, console=console, data={"notes": 3}, path=tmp_path / "new" / "out.json")
    assert isinstance(console.file, io.StringIO)
    printed = console.file.getvalue()
    assert all(part in printed for part in ("title (n = 2)", "constant", "hard (1)", "+0.500 against constant"))
    found = json.loads((tmp_path / "new" / "out.json").read_text())
    assert found["data"] == {"notes": 3, "questions": {"easy": 1, "hard": 1}}
    assert found["arms"]["constant"]["by_kind"] == {"easy": {"hit@1": 1.0}, "hard": {"hit@1": 0.0}}
    assert found["against_best_peer"][0]["metric"] == "hit@1"


def test_missing_data_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERCET_DATA", str(tmp_path))
    with pytest.raises(click.ClickException, match="give --data or set TERCET_DATA"):
        data_folder(None, "locomo")
    (tmp_path / "locomo").mkdir()
    assert data_folder(None, "locomo") == tmp_path / "locomo"
    assert data_folder(tmp_path, "locomo") == tmp_path
