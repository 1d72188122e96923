"""The attention engine on a GPU: the gate, prompts against memories, generation, masses, and each kernel by itself."""

from functools import cache

import numpy as np
import pytest
import torch
from test_attention_kernels import by_the_book, drawn  # type: ignore[import-not-found]
from tiny_models import tiny_model, tiny_tokenizer, words  # type: ignore[import-not-found]
from torch import Tensor

from tercet.engines.attention import AttentionEngine, gate, kernels

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

FAMILIES = ["gemma2", "gemma3", "gpt_neox", "gpt_oss", "llama", "mistral_sliding", "phi3", "qwen3", "smollm3", "yarn"]
HALF = [torch.bfloat16, torch.float16]
NOTE = [1, *range(10, 27)]
CONTEXT = [60, 71, 62, 73, 64, 75, 66]


@cache
def engine_of(family: str, dtype: torch.dtype) -> AttentionEngine:
    model = tiny_model(family)
    model.to(device="cuda", dtype=dtype)
    return AttentionEngine(model, tiny_tokenizer())


def logits(engine: AttentionEngine, rows: list[list[int]]) -> Tensor:
    ids = torch.tensor(rows, device="cuda")
    with torch.no_grad():
        found: Tensor = engine.model(ids, attention_mask=torch.ones_like(ids)).logits
    return found.float()


# A random mixture of experts takes other experts for a rounding in half precision, and the gate says so.
@pytest.mark.parametrize(
    ("family", "dtype"),
    [(family, torch.float32) for family in FAMILIES]
    + [(family, dtype) for family in FAMILIES if family != "gpt_oss" for dtype in HALF],
)
def test_the_gate_finds_memories_exact(family: str, dtype: torch.dtype) -> None:
    report = gate(engine_of(family, dtype).model, tiny_tokenizer())
    print(f"{family} {dtype}: {report.max_relative_logit_diff}")  # noqa: T201
    assert report.verdict == "exact", report.reason
    assert report.max_relative_logit_diff is not None
    assert report.max_relative_logit_diff <= (1e-4 if dtype == torch.float32 else 0.3)


@pytest.mark.parametrize("family", ["gpt_neox", "llama", "phi3", "qwen3", "smollm3", "yarn"])
def test_a_note_is_the_prompt_for_every_row_of_a_batch(family: str) -> None:
    engine = engine_of(family, torch.float32)
    rows = [CONTEXT, [token + 3 for token in CONTEXT]]
    prompt = logits(engine, [NOTE + row for row in rows])[:, len(NOTE) :]
    with engine.attend([engine.encode_tokens(NOTE)]):
        inside = logits(engine, rows)
    assert float((inside - prompt).abs().max() / prompt.std()) <= 1e-4
    assert float((logits(engine, rows) - prompt).abs().max() / prompt.std()) > 0.5


@pytest.mark.parametrize("family", ["llama", "mistral_sliding", "qwen3"])
def test_generated_tokens_are_those_of_the_prompt(family: str) -> None:
    engine = engine_of(family, torch.float32)
    settings = {"do_sample": False, "max_new_tokens": 48, "min_new_tokens": 48, "pad_token_id": 0}
    whole, context = (torch.tensor([tokens], device="cuda") for tokens in (NOTE + CONTEXT, CONTEXT))
    generate = engine.model.generate
    wanted = generate(whole, attention_mask=torch.ones_like(whole), **settings)[0, len(NOTE) :]  # type: ignore[operator]
    with engine.attend([engine.encode_tokens(NOTE)]):
        found = generate(context, attention_mask=torch.ones_like(context), **settings)[0]  # type: ignore[operator]
    assert torch.equal(found, wanted)


@pytest.mark.parametrize("dtype", [torch.float32, *HALF])
def test_memories_of_any_length_say_the_same_watched_or_not_and_masses_sum_to_one(dtype: torch.dtype) -> None:
    engine = engine_of("llama", dtype)
    for texts in ([words(5, 6, 7), words(8, 9)], [words(5, 6, 7), words(8, 9, 10)]):  # with padding, and without
        records = engine.encode(texts)
        with engine.attend(records) as attention:
            watched = logits(engine, [CONTEXT])
        with engine.attend(records, watch=False):
            alone = logits(engine, [CONTEXT])
        close = 1e-4 if dtype == torch.float32 else 0.1
        assert float((watched - alone).abs().max() / alone.std()) <= close
        assert all(0 < mass < 1 for mass in attention.masses)
        np.testing.assert_allclose(attention.by_layer.sum(1), 1, atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("width", [64, 128])
@pytest.mark.parametrize("dtype", HALF)
def test_the_kernel_gives_the_log_sum_exp_of_shared_heads(dtype: torch.dtype, width: int, causal: bool) -> None:
    queries = 40
    query = drawn(2, 8, queries, width).to("cuda", dtype)
    key, value = (drawn(2, 2, queries, width, seed=seed).to("cuda", dtype) for seed in (1, 2))
    mask = torch.zeros(queries, queries, device="cuda")
    if causal:
        mask = mask.masked_fill(torch.ones_like(mask).triu(1).bool(), -torch.inf)
    output, sums = kernels.attention(query, key, value, causal=causal, scaling=0.3)
    wanted, wanted_sums = by_the_book(query, key, value, mask)
    assert sums.dtype == torch.float32
    torch.testing.assert_close(sums.double(), wanted_sums, atol=2e-3, rtol=1e-4)
    torch.testing.assert_close(output.double(), wanted, atol=3e-2, rtol=0)


@pytest.mark.parametrize("dtype", HALF)
def test_many_memories_are_parts_of_one_call(dtype: torch.dtype) -> None:
    query = drawn(1, 2, 6, 64).to("cuda", dtype).expand(5, -1, -1, -1)
    key, value = (drawn(2, 5, 24, 64, seed=seed).to("cuda", dtype).transpose(0, 1) for seed in (1, 2))
    found, wanted = kernels.attention(query, key, value), kernels.products(query, key, value)
    torch.testing.assert_close(found[1], wanted[1], atol=2e-3, rtol=1e-4)
    torch.testing.assert_close(found[0].float(), wanted[0].float(), atol=3e-2, rtol=0)


@pytest.mark.parametrize("at_once", [1, 1 << 19])
def test_memories_arrive_on_a_stream_of_their_own_before_they_are_read(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tercet.engines.attention import placing
    from tercet.engines.attention.recipe import SMALL

    monkeypatch.setattr(placing, "_AT_ONCE", at_once)
    exact = engine_of("llama", torch.float32)
    engine = AttentionEngine(exact.model, exact.tokenizer, recipe=SMALL)
    records = engine.encode([words(*range(5 + number, 30)) for number in range(20)])
    with engine.attend(records):
        torch.cuda.synchronize()  # everything is there before anything is read
        wanted = logits(engine, [CONTEXT])
    for _ in range(10):
        with engine.attend(records):
            torch.cuda._sleep(1_000_000)  # type: ignore[no-untyped-call]  # the model's own stream is late
            found = logits(engine, [CONTEXT])
        assert torch.equal(found, wanted)


def test_what_travels_to_a_gpu_is_pinned_and_room_is_used_again() -> None:
    engine = engine_of("llama", torch.float32)
    records = engine.encode([words(*range(5, 60))] * 8)

    def once() -> int:
        with engine.attend(records):
            logits(engine, [CONTEXT])
        torch.cuda.synchronize()
        return torch.cuda.memory_reserved()

    settled = [once() for _ in range(3)][-1]
    assert [once() for _ in range(5)] == [settled] * 5
