"""Writing a memory: one forward pass, watched from inside the attention function.

Keys and values are taken where attention reads them, never from a cache (caches of sliding layers drop tokens,
others hold latents), and keys are kept as they were *before* rotary encoding: so a memory can be placed anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ...store.form import Record
from .function import Call, Listener, Output, listening
from .rotary import Rotation

__all__ = ["Layer", "Seen", "trace", "whole", "write"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One attention layer, as the position probe found it.

    Attributes:
        path: name of the attention module in the model.
        rotation: how its keys are rotated, or None where keys carry no position.
        window: its sliding window in tokens, or None.
        remembers: whether it reads memories.
        shape: KV heads, key width, value width.
    """

    path: str
    rotation: Rotation | None
    window: int | None
    remembers: bool
    shape: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Seen:
    """What one layer was given in one forward pass.

    Attributes:
        module: the attention layer.
        query: after rotary encoding, shape (heads, tokens, width).
        key: after rotary encoding, shape (KV heads, tokens, width).
        value: shape (KV heads, tokens, value width).
        window: the sliding window it was told, or None.
        scaling: what products of queries and keys are multiplied by.
    """

    module: nn.Module
    query: Tensor
    key: Tensor
    value: Tensor
    window: int | None
    scaling: float


def trace(model: PreTrainedModel, tokens: Sequence[int], *, start: int = 0) -> list[Seen]:
    """Runs ``tokens`` at positions from ``start`` on and returns what attention saw, in the order of the calls."""
    seen: list[Seen] = []

    def watch(call: Call) -> Output:
        window, scaling = call.number("sliding_window"), call.number("scaling")
        seen.append(
            Seen(
                call.module,
                call.query[0].clone(),
                call.key[0].clone(),
                call.value[0].clone(),
                None if window is None else int(window),
                call.query.shape[-1] ** -0.5 if scaling is None else scaling,
            )
        )
        return call.plain()

    listeners: dict[nn.Module, Listener | None] = dict.fromkeys(model.modules(), watch)
    with torch.no_grad(), listening(model, listeners):
        # The mask says that all tokens are real: without it, unusual positions are taken for packed sequences.
        ids = torch.tensor([tokens], device=model.device)
        model(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            position_ids=torch.arange(start, start + len(tokens), device=model.device)[None],
            use_cache=False,
        )
    return seen


def write(model: PreTrainedModel, layers: Sequence[Layer], tokens: Sequence[int], *, drop: int = 0) -> Record:
    """Returns all keys and values of ``tokens``, encoded alone, in full precision.

    Args:
        model: the model that will read them.
        layers: its layers, from the probe.
        tokens: what the model is given.
        drop: how many tokens at the front are left out of the record (they are attended to all the same).

    Returns:
        ``tokens``, int64, shape (tokens,); and for each layer ``layers.N.key``, before rotary encoding, shape
        (KV heads, tokens, width), and ``layers.N.value``, shape (KV heads, tokens, value width), both float32,
        which holds bfloat16 and float16 without loss.
    """
    return whole(model, layers, trace(model, tokens), tokens, drop=drop)


def whole(
    model: PreTrainedModel, layers: Sequence[Layer], seen: Sequence[Seen], tokens: Sequence[int], *, drop: int
) -> Record:
    """Returns what `write` does, of a pass that was watched already."""
    record: dict[str, npt.NDArray[np.generic]] = {"tokens": np.asarray(tokens[drop:], np.int64)}
    places = torch.arange(len(tokens))
    for number, (layer, one) in enumerate(zip(layers, seen, strict=True)):
        key = one.key.float()
        if layer.rotation is not None:
            key = layer.rotation.turn(model, one.module, key, places, back=True)
        record[f"layers.{number}.key"] = key[:, drop:].cpu().numpy()
        record[f"layers.{number}.value"] = one.value[:, drop:].float().cpu().numpy()
    return record
