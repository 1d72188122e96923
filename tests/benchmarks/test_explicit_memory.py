"""The benchmark of answers from memories in attention: its questions, its rounding, its figures."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import torch
from benchmarks import memory_bias
from benchmarks.explicit_memory import NOTES, Asker, bare, cases, figure, main, recall_of, strangers
from benchmarks.mini.documents import SYSTEM_WORDS
from benchmarks.mini.model import Llama, Shape
from benchmarks.mini.tokenizer import make_tokenizer, save_tokenizer
from benchmarks.worlds import KINDS
from click.testing import CliRunner

from tercet.engines.attention.recipe import EXACT, Recipe
from tercet.engines.chat import Message
from tercet.engines.local_model import LocalModel
from tercet.engines.mini import MINI
from tercet.engines.prompt import render
from tercet.store.note import spoken


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


def test_a_share_lies_in_its_interval() -> None:
    half = figure([True, False] * 50)
    assert half["share"] == 0.5
    assert 0.35 < float(str(half["low"])) < 0.45
    assert 0.55 < float(str(half["high"])) < 0.65
    assert figure([True] * 5) == {"share": 1.0, "low": 1.0, "high": 1.0, "asked": 5}


def test_a_prefix_is_the_words_before_the_prompt() -> None:
    model = LocalModel(MINI, device="cpu")
    asker, case = Asker(model), cases(1)[0]
    first = model.tokenizer.bos_token_id
    read = [token for note in case.notes for token in model.tokenizer(spoken(note), add_special_tokens=False).input_ids]
    laid = model.layout([Message("system", SYSTEM_WORDS), Message("user", case.question)])
    ids = torch.tensor([[first, *read, *laid[laid[0] == first :]]])
    made = cast(Callable[..., torch.Tensor], model.model.generate)(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=16, do_sample=False
    )
    whole = bare(str(model.tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True)))
    assert asker.ask_behind(case.question, case.notes) == whole


def test_smaller_recipes_make_smaller_records() -> None:
    asker, note = Asker(LocalModel(MINI, device="cpu")), strangers(1)[0]
    sizes = [
        sum(array.nbytes for array in asker.record(note, recipe).values())
        for recipe in (EXACT, Recipe(bits=8), Recipe(bits=8, tokens=4), Recipe(bits=4, tokens=4))
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 4


def test_strangers_share_no_note() -> None:
    assert len({note.text for note in strangers(60)}) > 55


@pytest.mark.slow
def test_it_runs_on_any_model(tmp_path: Path) -> None:
    torch.manual_seed(0)
    shape = Shape(vocabulary=600, width=32, layers=2, heads=4, kv_heads=2, inner=48)
    texts = [render([]), *(note.text for case in cases(5) for note in case.notes)]
    save_tokenizer(make_tokenizer(texts, shape.vocabulary), tmp_path)
    Llama(shape).save(tmp_path, bos=0, eos=1)
    done = CliRunner().invoke(
        main,
        ["--model", str(tmp_path), "--questions", "2", "--pairs", "8", "--json", str(tmp_path / "out.json")],
        catch_exceptions=False,
    )
    assert done.exit_code == 0
    results = json.loads((tmp_path / "out.json").read_text())
    for kinds in results["exact_match"].values():
        assert {kind: kinds[kind]["asked"] for kind in KINDS} == dict.fromkeys(KINDS, 2)
    assert results["own_recall"]["gold recalled"]["one hop"]["asked"] == 2
    assert len(results["sparse"]) == 12
    assert results["changes"]["attention, by fit"] == {"revised": None, "forgotten": None}  # it knows no answer


def test_the_loudness_that_recalls_use_is_one_of_those_measured() -> None:
    notes = cases(1)[0].notes
    recall = recall_of(cases(1)[0].question, notes, len(notes))
    assert recall.confidence is not None
    sure = math.log(recall.confidence)
    ways = memory_bias.biases(recall)
    assert [one + sure for one in ways["rank ^ -1.5"]] == pytest.approx(recall.bias)
    assert ways["alike"] == pytest.approx([-math.log(len(recall))] * len(recall))


@pytest.mark.slow
def test_loudness_is_measured_in_every_way(tmp_path: Path) -> None:
    wanted = ["--questions", "1", "--json", str(tmp_path / "out.json")]
    done = CliRunner().invoke(memory_bias.main, wanted, catch_exceptions=False)
    assert done.exit_code == 0
    right = json.loads((tmp_path / "out.json").read_text())["right"]
    assert len(right) == 10
    assert {len(row) for row in right.values()} == {len(memory_bias.TEMPERATURES) + len(memory_bias.POWERS) + 2}
