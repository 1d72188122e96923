import json
from functools import cache
from typing import Any

import pytest
import torch
from tiny_models import shared_engine, shared_model, tiny_model, tiny_tokenizer  # type: ignore[import-not-found]
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from tercet.engines.attention import GateReport, gate

EXACT = [
    "cohere2",
    "deepseek_v3",
    "gemma2",
    "gemma3",
    "glm4",
    "gpt_neox",
    "gpt_oss",
    "granite",
    "llama",
    "llama3_rope",
    "mistral",
    "mistral_sliding",
    "olmo2",
    "phi",
    "phi3",
    "qwen2",
    "qwen3",
    "smollm3",
    "yarn",
]
REFUSED = {
    "bloom": "attention interface is never called",
    "deepseek_v32": "index of its own",
    "falcon_h1": "recurrent state",
    "gpt2": "absolute",
    "lfm2": "layers of the kind conv",
    "longrope": "changes its frequencies",
    "mpt": "attention interface is never called",
    "opt": "absolute",
}


@cache
def report_of(family: str) -> GateReport:
    return examined(shared_engine(family).model if family in EXACT else tiny_model(family))


def examined(model: PreTrainedModel) -> GateReport:
    report = gate(model, tiny_tokenizer())
    # Shown with -s, and when a test fails: the figures are what the gate is about.
    print(f"{report.family}: {report.verdict}, {report.max_relative_logit_diff} {report.layers} {report.reason}")  # noqa: T201
    return report


def assert_exact(report: GateReport, tolerance: float = 1e-4) -> None:
    assert report.verdict == "exact", report.reason
    assert report.reason == ""
    assert report.max_relative_logit_diff is not None
    assert report.max_relative_logit_diff <= tolerance
    assert report.greedy_equal is True


@pytest.mark.parametrize("family", EXACT)
def test_a_memory_injected_is_its_words_in_the_prompt(family: str) -> None:
    assert_exact(report_of(family))


@pytest.mark.parametrize("family", ["gemma3", "llama", "mistral_sliding"])
def test_the_eager_implementation_is_exact_too(family: str) -> None:
    assert_exact(examined(tiny_model(family, base="eager")))


@pytest.mark.parametrize(("family", "reason"), REFUSED.items())
def test_a_model_that_cannot_hold_a_memory_exactly_is_refused_with_the_reason(family: str, reason: str) -> None:
    report = report_of(family)
    assert report.verdict == "refused"
    assert reason in report.reason


@pytest.mark.parametrize(
    ("family", "dtype"),
    [
        ("gemma3", torch.bfloat16),
        ("llama", torch.bfloat16),
        ("llama", torch.float16),
        ("mistral_sliding", torch.bfloat16),
        ("qwen3", torch.float16),
    ],
)
def test_half_precision_is_exact_within_its_own_rounding(family: str, dtype: torch.dtype) -> None:
    model = tiny_model(family)
    model.to(dtype)
    assert_exact(examined(model), tolerance=0.3)


@pytest.mark.data
@pytest.mark.parametrize("name", ["stories260K", "babyllama-char105"])
def test_trained_models_are_exact(name: str) -> None:
    folder = shared_model(name)
    model = AutoModelForCausalLM.from_pretrained(folder)
    report = gate(model, AutoTokenizer.from_pretrained(folder))
    print(f"{name}: {report.max_relative_logit_diff:.1e}")  # noqa: T201
    assert_exact(report)
    assert report.layers == ("rope",) * 5


def test_the_layers_say_how_they_read() -> None:
    assert report_of("smollm3").layers == ("rope", "rope", "rope", "nope")
    assert report_of("gemma3").layers == ("sliding: exempt", "rope") * 2
    assert report_of("cohere2").layers == ("sliding: exempt", "nope") * 2
    assert report_of("mistral_sliding").layers == ("sliding: windowed",) * 4


def test_memories_at_a_wrong_place_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from tercet.engines.attention import placing

    right = placing._turned

    def wrong(keys: Tensor, places: Tensor, *rest: Any) -> Tensor:  # noqa: ANN401
        return right(keys, places - 1, *rest)

    monkeypatch.setattr(placing, "_turned", wrong)
    report = examined(tiny_model("llama"))
    assert report.verdict == "refused"
    assert report.max_relative_logit_diff is not None
    assert report.max_relative_logit_diff > 0.1


def test_keys_that_no_rotary_module_explains_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from tercet.engines.attention import probe

    monkeypatch.setattr(probe, "find_rotation", lambda *_, **__: None)
    assert "no rotary module" in examined(tiny_model("llama")).reason


def test_a_memory_without_effect_is_noticed() -> None:
    model = tiny_model("llama")
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "o_proj" in name:
                weight.zero_()
    assert "no effect" in examined(model).reason


def test_a_model_in_training_mode_is_refused_until_it_is_not() -> None:
    model = tiny_model("llama")
    model.train()
    assert "model.eval()" in examined(model).reason
    model.train(False)
    assert_exact(examined(model))


def test_an_implementation_that_gives_no_access_is_refused() -> None:
    model = tiny_model("llama", base="flex_attention")
    assert "'flex_attention'" in examined(model).reason


def test_a_forward_that_fails_is_refused_with_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model("llama")

    def broken(*_: object, **__: object) -> None:
        raise TypeError("needs pixels")

    monkeypatch.setattr(model, "forward", broken)
    report = examined(model)
    assert report.verdict == "refused"
    assert "TypeError: needs pixels" in report.reason


@pytest.mark.parametrize("family", ["bloom", "gemma3", "gpt2", "llama"])
def test_the_gate_leaves_no_trace(family: str) -> None:
    model = tiny_model(family)
    ids = torch.tensor([[1, 5, 9, 4]])
    before = model(ids).logits
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    attributes = {path: set(vars(module)) for path, module in model.named_modules()}
    config, settings = dict(vars(model.config)), model.generation_config.to_dict()
    random = torch.get_rng_state()
    examined(model)
    assert torch.equal(torch.get_rng_state(), random)
    assert dict(vars(model.config)) == config
    assert model.generation_config.to_dict() == settings
    assert all(torch.equal(weights[name], tensor) for name, tensor in model.state_dict().items())
    assert all(torch.equal(buffers[name], buffer) for name, buffer in model.named_buffers())
    for path, module in model.named_modules():
        assert set(vars(module)) == attributes[path]
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
    assert torch.equal(model(ids).logits, before)


def test_the_gate_gives_the_same_answer_again() -> None:
    first, second = tiny_model("llama"), tiny_model("llama")
    torch.manual_seed(1)
    one = examined(first)
    torch.manual_seed(2)
    assert examined(second) == one
    assert examined(first) is one


def test_the_report_is_json_of_fixed_names() -> None:
    exact, refused = report_of("llama").as_dict(), report_of("gpt2").as_dict()
    names = ["family", "layers", "max_relative_logit_diff", "greedy_equal", "verdict", "reason"]
    assert list(json.loads(json.dumps(exact))) == names
    assert list(json.loads(json.dumps(refused))) == names
    assert refused["max_relative_logit_diff"] is None
