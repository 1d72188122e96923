"""Memories are laid out once, whoever comes first, and each layer has its tokens where it kept them."""

import sys
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import numpy as np
import pytest
import torch
from tiny_models import tiny_model, tiny_tokenizer, words  # type: ignore[import-not-found]
from torch import Tensor

from tercet.engines.attention import AttentionEngine, placing
from tercet.engines.attention.recipe import Heads, Recipe


@pytest.mark.parametrize(("kv_heads", "heads"), [(1, None), (4, ((1,), (2,), (0,), (3,)))])
def test_layers_laid_out_apart_read_the_same(
    kv_heads: int, heads: Heads | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_model("llama", num_key_value_heads=kv_heads)
    engine = AttentionEngine(model, tiny_tokenizer(), recipe=Recipe(tokens=8, bits=8, heads=heads))
    random = np.random.default_rng(0)
    records = engine.encode([words(*random.integers(5, 60, 40).tolist()) for _ in range(3)])

    def logits(at_once: int) -> Tensor:
        monkeypatch.setattr(placing, "_AT_ONCE", at_once)
        with torch.no_grad(), engine.attend(records):
            found: Tensor = model(torch.tensor([[1, 20, 31, 22, 33, 44]])).logits
        return found

    together, apart = logits(1 << 40), logits(1)
    torch.testing.assert_close(apart, together)
    with torch.no_grad():
        alone = model(torch.tensor([[1, 20, 31, 22, 33, 44]])).logits
    assert (together - alone).abs().max() > 1e-3


def test_threads_that_come_to_a_block_at_once_read_the_same() -> None:
    model = tiny_model("llama").to(torch.bfloat16)
    engine = AttentionEngine(model, tiny_tokenizer())
    records = engine.encode([words(*range(5, 60)), words(8, 9, 10)])
    context = torch.tensor([[1, 20, 31, 22, 33]])

    def read() -> Tensor:
        with torch.no_grad():
            found: Tensor = model(context).logits
        return found

    with engine.attend(records):
        wanted = read()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            for _ in range(20):
                with engine.attend(records):
                    found = [pool.submit(copy_context().run, read) for _ in range(4)]
                    assert all(torch.equal(one.result(), wanted) for one in found)
    finally:
        sys.setswitchinterval(interval)
