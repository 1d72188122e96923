import hashlib
import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from one_prompt import reference  # type: ignore[import-not-found]
from tiny_models import shared_engine, shared_model, tiny_model, tiny_tokenizer, words  # type: ignore[import-not-found]
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from tercet.engines.attention import AttentionEngine, attention_engine
from tercet.store.errors import EngineError, UnsupportedModel

FAMILIES = ["gemma2", "gemma3", "gpt_neox", "gpt_oss", "llama", "mistral_sliding", "phi3", "qwen3", "smollm3", "yarn"]
FULL = ["gpt_neox", "llama", "phi3", "qwen3", "smollm3", "yarn"]  # every layer reads memories, without a window

NOTE = [1, *range(10, 27)]
OTHER = [1, *range(40, 51)]
CONTEXT = [60, 71, 62, 73, 64, 75, 66]


def logits(engine: AttentionEngine, tokens: Sequence[int], **options: object) -> Tensor:
    ids = torch.tensor([tokens])
    with torch.no_grad():
        found: Tensor = engine.model(ids, attention_mask=torch.ones_like(ids), **options).logits[0]
    return found


def answer(engine: AttentionEngine, tokens: Sequence[int], length: int = 64, **options: object) -> list[int]:
    ids = torch.tensor([tokens])
    settings = {"do_sample": False, "max_new_tokens": length, "min_new_tokens": length, "pad_token_id": 0} | options
    found = engine.model.generate(ids, attention_mask=torch.ones_like(ids), **settings)  # type: ignore[operator]
    new: list[int] = found[0, len(tokens) :].tolist()
    return new


def far(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).abs().max() / wanted.std())


def test_without_records_nothing_changes_by_a_bit() -> None:
    engine = shared_engine("llama")
    plain = logits(engine, CONTEXT)
    with engine.attend([]) as attention:
        assert torch.equal(logits(engine, CONTEXT), plain)
        assert attention.masses == ()
        assert attention.local == 1.0
        assert attention.by_layer.shape == (4, 1)
    assert torch.equal(logits(engine, CONTEXT), plain)


@pytest.mark.parametrize("family", FULL)
def test_a_note_with_its_first_token_is_the_prompt(family: str) -> None:
    engine = shared_engine(family)
    prompt = logits(engine, NOTE + CONTEXT)[len(NOTE) :]
    plain = logits(engine, CONTEXT)
    with engine.attend([engine.encode_tokens(NOTE)]):
        assert far(logits(engine, CONTEXT), prompt) <= 1e-4
        assert far(logits(engine, CONTEXT, use_cache=False), prompt) <= 1e-4
    assert far(plain, prompt) > 0.5  # else the test would pass without a memory


@pytest.mark.parametrize("family", ["llama", "mistral_sliding", "qwen3"])
def test_generated_tokens_are_those_of_the_prompt(family: str) -> None:
    engine = shared_engine(family)
    wanted = answer(engine, NOTE + CONTEXT)
    assert answer(engine, CONTEXT) != wanted
    with engine.attend([engine.encode_tokens(NOTE)]):
        assert answer(engine, CONTEXT) == wanted
        assert answer(engine, CONTEXT, 12, use_cache=False) == wanted[:12]


@pytest.mark.parametrize("base", ["sdpa", "eager"])
@pytest.mark.parametrize("family", ["llama", "mistral_sliding"])
def test_beams_static_caches_and_chunks_give_the_tokens_of_the_prompt(family: str, base: str) -> None:
    engine = shared_engine(family, base)
    record = engine.encode_tokens(NOTE)
    # A compiled step would be another kernel, and cost a minute.
    static = {"cache_implementation": "static", "disable_compile": True}
    for options in ({"num_beams": 3}, static, {"prefill_chunk_size": 3}):
        wanted = answer(engine, NOTE + CONTEXT, 24, **options)
        with engine.attend([record]):
            assert answer(engine, CONTEXT, 24, **options) == wanted, options


@pytest.mark.parametrize("family", ["llama", "mistral_sliding", "gemma3"])
def test_rows_of_a_left_padded_batch_are_as_if_alone(family: str) -> None:
    engine = shared_engine(family)
    record = engine.encode_tokens(NOTE)
    short = CONTEXT[:3]
    ids = torch.tensor([CONTEXT, [0] * (len(CONTEXT) - len(short)) + short])
    mask = (ids != 0).long()
    with engine.attend([record]) as attention:
        alone = [answer(engine, row, 24) for row in (CONTEXT, short)]
    with engine.attend([record]) as padded:
        found = engine.model.generate(
            ids, attention_mask=mask, do_sample=False, max_new_tokens=24, min_new_tokens=24, pad_token_id=0
        )
    assert found[:, len(CONTEXT) :].tolist() == alone
    # Masses are means over queries, and no query is padding: the two rows alone, weighted by their lengths.
    assert padded.masses[0] == pytest.approx(attention.masses[0], abs=1e-5)


