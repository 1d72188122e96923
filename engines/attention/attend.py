"""Reading memories: the block inside which a model attends to them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ...store.errors import EngineError
from ...store.form import Record
from .capture import Layer
from .function import Listener, listening
from .merge import Reader
from .report import Attention

__all__ = ["Bias", "attending"]

Bias = Literal["log_n"] | float


@contextmanager
def attending(
    model: PreTrainedModel, layers: Sequence[Layer], records: Sequence[Record], *, bias: Bias, watch: bool = True
) -> Iterator[Attention]:
    """Opens a block inside which ``model`` attends to ``records``, in this context only.

    See `AttentionEngine.attend`; here the layers are given.
    """
    rows = [number for number, layer in enumerate(layers) if layer.remembers]
    attention = Attention(len(records), tuple(rows), watched=watch)
    listeners: dict[nn.Module, Listener | None] = dict.fromkeys(
        (model.get_submodule(layer.path) for layer in layers), None
    )
    if not records:
        with listening(model, listeners):
            yield attention
        return
    places, owners = _places(records)
    weight = -math.log(len(records)) if bias == "log_n" else float(bias)
    for row, number in enumerate(rows):
        layer = layers[number]
        module = model.get_submodule(layer.path)
        keys, values = (_stack(records, part, number, layer) for part in ("key", "value"))
        device = next(module.parameters()).device
        keys, values = keys.to(device), values.to(device)
        if layer.rotation is not None:
            keys = layer.rotation.turn(model, module, keys, places)
        listeners[module] = Reader(
            keys[None],
            values[None],
            owners,
            places,
            weight,
            layer.window,
            row,
            attention,
        )
    with listening(model, listeners):
        yield attention
    if not attention.reached:
        warnings.warn(
            "the memories were not read: no forward pass of this model ran in this block. Was another model object "
            "used, or a thread that does not run inside contextvars.copy_context()?",
            RuntimeWarning,
            stacklevel=5,
        )


def _places(records: Sequence[Record]) -> tuple[Tensor, Tensor]:
    """Returns position and owner of every token: all memories end at -1, beside each other."""
    lengths = [record["tokens"].shape[0] for record in records]
    places = torch.cat([torch.arange(-length, 0) for length in lengths])
    return places, torch.repeat_interleave(torch.arange(len(records)), torch.tensor(lengths))


def _stack(records: Sequence[Record], part: Literal["key", "value"], number: int, layer: Layer) -> Tensor:
    """Returns the keys or values of all records for one layer, shape (KV heads, all tokens, width)."""
    heads, width = layer.shape[0], layer.shape[1 if part == "key" else 2]
    tensors = []
    for record in records:
        array = record.get(f"layers.{number}.{part}")
        wanted = (heads, record["tokens"].shape[0], width)
        if array is None or array.shape != wanted:
            raise EngineError(
                f"a record has {part}s of shape {None if array is None else array.shape} for layer {number}, "
                f"this model needs {wanted}: it was made by another model; encode its text again"
            )
        tensors.append(torch.tensor(array))  # a copy: a stored array may be read-only
    return torch.cat(tensors, 1).float()
