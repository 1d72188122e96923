import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import shared_engine, tiny_model, tiny_tokenizer, words  # type: ignore[import-not-found]
from transformers import AutoModelForCausalLM

from tercet.engines.attention import AttentionEngine
from tercet.store.errors import EngineError


def test_a_record_holds_tokens_and_all_layers_without_the_first_token() -> None:
    (record,) = shared_engine("llama").encode([words(5, 6, 7)])
    assert record["tokens"].tolist() == [5, 6, 7]
    assert set(record) == {"tokens", *(f"layers.{n}.{part}" for n in range(4) for part in ("key", "value"))}
    assert all(array.shape == (2, 3, 16) for name, array in record.items() if name != "tokens")
    assert all(array.dtype == np.float32 for name, array in record.items() if name != "tokens")


def test_texts_are_encoded_each_alone() -> None:
    engine = shared_engine("llama")
    together = engine.encode([words(5, 6, 7), words(8, 9)])
    for record, text in zip(together, [words(5, 6, 7), words(8, 9)], strict=True):
        (alone,) = engine.encode([text])
        assert all(np.array_equal(record[name], alone[name]) for name in record)


def test_the_first_token_is_attended_to_and_left_out() -> None:
    engine = shared_engine("llama")
    (record,) = engine.encode([words(5, 6, 7)])
    whole = engine.encode_tokens([1, 5, 6, 7])
    without = engine.encode_tokens([5, 6, 7])
    assert np.array_equal(record["layers.3.value"], whole["layers.3.value"][:, 1:])
    assert not np.allclose(record["layers.3.value"], without["layers.3.value"], atol=1e-3)


def test_a_tokenizer_without_a_first_token_needs_none() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.bos_token = None
    engine = AttentionEngine(tiny_model("qwen2"), tokenizer)
    (record,) = engine.encode([words(5, 6, 7)])
    assert record["tokens"].tolist() == [5, 6, 7]
    assert np.array_equal(record["layers.3.value"], engine.encode_tokens([5, 6, 7])["layers.3.value"])


def test_half_precision_is_kept_without_loss() -> None:
    model = tiny_model("smollm3")
    model.to(torch.bfloat16)
    engine = AttentionEngine(model, tiny_tokenizer())
    (record,) = engine.encode([words(5, 6, 7)])
    values = torch.from_numpy(record["layers.2.value"])
    assert values.dtype == torch.float32
    assert torch.equal(values.to(torch.bfloat16).float(), values)


def test_what_cannot_be_a_memory_is_an_error() -> None:
    engine = AttentionEngine(tiny_model("llama"), tiny_tokenizer())
    with pytest.raises(EngineError, match="empty"):
        engine.encode([""])
    with pytest.raises(EngineError, match="300 tokens does not fit into the model's context of 256"):
        engine.encode_tokens([5] * 300)
    engine.model.train()
    with pytest.raises(EngineError, match=r"model\.eval"):
        engine.encode([words(5)])


def test_a_record_of_another_model_is_an_error() -> None:
    (record,) = shared_engine("gpt_neox").encode([words(5, 6)])
    with pytest.raises(EngineError, match="another model"), shared_engine("llama").attend([record]):
        pass
    with pytest.raises(EngineError, match="another model"), shared_engine("llama").attend([{"tokens": np.zeros(2)}]):
        pass


def test_a_stored_record_may_be_read_only() -> None:
    engine = shared_engine("llama")
    (record,) = engine.encode([words(5, 6)])
    for array in record.values():
        array.flags.writeable = False
    with torch.no_grad(), engine.attend([record]) as attention:
        engine.model(torch.tensor([[60, 61]]))
    assert attention.masses[0] > 0


def test_the_fingerprint_is_that_of_the_weights_and_not_of_the_object(tmp_path: Path) -> None:
    engine = AttentionEngine(tiny_model("llama"), tiny_tokenizer())
    engine.model.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert len(engine.fingerprint) == 64
    assert AttentionEngine(again, tiny_tokenizer()).fingerprint == engine.fingerprint
    eager = AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation="eager")
    assert AttentionEngine(eager, tiny_tokenizer()).fingerprint == engine.fingerprint
    before = engine.fingerprint
    engine.tokenizer(["w3", "w3 w4"], padding=True)  # leaves its padding behind in the tokenizer
    with engine.attend(engine.encode(["w3"])):
        assert engine.fingerprint == before
        engine.model(torch.tensor([[5]]))


def test_whatever_changes_the_keys_changes_the_fingerprint() -> None:
    engine = AttentionEngine(tiny_model("qwen3"), tiny_tokenizer())
    names = {engine.fingerprint}
    weight = engine.model.get_parameter("model.layers.3.mlp.down_proj.weight")
    with torch.no_grad():
        weight[7, 5] += 1e-3
    names.add(engine.fingerprint)
    weight.data.mul_(1.001)  # torch does not count this one
    names.add(engine.fingerprint)
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["new"])
    names.add(AttentionEngine(engine.model, tokenizer).fingerprint)
    names.add(AttentionEngine(tiny_model("qwen3", rms_norm_eps=1e-3), tiny_tokenizer()).fingerprint)
    theta = {"rope_type": "default", "rope_theta": 5000.0}
    names.add(AttentionEngine(tiny_model("qwen3", rope_parameters=theta), tiny_tokenizer()).fingerprint)
    names.add(AttentionEngine(tiny_model("qwen3", seed=1), tiny_tokenizer()).fingerprint)
    half = tiny_model("qwen3")
    half.to(torch.bfloat16)
    names.add(AttentionEngine(half, tiny_tokenizer()).fingerprint)
    assert len(names) == 8


def test_a_model_that_is_gone_is_not_kept_alive() -> None:
    import gc
    import weakref

    engine = AttentionEngine(tiny_model("llama"), tiny_tokenizer())
    _ = engine.fingerprint
    model = weakref.ref(engine.model)
    with torch.no_grad(), engine.attend(engine.encode(["w5"])):
        engine.model(torch.tensor([[5]]))
    del engine
    gc.collect()
    assert model() is None


def test_importing_the_package_does_not_load_torch() -> None:
    code = (
        "import sys, tercet.engines.attention, tercet.engines.local_model, tercet.engines.chat; "
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    found = subprocess.run([sys.executable, "-c", code], cwd=root / ".dev", capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
