"""The benchmark of answers from memories in attention: its questions, its rounding, its figures."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.explicit_memory import NOTES, bare, cases, figure, main, rounded
from benchmarks.mini.model import Llama, Shape
from benchmarks.mini.tokenizer import make_tokenizer, save_tokenizer
from benchmarks.worlds import KINDS
from click.testing import CliRunner

from tercet.engines.prompt import render
from tercet.store.form import Record


def test_every_question_comes_with_the_notes_that_answer_it() -> None:
    asked = cases(5)
    assert [case.kind for case in asked] == [kind for kind in KINDS for _ in range(5)]
    for case in asked:
        assert len(case.notes) == NOTES
        needed = " ".join(case.notes[place].text for place in case.needs)
        if case.kind in ("one hop", "two hops", "temporal"):
            assert bare(case.answer) in bare(needed)
        assert bool(case.needs) == (case.kind != "unanswerable")


def test_gold_notes_stand_anywhere() -> None:
    assert {case.needs[0] for case in cases(40) if case.kind == "one hop"} == set(range(NOTES))


@pytest.mark.parametrize(("bits", "steps"), [(8, 127), (4, 7)])
def test_rounding_is_off_by_half_a_step_at_most(bits: int, steps: int) -> None:
    values = np.random.default_rng(0).normal(size=(2, 9, 16)).astype(np.float32)
    record: Record = {"tokens": np.arange(9), "layers.0.key": values, "layers.0.value": values}
    after = rounded(record, bits)
    for name, axis in (("layers.0.key", 1), ("layers.0.value", 2)):
        half = np.abs(values).max(axis, keepdims=True) / steps / 2
        error = np.abs(np.asarray(after[name]) - values)
        assert (error <= half * 1.001).all()
        assert error.max() > 0
    assert after["tokens"] is record["tokens"]


def test_a_share_lies_in_its_interval() -> None:
    half = figure([True, False] * 50)
    assert half["share"] == 0.5
    assert 0.35 < float(str(half["low"])) < 0.45
    assert 0.55 < float(str(half["high"])) < 0.65
    assert figure([True] * 5) == {"share": 1.0, "low": 1.0, "high": 1.0, "asked": 5}


@pytest.mark.slow
def test_it_runs_on_any_model(tmp_path: Path) -> None:
    torch.manual_seed(0)
    shape = Shape(vocabulary=600, width=32, layers=2, heads=4, kv_heads=2, inner=48)
    texts = [render([]), *(note.text for case in cases(5) for note in case.notes)]
    save_tokenizer(make_tokenizer(texts, shape.vocabulary), tmp_path)
    Llama(shape).save(tmp_path, bos=0, eos=1)
    done = CliRunner().invoke(
        main,
        ["--model", str(tmp_path), "--questions", "2", "--json", str(tmp_path / "out.json")],
        catch_exceptions=False,
    )
    assert done.exit_code == 0
    results = json.loads((tmp_path / "out.json").read_text())
    for kinds in results["exact_match"].values():
        assert {kind: one["asked"] for kind, one in kinds.items()} == dict.fromkeys(KINDS, 2)
    assert results["changes"]["attention, full"] == {"revised": None, "forgotten": None}  # it knows no answer
