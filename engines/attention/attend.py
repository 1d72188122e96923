"""Reading memories: the block inside which a model attends to them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from operator import attrgetter
from typing import Literal

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ...store.errors import InvalidInput
from ...store.form import Record
from .ablation import effects
from .capture import Layer
from .function import Listener, listening
from .merge import Reader
from .placing import place
from .report import Attention

__all__ = ["Bias", "attending"]

Bias = Literal["log_n"] | float | Sequence[float]


@contextmanager
def attending(
    model: PreTrainedModel, layers: Sequence[Layer], records: Sequence[Record], *, bias: Bias, watch: bool = True
) -> Iterator[Attention]:
    """Opens a block inside which ``model`` attends to ``records``, in this context only.

    See `AttentionEngine.attend`; here the layers are given.
    """
    weight = _weight(bias, len(records))
    modules = [attrgetter(layer.path)(model) for layer in layers]
    read = place(model, layers, modules, records) if records else {}
    rows = tuple(read) if records else tuple(number for number, layer in enumerate(layers) if layer.remembers)
    readers = [(layers[number].shape[0], slots.heads) for number, slots in read.items()]
    attention = Attention(len(records), rows, watched=watch, readers=readers)
    listeners: dict[nn.Module, Listener | None] = dict.fromkeys(modules, None)
    if not records:
        with listening(model, listeners):
            yield attention
        return
    placed: dict[nn.Module, Reader] = {}
    for row, (number, slots) in enumerate(read.items()):
        placed[modules[number]] = Reader(
            slots.keys[None],
            slots.values[None],
            slots.owners,
            slots.places,
            weight,
            layers[number].window,
            row,
            attention,
            slots.offsets,
            slots.heads,
            slots.arrival,
        )
    attention.ablation = partial(effects, model, placed, len(records))
    try:
        with listening(model, listeners | placed):
            yield attention
    finally:
        attention.ablation = None  # it holds the memories
    if not attention.reached:
        warnings.warn(
            "the memories were not read: no forward pass of this model ran in this block. Was another model object "
            "used, or a thread that does not run inside contextvars.copy_context()?",
            RuntimeWarning,
            stacklevel=5,
        )


def _weight(bias: Bias, count: int) -> float | Tensor:
    """Returns what is added to the logits of so many memories: of all, or of each, shape (memories, 1, 1).

    Raises:
        InvalidInput: it is neither ``"log_n"`` nor a number below infinity, nor one such number for each memory.
    """
    if bias == "log_n":
        return -math.log(max(1, count))
    given: object = bias  # a caller without types may have said anything
    each = tuple(given) if isinstance(given, (list, tuple)) else (given,)
    if any(isinstance(one, bool) or not isinstance(one, (int, float)) or not one < math.inf for one in each):
        raise InvalidInput(f"bias is {bias!r}; it is 'log_n', or a number that is added to the logits of memories")
    if isinstance(bias, (int, float)):
        return float(bias)
    if len(each) != count:
        raise InvalidInput(f"bias has {len(each)} numbers for {count} memories; give one for each")
    return torch.tensor(tuple(map(float, each)))[:, None, None]
