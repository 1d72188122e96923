import pytest
import torch
from tiny_models import shared_engine, tiny_model, tiny_tokenizer, words  # type: ignore[import-not-found]

from tercet.engines.prefix import PrefixEngine
from tercet.store.errors import EngineError, UnsupportedModel

NOTE = [1, *range(10, 27)]
CONTEXT = torch.tensor([[60, 71, 62, 73, 64, 75, 66]])


@pytest.mark.parametrize("family", ["gpt_neox", "llama", "mistral_sliding", "phi3", "qwen3", "smollm3", "yarn"])
def test_one_memory_as_a_prefix_says_what_it_says_in_attention(family: str) -> None:
    engine = shared_engine(family)
    prefix = PrefixEngine(engine.model, engine.tokenizer).encode_tokens(NOTE)
    given = prefix.before(CONTEXT)
    with torch.no_grad():
        before = engine.model(CONTEXT, past_key_values=given["past_key_values"], attention_mask=given["attention_mask"])
        with engine.attend([engine.encode_tokens(NOTE)]):
            inside = engine.model(CONTEXT)
    far = float((before.logits - inside.logits).abs().max() / before.logits.std())
    assert far <= 1e-4


def test_generation_goes_on_from_a_prefix_again_and_again() -> None:
    model, tokenizer = shared_engine("llama").model, tiny_tokenizer()
    texts = [words(5, 6, 7), words(80, 81)]
    prefix = PrefixEngine(model, tokenizer).encode(texts)
    whole = torch.tensor([[1, 5, 6, 7, 80, 81, *CONTEXT[0].tolist()]])
    settings = {"do_sample": False, "max_new_tokens": 24, "min_new_tokens": 24, "pad_token_id": 0}
    wanted = model.generate(whole, attention_mask=torch.ones_like(whole), **settings)
    for _ in range(2):
        assert torch.equal(model.generate(**prefix.before(CONTEXT), **settings), wanted)
    assert prefix.cache.get_seq_length() == 6


def test_each_row_of_a_batch_stands_after_the_prefix() -> None:
    model = shared_engine("llama").model
    prefix = PrefixEngine(model, tiny_tokenizer()).encode([words(5, 6, 7)])
    rows = torch.cat((CONTEXT, CONTEXT + 3))
    settings = {"do_sample": False, "max_new_tokens": 12, "min_new_tokens": 12, "pad_token_id": 0}
    together = model.generate(**prefix.before(rows), **settings)
    alone = [model.generate(**prefix.before(row[None]), **settings)[0] for row in rows]
    assert torch.equal(together, torch.stack(alone))


def test_a_prefix_of_nothing_is_refused() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.bos_token = None
    with pytest.raises(EngineError, match="at least one token"):
        PrefixEngine(tiny_model("qwen2"), tokenizer).encode([])


@pytest.mark.parametrize("family", ["falcon_h1", "lfm2"])
def test_a_state_that_is_not_all_keys_and_values_is_refused(family: str) -> None:
    with pytest.raises(UnsupportedModel, match="recurrent state"):
        PrefixEngine(tiny_model(family), tiny_tokenizer()).encode_tokens(NOTE)


def test_a_model_in_training_mode_is_refused() -> None:
    model = tiny_model("qwen2").train()
    with pytest.raises(EngineError, match="training mode"):
        PrefixEngine(model, tiny_tokenizer()).encode_tokens(NOTE)
