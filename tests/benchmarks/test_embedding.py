from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from benchmarks.embedding import LONG, Speed, found, long_messages, overlap, ratios, spread

from tercet.adapters.dialogues import Question, Transcript
from tercet.store.form import Vector


def test_texts_are_taken_at_equal_distances_and_no_more_than_there_are() -> None:
    assert spread(list("abcdefghi"), 3) == ["a", "e", "i"]
    assert spread(["a", "b"], 5) == ["a", "b"]


def test_a_ratio_is_taken_round_by_round() -> None:
    peer = Speed(seconds={"turns": [4.0, 80.0, 6.0]}, cpu_seconds={"turns": [3.0, 3.0, 3.0]})
    ours = Speed(seconds={"turns": [2.0, 20.0, 1.0]}, cpu_seconds={"turns": [1.0, 1.5, 1.0]})
    assert ratios(ours, peer, "turns") == {"times_the_peer": 4.0, "times_the_peer_cpu": 3.0}


def test_long_messages_are_found_however_deep_they_lie(tmp_path: Path) -> None:
    chat = [{"turns": [[{"content": "x" * (LONG + 1)}, {"content": "short"}], {"inner": {"content": "y" * 999}}]}]
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "chat.json").write_text(json.dumps(chat))
    assert sorted(text[0] for text in long_messages(tmp_path)) == ["x", "y"]


def letters(texts: Sequence[str]) -> Vector:
    return np.array([[text.count(letter) for letter in "xyz"] for text in texts], np.float32)


def test_recall_is_that_of_the_first_ten_and_questions_without_evidence_are_left_out() -> None:
    turns = tuple({"source": f"t{i}", "speaker": "Ada", "text": "x" * i} for i in range(12))
    questions = (
        Question("x?", "", ("t11", "t0"), 1),  # the longest turn is found, the empty one is not
        Question("y?", "", ("t99",), 1),
    )
    recalls, tops = found(letters, [Transcript(id="c", turns=turns, questions=questions)])
    assert recalls == [0.5]
    assert tops[0][0] == "t11"
    assert len(tops[0]) == 10


def test_overlap_is_the_share_in_common() -> None:
    ten = [str(i) for i in range(10)]
    assert overlap([ten, ten], [ten, [*ten[:5], *"abcde"]]) == pytest.approx(0.75)