@pytest.mark.parametrize("base", ["sdpa", "eager"])
def test_padding_and_windows_are_masked_as_ever_while_a_block_is_open(base: str) -> None:
    engine = shared_engine("mistral_sliding", base)
    ids = torch.tensor([CONTEXT * 4, [0] * 9 + (CONTEXT * 4)[9:]])
    mask = (ids != 0).long()
    with torch.no_grad():
        plain = engine.model(ids, attention_mask=mask).logits
        with engine.attend([]):
            assert torch.equal(engine.model(ids, attention_mask=mask).logits, plain)
        with engine.attend([engine.encode_tokens(NOTE)], bias=-math.inf):
            inside = engine.model(ids, attention_mask=mask).logits
    assert torch.equal(inside[mask == 1], plain[mask == 1])


@pytest.mark.parametrize("family", ["gpt_neox", "llama", "qwen3", "smollm3", "yarn"])
def test_parallel_memories_are_one_softmax_with_the_bias(family: str) -> None:
    engine = shared_engine(family, "eager")
    wanted, shares = reference(engine, [NOTE, OTHER], CONTEXT, drop=1, bias=-math.log(2))
    records = engine.encode([words(*NOTE[1:]), words(*OTHER[1:])])
    with engine.attend(records) as attention:
        assert far(logits(engine, CONTEXT), wanted) <= 1e-4
    np.testing.assert_allclose(attention.by_layer[:, :2], shares.numpy(), atol=1e-5)
    np.testing.assert_allclose(attention.masses, shares.mean(0).numpy(), atol=1e-5)


def test_sliding_layers_of_a_mixed_model_read_no_memory() -> None:
    engine = shared_engine("gemma3", "eager")
    size = len(NOTE) + len(CONTEXT)
    causal = torch.full((size, size), torch.finfo(torch.float32).min).triu(1)
    blind = causal.clone()
    blind[len(NOTE) :, : len(NOTE)] = torch.finfo(torch.float32).min
    # In the memory itself the window of 16 holds.
    blind[: len(NOTE), : len(NOTE)] += torch.full((len(NOTE), len(NOTE)), -1e30).tril(-16)
    with torch.no_grad():
        wanted = engine.model(
            torch.tensor([NOTE + CONTEXT]),
            attention_mask={"full_attention": causal[None, None], "sliding_attention": blind[None, None]},
            use_cache=False,
        ).logits[0, len(NOTE) :]
    with engine.attend([engine.encode_tokens(NOTE)]) as attention:
        assert far(logits(engine, CONTEXT), wanted) <= 1e-4
    assert attention.layers == (1, 3)
    assert attention.by_layer.shape == (2, 2)


@pytest.mark.parametrize("family", FAMILIES)
def test_masses_and_the_context_share_one_softmax(family: str) -> None:
    engine = shared_engine(family)
    with engine.attend(engine.encode([words(5, 6, 7), words(8, 9), words(11, 12, 13, 14)])) as attention:
        answer(engine, CONTEXT, 5)
    assert len(attention.masses) == 3
    assert all(0 < mass < 1 for mass in attention.masses)
    assert sum(attention.masses) + attention.local == pytest.approx(1, abs=1e-5)
    assert attention.by_layer.dtype == np.float32
    assert attention.by_layer.shape == (len(attention.layers), 4)
    np.testing.assert_allclose(attention.by_layer.sum(1), 1, atol=1e-5)


def test_the_order_of_memories_changes_nothing() -> None:
    engine = shared_engine("llama")
    records = engine.encode([words(5, 6, 7), words(8, 9), words(11, 12, 13, 14)])
    found, masses = [], []
    for order in itertools.permutations(range(3)):
        with engine.attend([records[number] for number in order]) as attention:
            found.append(logits(engine, CONTEXT))
        masses.append([attention.masses[order.index(number)] for number in range(3)])
    assert all(far(other, found[0]) <= 1e-5 for other in found[1:])
    np.testing.assert_allclose(masses, [masses[0]] * 6, atol=1e-6)


def test_each_memory_is_read() -> None:
    engine = shared_engine("llama")
    first, second = engine.encode([words(*NOTE[1:]), words(*OTHER[1:])])
    with engine.attend([first]):
        one = logits(engine, CONTEXT)
    with engine.attend([first, second]):
        both = logits(engine, CONTEXT)
    assert far(both, one) > 0.1
    assert far(one, logits(engine, CONTEXT)) > 0.1


