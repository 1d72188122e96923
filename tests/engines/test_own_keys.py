"""Memories ranked by what a model's own queries would read of them."""

import numpy as np
import pytest
import torch
from tiny_models import shared_engine, words  # type: ignore[import-not-found]

from tercet.engines.attention import AttentionEngine, own_keys
from tercet.engines.attention.capture import trace
from tercet.engines.attention.own_keys import OwnKeys, best_heads
from tercet.engines.attention.recipe import Recipe
from tercet.store.errors import InvalidInput

QUESTION = words(20, 31, 22, 33, 20)
TEXTS = [words(5, 6, 7), words(8, 9), words(10, 11, 12, 13)]


@pytest.mark.parametrize("family", ["llama", "phi3", "qwen3"])
def test_scores_are_those_of_queries_and_keys_in_one_prompt(family: str) -> None:
    engine = shared_engine(family)
    tokens = [engine.tokenizer(text, add_special_tokens=False)["input_ids"] for text in (QUESTION, *TEXTS)]
    first = [] if engine.tokenizer.bos_token_id is None else [engine.tokenizer.bos_token_id]
    # In the first layer keys and queries are those of their own token, wherever they stand: question from 10 on.
    query = trace(engine.model, [*first, *tokens[0]], start=10)[0]
    keys = [trace(engine.model, one, start=10 - len(one))[0].key for one in tokens[1:]]
    groups = query.query.shape[0] // query.key.shape[0]
    products = [query.query @ key.repeat_interleave(groups, 0).transpose(1, 2) * query.scaling for key in keys]
    largest = torch.stack([one.amax(2) for one in products], 2)[:, len(first) :]
    found = OwnKeys(engine).by_head(QUESTION, engine.encode(TEXTS))
    assert found.shape == (len(engine.layers), query.query.shape[0], len(TEXTS))
    np.testing.assert_allclose(found[0], largest.softmax(2).mean(1).numpy(), atol=1e-5)
    np.testing.assert_allclose(found.sum(2), 1, atol=1e-5)


def test_order_and_spans_change_nothing_and_heads_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = shared_engine("llama")
    records = engine.encode(TEXTS)
    whole = OwnKeys(engine).by_head(QUESTION, records)
    scores = OwnKeys(engine).scores(QUESTION, records)
    np.testing.assert_allclose(scores, whole.mean((0, 1)), atol=1e-6)
    np.testing.assert_allclose(OwnKeys(engine).scores(QUESTION, records[::-1]), scores[::-1], atol=1e-5)
    chosen = OwnKeys(engine, heads=[(2, 1), (3, 0)]).scores(QUESTION, records)
    np.testing.assert_allclose(chosen, (whole[2, 1] + whole[3, 0]) / 2, atol=1e-6)
    monkeypatch.setattr(own_keys, "_AT_ONCE", 4)
    np.testing.assert_allclose(OwnKeys(engine).by_head(QUESTION, records), whole, atol=1e-5)


def test_the_heads_that_rank_the_wanted_first_are_chosen() -> None:
    found = np.zeros((2, 3, 4), np.float32)
    found[1, 2] = [0.1, 0.7, 0.1, 0.1]
    found[0, 1] = [0.1, 0.3, 0.5, 0.1]
    found[0, 0] = found[1, 0] = [0.5, 0.1, 0.2, 0.2]
    found[0, 2] = found[1, 1] = [0.5, 0.1, 0.2, 0.2]
    assert best_heads([found, found], [{1}, {1, 3}], 2) == ((1, 2), (0, 1))


def test_small_records_are_ranked_too_and_heads_that_keep_nothing_say_nothing() -> None:
    exact = shared_engine("llama")
    few = ((), (0,), (0, 1), ())
    engine = AttentionEngine(exact.model, exact.tokenizer, recipe=Recipe(bits=8, tokens=2, heads=few))
    found = OwnKeys(engine).by_head(QUESTION, engine.encode(TEXTS))
    assert np.isfinite(found).all()
    assert np.ptp(found[0]) == np.ptp(found[3]) == 0
    assert np.ptp(found[2], axis=-1).min() > 1e-3


def test_what_cannot_be_ranked_is_said() -> None:
    engine = shared_engine("llama")
    records = engine.encode(TEXTS)
    assert OwnKeys(engine, heads=[(2, 1)]).scores(QUESTION, []) == []
    with pytest.raises(InvalidInput, match="has no words"):
        OwnKeys(engine).scores("", records)
    for heads in ([(99, 0)], [(-1, 0)], []):
        with pytest.raises(InvalidInput, match="heads="):
            OwnKeys(engine, heads=heads).scores(QUESTION, records)
