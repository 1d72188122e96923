from typing import Any

import pytest
import torch
from tiny_models import tiny_model, tiny_tokenizer  # type: ignore[import-not-found]
from torch import Tensor, nn
from transformers import AttentionInterface

from tercet.engines.attention.capture import trace
from tercet.engines.attention.examination import examine
from tercet.engines.attention.function import Call, Output
from tercet.engines.attention.merge import Reader
from tercet.engines.attention.report import Attention
from tercet.engines.attention.rotary import relative_difference

# What the file of a model has: the interface, and its own eager function.
ALL_ATTENTION_FUNCTIONS = AttentionInterface()  # type: ignore[no-untyped-call]


class Layer(nn.Module):
    pass


def eager_attention_forward(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor,
    **options: Any,  # noqa: ANN401
) -> Output:
    weights = weights_of(query, key, options["scaling"], options["softcap"], mask, options["s_aux"])
    return (weights @ value.repeat_interleave(2, 1)).transpose(1, 2), weights


def weights_of(
    query: Tensor, key: Tensor, scaling: float, cap: float | None, mask: Tensor, sinks: Tensor | None
) -> Tensor:
    """One softmax by the book, two heads to each KV head."""
    logits = query @ key.repeat_interleave(2, 1).transpose(2, 3) * scaling
    if cap is not None:
        logits = cap * torch.tanh(logits / cap)
    logits = logits + mask
    if sinks is None:
        return logits.softmax(-1)
    column = sinks[None, :, None, None].expand(*logits.shape[:3], 1)
    return torch.cat((logits, column), -1).softmax(-1)[..., :-1]


@pytest.mark.parametrize("sinks", [None, torch.tensor([1.0, -2.0, 0.5, 3.0])])
@pytest.mark.parametrize("cap", [None, 3.0])
def test_two_parts_merged_are_one_softmax(cap: float | None, sinks: Tensor | None) -> None:
    random = torch.Generator().manual_seed(0)
    query = torch.randn(2, 4, 5, 8, generator=random) * 3
    key, value = torch.randn(2, 2, 2, 7, 8, generator=random)
    memory_key, memory_value = torch.randn(2, 1, 2, 6, 8, generator=random)
    mask = torch.zeros(2, 1, 5, 7)
    mask[:, :, :2, 4:] = torch.finfo(torch.float32).min
    bias = -0.7
    attention = Attention(2, (0,))
    owners = torch.tensor([0, 0, 0, 0, 1, 1])
    reader = Reader(memory_key, memory_value, owners, torch.arange(-6, 0), bias, None, 0, attention)
    options = {"scaling": 0.4, "softcap": cap, "s_aux": sinks}
    found, own_weights = reader(Call(Layer(), "eager", query, key, value, mask, options))

    keys = torch.cat((memory_key.expand(2, -1, -1, -1), key), 2)
    values = torch.cat((memory_value.expand(2, -1, -1, -1), value), 2)
    whole_mask = torch.cat((torch.full((2, 1, 5, 6), bias), mask), -1)
    weights = weights_of(query, keys, 0.4, cap, whole_mask, sinks)
    torch.testing.assert_close(found, (weights @ values.repeat_interleave(2, 1)).transpose(1, 2), atol=2e-6, rtol=0)
    torch.testing.assert_close(own_weights, weights[..., 6:], atol=2e-6, rtol=0)
    shares = [float(weights[..., :4].sum(-1).mean()), float(weights[..., 4:6].sum(-1).mean())]
    assert attention.masses == pytest.approx(shares, abs=2e-6)


@pytest.mark.parametrize(
    "family", ["deepseek_v3", "glm4", "gemma3", "gpt_neox", "gpt_oss", "llama3_rope", "phi", "smollm3", "yarn"]
)
def test_keys_taken_off_their_places_and_put_elsewhere_are_those_encoded_there(family: str) -> None:
    model = tiny_model(family)
    layers = examine(model, tiny_tokenizer()).layers
    tokens, start = list(range(5, 25)), 31
    places = torch.arange(len(tokens))
    for layer, near, far in zip(layers, trace(model, tokens), trace(model, tokens, start=start), strict=True):
        if layer.rotation is None:
            assert relative_difference(near.key, far.key) <= 1e-5
            continue
        assert relative_difference(near.key, far.key) > 0.1
        module = model.get_submodule(layer.path)
        still = layer.rotation.turn(model, module, near.key, places, back=True)
        assert relative_difference(layer.rotation.turn(model, module, still, places + start), far.key) <= 1e-5
        there = layer.rotation.turn(model, module, still, places - 100)
        assert relative_difference(layer.rotation.turn(model, module, there, places - 100, back=True), still) <= 1e-5


def test_a_learned_position_bias_is_refused_and_not_left_out() -> None:
    from tercet.store.errors import UnsupportedModel

    ones = torch.ones(1, 2, 3, 4)
    reader = Reader(ones, ones, torch.zeros(3).long(), torch.arange(-3, 0), 0.0, None, 0, Attention(1, (0,)))
    with pytest.raises(UnsupportedModel, match="position bias"):
        reader(Call(Layer(), "eager", ones, ones, ones, None, {"position_bias": ones}))