def test_a_bias_of_minus_infinity_is_no_memory() -> None:
    engine = shared_engine("llama")
    plain = logits(engine, CONTEXT)
    with engine.attend([engine.encode_tokens(NOTE)], bias=-math.inf) as attention:
        assert torch.equal(logits(engine, CONTEXT), plain)
    assert attention.masses == (0.0,)
    assert attention.local == 1.0


def test_a_stronger_bias_gives_a_memory_more() -> None:
    engine = shared_engine("llama")
    shares = []
    for bias in (-2.0, 0.0, 2.0):
        with engine.attend([engine.encode_tokens(NOTE)], bias=bias) as attention:
            logits(engine, CONTEXT)
        shares.append(attention.masses[0])
    assert shares == sorted(shares)
    assert shares[0] < shares[2]


def test_memory_never_enters_the_cache() -> None:
    engine = shared_engine("llama")
    ids = torch.tensor([CONTEXT])
    with torch.no_grad(), engine.attend([engine.encode_tokens(NOTE)]):
        cache = engine.model(ids, use_cache=True).past_key_values
    assert cache.get_seq_length() == len(CONTEXT)
    assert all(layer.keys.shape[2] == len(CONTEXT) for layer in cache.layers)


def test_reading_leaves_the_records_as_they_are() -> None:
    engine = shared_engine("llama")
    records = engine.encode([words(5, 6, 7), words(8, 9)])

    def digest() -> str:
        parts = [array.tobytes() for record in records for array in record.values()]
        return hashlib.sha256(b"".join(parts)).hexdigest()

    before = digest()
    with engine.attend(records):
        answer(engine, CONTEXT, 8)
    assert digest() == before


def test_long_prompts_are_read_in_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    from tercet.engines.attention import kernels

    engine = shared_engine("mistral_sliding")
    record = engine.encode_tokens(NOTE)
    with engine.attend([record]) as whole:
        wanted = logits(engine, CONTEXT * 5)
    monkeypatch.setattr(kernels, "_SCORES", 700)  # a few queries at a time
    with engine.attend([record]) as parts:
        assert far(logits(engine, CONTEXT * 5), wanted) <= 1e-5
    assert parts.masses[0] == pytest.approx(whole.masses[0], abs=1e-6)


def test_the_weights_that_a_model_gives_out_are_those_of_its_context() -> None:
    engine = shared_engine("llama", "eager")
    ids = torch.tensor([CONTEXT])
    with torch.no_grad(), engine.attend([engine.encode_tokens(NOTE)]) as attention:
        weights = engine.model(ids, output_attentions=True).attentions
    given = torch.stack([layer.sum(-1).mean() for layer in weights])
    np.testing.assert_allclose(given.numpy(), attention.by_layer[:, -1], atol=1e-5)


def test_gradients_flow_to_the_context_through_what_it_reads() -> None:
    engine = AttentionEngine(tiny_model("llama"), tiny_tokenizer())
    with engine.attend([engine.encode_tokens(NOTE)]):
        engine.model(torch.tensor([CONTEXT])).logits.square().mean().backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in engine.model.parameters())


@pytest.mark.data
def test_a_trained_model_answers_from_memory_as_from_its_prompt() -> None:
    folder = shared_model("stories260K")
    model = AutoModelForCausalLM.from_pretrained(folder)
    engine = attention_engine(model)  # finds the tokenizer in the model's folder
    tokenizer = AutoTokenizer.from_pretrained(folder)
    note = [1, *tokenizer("Once upon a time there was a cat named Tim.", add_special_tokens=False)["input_ids"]]
    context = tokenizer("His name was", add_special_tokens=False)["input_ids"]
    wanted = answer(engine, note + context)
    with engine.attend([engine.encode_tokens(note)]):
        assert answer(engine, context) == wanted
    assert answer(engine, context) != wanted


def test_masses_before_any_forward_are_an_error_and_an_idle_block_warns() -> None:
    engine = shared_engine("llama")
    block = engine.attend(engine.encode([words(5)]))
    attention = block.__enter__()
    assert not attention.reached
    with pytest.raises(EngineError, match="have not been read"):
        _ = attention.masses
    with pytest.warns(RuntimeWarning, match="were not read"):
        block.__exit__(None, None, None)


def test_a_refused_model_is_named_with_the_reason_and_the_mend() -> None:
    with pytest.raises(UnsupportedModel, match=r"gpt2 cannot attend to memories: its positions are absolute.*prompt"):
        AttentionEngine(tiny_model("gpt2"), tiny_tokenizer())


def test_a_model_without_a_tokenizer_beside_it_asks_for_one() -> None:
    with pytest.raises(EngineError, match="pass tokenizer="):
        attention_engine(tiny_model("llama"))
