"""Which KV heads read memories: found, kept in a file, and measured as the engine reads them."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_models import shared_engine, shared_model, tiny_model, tiny_tokenizer, words  # type: ignore[import-not-found]
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from tercet.engines.attention import EXACT, SMALL, AttentionEngine, Recipe, attention_engine
from tercet.engines.attention.calibrate import _Trial, calibrate
from tercet.engines.attention.calibration import (
    Calibration,
    any_calibration,
    calibrated,
    calibration_file,
    keep_calibration,
)
from tercet.engines.attention.pairs import make_pairs
from tercet.engines.attention.recipe import Heads
from tercet.engines.attention.writing import stored_bytes
from tercet.store.errors import EngineError


@pytest.fixture(autouse=True)
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data"


def found_for(fingerprint: str, heads: Heads) -> Calibration:
    return Calibration(
        fingerprint,
        "llama",
        heads,
        heads_of=8,
        pairs=6,
        held_out=2,
        gain=1.0,
        gain_kept=0.99,
        divergence=0.01,
        divergence_none=0.3,
        bytes_all=100,
        bytes_kept=30,
    )


def test_pairs_ask_for_what_their_memory_goes_on_with() -> None:
    engine = shared_engine("llama")
    pairs = make_pairs(engine.model, engine.tokenizer, 9, seed=3)
    assert len(pairs) == 9
    for memory, start, context in zip(pairs.memories, pairs.starts, pairs.contexts, strict=True):
        assert torch.equal(context, memory[start - pairs.question : start + pairs.answer])
        assert not {0, 1, 2} & set(memory[:1].tolist())
    again = make_pairs(engine.model, engine.tokenizer, 9, seed=3)
    assert torch.equal(again.memories, pairs.memories)
    assert not torch.equal(make_pairs(engine.model, engine.tokenizer, 9, seed=4).memories, pairs.memories)
    first, rest = pairs.split(4)
    assert (len(first), len(rest)) == (4, 5)


def test_given_texts_are_cut_and_short_contexts_have_short_pairs() -> None:
    engine = AttentionEngine(tiny_model("llama", max_position_embeddings=48), tiny_tokenizer())
    pairs = make_pairs(engine.model, engine.tokenizer, 4, texts=[words(*range(10, 80))])
    assert pairs.memories.shape[1] + pairs.question + pairs.answer + 2 <= 48
    runs = [memory for memory in pairs.memories if (memory.diff() == 1).all()]
    assert len(runs) == 2  # the others are of random tokens
    with pytest.raises(EngineError, match="the texts have 2 tokens"):
        make_pairs(engine.model, engine.tokenizer, 4, texts=["w5 w6"])


@pytest.mark.parametrize("family", ["llama", "qwen3", "smollm3", "gpt_neox", "gpt_oss", "mistral_sliding", "yarn"])
@pytest.mark.parametrize("base", ["sdpa", "eager"])
def test_a_trial_is_what_the_engine_reads_with_these_heads(family: str, base: str) -> None:
    shared = shared_engine(family, None if family == "gpt_oss" else base)
    pairs = make_pairs(shared.model, shared.tokenizer, 4)
    count = shared.layers[0].shape[0]
    heads: Heads = tuple((0,) if n % 2 else tuple(range(count)) for n in range(len(shared.layers)))
    for recipe in (EXACT, Recipe(heads=heads)):
        chosen = recipe.heads or tuple(tuple(range(count)) for _ in shared.layers)
        visible = [
            torch.tensor([head in kept and layer.remembers for head in range(count)])
            for kept, layer in zip(chosen, shared.layers, strict=True)
        ]
        tried = _Trial(shared, pairs, lambda _: None).answers(visible)
        engine = AttentionEngine(shared.model, shared.tokenizer, recipe=recipe)
        for memory, context, logs in zip(pairs.memories, pairs.contexts, tried.logs, strict=True):
            record = engine.encode_tokens([1, *memory.tolist()], drop=1)
            with torch.no_grad(), engine.attend([record]):
                logits: Tensor = engine.model(torch.tensor([[1, *context.tolist()]])).logits
            own = logits[0, -pairs.answer - 1 : -1].log_softmax(-1)
            assert (own - logs).abs().max() < 2e-4 * logits.std()


def test_the_retrieval_score_is_the_weight_on_what_comes_next() -> None:
    engine = shared_engine("llama", "eager")
    pairs = make_pairs(engine.model, engine.tokenizer, 3)
    everything = [torch.ones(2, dtype=torch.bool)] * 4
    order, told = _Trial(engine, pairs, lambda _: None).scored(everything)
    assert sorted(order) == [(number, head) for number in range(4) for head in range(2)]
    assert torch.allclose(told, _Trial(engine, pairs, lambda _: None).told(everything), atol=1e-5)
    scores = torch.zeros(4, 2)
    for memory, start, context in zip(pairs.memories, pairs.starts.tolist(), pairs.contexts, strict=True):
        tokens = torch.tensor([[1, *memory.tolist(), 1, *context.tolist()]])
        hidden = torch.ones(1, 1, tokens.shape[1], tokens.shape[1]).tril().bool()
        hidden[..., 1 + len(memory) :, 0] = False
        mask = torch.zeros(hidden.shape).masked_fill(~hidden, torch.finfo(torch.float32).min)
        with torch.no_grad():
            weights = engine.model(tokens, attention_mask=mask, output_attentions=True).attentions
        first = 2 + len(memory) + pairs.question - 1  # the last token of the question
        for number, layer in enumerate(weights):
            read = sum(layer[0, :, first + step, 1 + start + step] for step in range(pairs.answer))
            scores[number] += read.reshape(2, 2).amax(1) if isinstance(read, Tensor) else 0
    # the score of a KV head is that of its best query head over all pairs, so ties of sums aside the order agrees
    assert order[0] == divmod(int(scores.argmax()), 2)


def test_a_calibration_is_found_again_by_the_model_and_a_damaged_one_is_named(data_home: Path) -> None:
    shared = shared_engine("llama")
    heads: Heads = ((0,), (), (1,), (0, 1))
    path = keep_calibration(found_for(shared.model_fingerprint, heads))
    assert path == calibration_file(shared.model_fingerprint)
    assert path.is_relative_to(data_home)
    assert calibrated(shared.model_fingerprint) == found_for(shared.model_fingerprint, heads)
    engine = attention_engine(shared.model, tokenizer=shared.tokenizer)
    assert engine.recipe == replace(SMALL, heads=heads)
    assert attention_engine(shared.model, tokenizer=shared.tokenizer, recipe=EXACT).recipe == EXACT
    other = shared_engine("qwen3")
    assert attention_engine(other.model, tokenizer=other.tokenizer).recipe == SMALL
    for text in ("{", "[]", '{"format": 2}', path.read_text().replace("bytes_kept", "bytes_lost")):
        path.write_text(text)
        with pytest.raises(EngineError, match="is no calibration that this version reads"):
            calibrated(shared.model_fingerprint)


def test_a_model_that_memory_does_not_help_has_nothing_to_choose_by(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = shared_engine("llama")
    monkeypatch.setattr(_Trial, "scored", lambda *_: ([(0, 0)], torch.full((6, 16), -1.0)))
    monkeypatch.setattr(_Trial, "told", lambda *_: torch.full((6, 16), -0.5))
    with pytest.raises(EngineError, match=r"0\.500 nats a token more surprising"):
        calibrate(engine, pairs=8)


@pytest.mark.parametrize(
    "recipe",
    [
        EXACT,
        SMALL,
        Recipe(bits=4, tokens=8),
        Recipe(bits=8, tokens=8, residual=True, heads=((0,), (), (1,), (0, 1))),
        Recipe(bits=8, tokens=99),
    ],
)
@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_the_bytes_told_are_those_of_a_record(recipe: Recipe, family: str) -> None:
    from safetensors.numpy import save

    shared = shared_engine(family)
    engine = AttentionEngine(shared.model, shared.tokenizer, recipe=recipe)
    record = engine.encode_tokens([1, *range(10, 50)], drop=1)
    assert len(save(dict(record))) == stored_bytes(engine.layers, recipe, 40)


@pytest.mark.data
@pytest.mark.parametrize("name", ["stories260K", "babyllama-char105"])
def test_a_trained_model_needs_few_of_its_heads(name: str) -> None:
    folder = shared_model(name)
    engine = AttentionEngine(AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder))
    tried: list[int] = []
    found = calibrate(engine, pairs=64, on_progress=tried.append)
    assert 0 < found.count < 20 == found.heads_of
    assert found.gain > 0
    assert found.gain_kept > 0.7
    assert 0 < found.divergence < 0.4 * found.divergence_none
    assert found.bytes_kept < found.bytes_all
    assert len(tried) < 40
    assert calibrate(engine, pairs=64) == found


@pytest.mark.parametrize("home", ["unknown", "closed"])
def test_a_service_without_a_home_attends_all_the_same(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_DATA_HOME")

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.") if home == "unknown" else PermissionError(13, home)

    monkeypatch.setattr(Path, "home", no_home)
    assert not any_calibration()
    with pytest.raises(EngineError, match="XDG_DATA_HOME"):
        keep_calibration(found_for("abc", ((0,),)))


def test_a_file_that_is_no_text_is_named(data_home: Path) -> None:
    path = keep_calibration(found_for("abc", ((0,),)))
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EngineError, match="is no calibration"):
        calibrated("abc")


def test_memory_that_does_not_help_the_pairs_held_out_keeps_nothing() -> None:
    engine = AttentionEngine(tiny_model("llama", seed=0), tiny_tokenizer())
    with pytest.raises(EngineError, match="does not help"):
        calibrate(engine, pairs=200, seed=2)


@pytest.mark.parametrize("asked", [{"pairs": 3}, {"keep": 0.0}, {"agree": 1.5}])
def test_a_calibration_needs_pairs_and_shares(asked: dict[str, float]) -> None:
    with pytest.raises(EngineError, match="at least 8 pairs"):
        calibrate(shared_engine("llama"), **asked)  # type: ignore[arg-type]
