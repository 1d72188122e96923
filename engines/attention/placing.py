"""Records side by side: what one layer reads, whatever each record kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ...store.errors import EngineError
from ...store.form import Record
from .capture import Layer
from .quantise import restored

__all__ = ["Slots", "place"]


@dataclass(frozen=True, slots=True)
class Slots:
    """The memories of one layer.

    Attributes:
        keys: rotated to their places, float32, shape (KV heads, slots, width).
        values: float32, shape (KV heads, slots, value width).
        owners: which memory each slot belongs to, shape (slots,).
        places: position of each slot, below zero, shape (slots,), or (KV heads, slots) where heads differ.
        offsets: added to each slot's logits, -inf where a head keeps nothing, shape (KV heads, slots); None for
            zeros.
    """

    keys: Tensor
    values: Tensor
    owners: Tensor
    places: Tensor
    offsets: Tensor | None


def place(model: PreTrainedModel, layer: Layer, number: int, records: Sequence[Record], *, layers: int) -> Slots | None:
    """Returns what a layer reads of ``records``, on its device: all end at -1, beside each other.

    Args:
        model: the model that reads.
        layer: one of its layers.
        number: of the layer.
        records: at least one.
        layers: how many the model has.

    Returns:
        None where no record keeps anything for this layer.

    Raises:
        EngineError: a record was made by another model.
    """
    module = model.get_submodule(layer.path)
    device = next(module.parameters()).device
    parts = [_part(record, number, layer, layers, device) for record in records]
    found = [(owner, part) for owner, part in enumerate(parts) if part is not None]
    if not found:
        return None
    owners = torch.cat([torch.full((part.keys.shape[1],), owner) for owner, part in found]).to(device)
    keys = torch.cat([part.keys for _, part in found], 1)
    values = torch.cat([part.values for _, part in found], 1)
    offsets = None
    if all(part.offsets is None and part.places.dim() == 1 for _, part in found):
        places = torch.cat([part.places for _, part in found])
    else:
        heads = layer.shape[0]
        places = torch.cat([part.places.expand(heads, -1) for _, part in found], 1)
        zeros = [torch.zeros(heads, part.keys.shape[1], device=device) for _, part in found]
        offsets = torch.cat(
            [none if part.offsets is None else part.offsets for none, (_, part) in zip(zeros, found, strict=True)],
            1,
        )
    if layer.rotation is not None:
        keys = _turned(model, layer, module, keys, places)
    return Slots(keys, values, owners, places, offsets)


@dataclass(frozen=True, slots=True)
class _Part:
    """One record in one layer, with rows for all of its KV heads; the keys are not rotated yet."""

    keys: Tensor
    values: Tensor
    places: Tensor
    offsets: Tensor | None


def _part(record: Record, number: int, layer: Layer, layers: int, device: torch.device) -> _Part | None:
    length, heads, start = record["tokens"].shape[0], layer.shape[0], f"layers.{number}."
    present = record.get("heads")
    if present is not None and (present.shape[0] != layers or present[number, heads:].any()):
        raise EngineError(
            f"a record keeps heads of {present.shape[0]} layers of up to {present.shape[1]} KV heads, this model has "
            f"{layers} layers, here with {heads}: it was made by another model; encode its text again"
        )
    rows = None if present is None else torch.from_numpy(present[number, :heads].copy()).nonzero()[:, 0].to(device)
    if rows is not None and not len(rows):
        return None
    kept = record.get(f"{start}places")
    shape = (heads if rows is None else len(rows), length if kept is None else kept.shape[-1])
    keys, values = (
        _checked(record, f"{start}{part}", (*shape, layer.shape[1 if part == "key" else 2]), device)
        for part in ("key", "value")
    )
    if kept is None:
        places = torch.arange(-length, 0, device=device)
    else:
        places = torch.tensor(kept, dtype=torch.int64).to(device) - length
    counts = record.get(f"{start}counts")
    offsets = None if counts is None else torch.tensor(counts, dtype=torch.float32).to(device).log()
    if rows is None or len(rows) == heads:
        return _Part(keys, values, places, offsets)
    offsets = torch.zeros(shape, device=device) if offsets is None else offsets
    return _Part(
        keys.new_zeros(heads, *keys.shape[1:]).index_copy(0, rows, keys),
        values.new_zeros(heads, *values.shape[1:]).index_copy(0, rows, values),
        places if kept is None else places.new_full((heads, shape[1]), -1).index_copy(0, rows, places),
        offsets.new_full((heads, shape[1]), -torch.inf).index_copy(0, rows, offsets),
    )


def _checked(record: Record, name: str, wanted: tuple[int, ...], device: torch.device) -> Tensor:
    found = restored(record, name, device=device) if name in record else None
    if found is None or found.shape != wanted:
        raise EngineError(
            f"a record has {name} of shape {None if found is None else tuple(found.shape)}, this model needs "
            f"{wanted}: it was made by another model; encode its text again"
        )
    return found


def _turned(model: PreTrainedModel, layer: Layer, module: nn.Module, keys: Tensor, places: Tensor) -> Tensor:
    """Returns keys rotated to places that are the same for all heads, or not."""
    rotation = layer.rotation
    if rotation is None:
        return keys
    if places.dim() == 1:
        return rotation.turn(model, module, keys, places)
    flat = rotation.turn(model, module, keys.reshape(1, -1, keys.shape[2]), places.reshape(-1))
    return flat.reshape(keys.shape)
