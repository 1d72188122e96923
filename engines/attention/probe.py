"""Finding out, without knowing its class, what a model's attention does with positions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from transformers import PreTrainedModel

from ...store.errors import UnsupportedModel
from .capture import Layer, Seen, trace
from .rotary import find_rotation, relative_difference

__all__ = ["check_kind", "describe", "probe"]

_START = 19  # how far the second pass is shifted
_CHANGING_ROPE = ("dynamic", "longrope")


def check_kind(model: PreTrainedModel) -> None:
    """Refuses what its own config already says cannot work.

    Raises:
        UnsupportedModel: the model is not a decoder whose state is all in keys and values.
    """
    config = model.config.get_text_config()
    if getattr(model.config, "is_encoder_decoder", False) or not model.can_generate():
        raise UnsupportedModel("it is not a decoder-only model that generates text")
    if model.training:
        raise UnsupportedModel("it is in training mode, where dropout changes what is read: call model.eval()")
    if any(parameter.is_meta for parameter in model.parameters()):
        raise UnsupportedModel("some of its weights are not loaded (they are on the meta device)")
    if getattr(model, "_is_stateful", False):
        raise UnsupportedModel("it is a hybrid: its recurrent state holds what keys and values do not")
    if getattr(config, "index_topk", None) or getattr(config, "index_topk_blocks", None):
        # With fewer tokens than it selects it would pass every examination.
        raise UnsupportedModel("it selects the keys that it attends to by an index of its own, which has no memories")
    kinds = set(getattr(config, "layer_types", None) or ()) - {"full_attention", "sliding_attention"}
    if kinds:
        raise UnsupportedModel(
            f"it has layers of the kind {', '.join(sorted(kinds))}, which cannot hold a memory exactly"
        )
    for kind in _rope_types(getattr(config, "rope_parameters", None)):
        if kind in _CHANGING_ROPE:
            raise UnsupportedModel(
                f"its rotary encoding ({kind}) changes its frequencies with the length of the context, "
                "so that a memory and its reader could disagree on distances"
            )


def probe(model: PreTrainedModel, tokens: Sequence[int]) -> tuple[Layer, ...]:
    """Returns what each layer does with positions, by encoding ``tokens`` at two places.

    Raises:
        UnsupportedModel: a layer is missing, called twice, or places its keys in a way that cannot be undone.
    """
    near, far = trace(model, tokens), trace(model, tokens, start=_START)
    _check_calls(model, near)
    paths = {module: path for path, module in model.named_modules()}
    layers = [_layer(model, paths[a.module], a, b, number) for number, (a, b) in enumerate(zip(near, far, strict=True))]
    if all(layer.window is not None for layer in layers):
        return tuple(layers)
    return tuple(replace(layer, remembers=layer.window is None) for layer in layers)


def describe(layers: Sequence[Layer]) -> tuple[str, ...]:
    """Returns one phrase per layer, as in `GateReport.layers`."""
    return tuple(
        ("nope" if layer.rotation is None else "rope")
        if layer.window is None
        else f"sliding: {'windowed' if layer.remembers else 'exempt'}"
        for layer in layers
    )


def _check_calls(model: PreTrainedModel, seen: Sequence[Seen]) -> None:
    wanted, modules = model.config.get_text_config().num_hidden_layers, {id(s.module) for s in seen}
    if not seen:
        raise UnsupportedModel("its attention interface is never called: a memory would be silently ignored")
    if len(modules) < wanted:
        raise UnsupportedModel(
            f"only {len(modules)} of its {wanted} layers have attention: the others cannot hold a memory"
        )
    if len(seen) != len(modules) or len(modules) > wanted:
        raise UnsupportedModel(f"attention is called {len(seen)} times in {wanted} layers, not once in each")


def _layer(model: PreTrainedModel, path: str, near: Seen, far: Seen, number: int) -> Layer:
    # In half precision the two passes differ by rounding alone, more so in later layers.
    tolerance = 1e-4 if near.key.dtype in (torch.float32, torch.float64) else 5e-2
    near_key, far_key = near.key.float(), far.key.float()
    if relative_difference(far.value.float(), near.value.float()) > tolerance:
        raise UnsupportedModel(
            f"its positions are absolute: in layer {number} even the values change when the same tokens stand elsewhere"
        )
    rotation = None
    if relative_difference(far_key, near_key) > tolerance:
        rotation = find_rotation(model, near.module, near_key, far_key, start=_START, tolerance=tolerance)
        if rotation is None:
            raise UnsupportedModel(
                f"in layer {number} keys change with their position in a way that no rotary module of it explains"
            )
    window = near.window
    if window is None and _kind(model, number) == "sliding_attention":
        window = model.config.get_text_config().sliding_window  # the mask knows of it, the layer does not
    heads, _, width = near.key.shape
    return Layer(path, rotation, window, remembers=True, shape=(heads, width, near.value.shape[-1]))


def _kind(model: PreTrainedModel, number: int) -> str:
    """Returns the kind of a layer where the config lists them, or an empty string."""
    kinds = getattr(model.config.get_text_config(), "layer_types", None) or ()
    return str(kinds[number]) if number < len(kinds) else ""


def _rope_types(parameters: object) -> Iterator[str]:
    """Yields every rope type in a config; some models have one per kind of layer."""
    if isinstance(parameters, dict):
        kind = parameters.get("rope_type")
        if isinstance(kind, str):
            yield kind
        for inner in parameters.values():
            yield from _rope_types(inner)
