"""Records side by side: what one layer reads, whatever each record kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ...store.errors import EngineError
from ...store.form import Record
from .capture import Layer
from .quantise import restored
from .rotary import Angles

__all__ = ["KnownAngles", "Slots", "place"]


KnownAngles = dict[tuple[object, ...], Angles]


@dataclass(frozen=True, slots=True)
class Slots:
    """The memories of one layer.

    Attributes:
        heads: the KV heads that read any; None for all of them.
        keys: rotated to their places, float32, shape (those KV heads, slots, width).
        values: float32, shape (those KV heads, slots, value width).
        owners: which memory each slot belongs to, shape (slots,).
        places: position of each slot, below zero, shape (slots,), or (those KV heads, slots) where heads differ.
        offsets: added to each slot's logits, -inf where a head keeps nothing, shape (those KV heads, slots); None
            for zeros.
    """

    heads: tuple[int, ...] | None
    keys: Tensor
    values: Tensor
    owners: Tensor
    places: Tensor
    offsets: Tensor | None


def place(
    model: PreTrainedModel,
    layer: Layer,
    number: int,
    records: Sequence[Record],
    *,
    layers: int,
    angles: KnownAngles,
) -> Slots | None:
    """Returns what a layer reads of ``records``, on its device: all end at -1, beside each other.

    Args:
        model: the model that reads.
        layer: one of its layers.
        number: of the layer.
        records: at least one.
        layers: how many the model has.
        angles: what other layers have found out already; added to.

    Returns:
        None where no record keeps anything for this layer.

    Raises:
        EngineError: a record was made by another model.
    """
    module = model.get_submodule(layer.path)
    device = next(module.parameters()).device
    # Each is rotated alone: it fits into the processor's cache, and all of one length have the same places.
    parts = [
        _turned(part, model, layer, module, angles)
        if (part := _part(record, number, layer, layers, device)) is not None
        else None
        for record in records
    ]
    heads = tuple(sorted({head for part in parts if part is not None for head in part.heads}))
    found = [(owner, _over(part, heads)) for owner, part in enumerate(parts) if part is not None]
    if not found:
        return None
    offsets = None
    if all(part.offsets is None and part.places.dim() == 1 for _, part in found):
        places = torch.cat([part.places for _, part in found])
    else:
        places = torch.cat([part.places.expand(len(heads), -1) for _, part in found], 1)
        zeros = [torch.zeros(len(heads), part.keys.shape[1], device=device) for _, part in found]
        offsets = torch.cat(
            [none if part.offsets is None else part.offsets for none, (_, part) in zip(zeros, found, strict=True)],
            1,
        )
    return Slots(
        None if len(heads) == layer.shape[0] else heads,
        torch.cat([part.keys for _, part in found], 1),
        torch.cat([part.values for _, part in found], 1),
        torch.cat([torch.full((part.keys.shape[1],), owner) for owner, part in found]).to(device),
        places,
        offsets,
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """One record in one layer: a row for each of the KV heads that keep any of it."""

    heads: tuple[int, ...]
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
    rows = tuple(range(heads)) if present is None else tuple(present[number, :heads].nonzero()[0].tolist())
    if not rows:
        return None
    kept = record.get(f"{start}places")
    shape = (len(rows), length if kept is None else kept.shape[-1])
    keys, values = (
        _checked(record, f"{start}{part}", (*shape, layer.shape[1 if part == "key" else 2]), device)
        for part in ("key", "value")
    )
    if kept is None:
        places = torch.arange(-length, 0, device=device)
    else:
        places = torch.tensor(kept, dtype=torch.int64).to(device) - length
    counts = record.get(f"{start}counts")
    return _Part(
        rows,
        keys,
        values,
        places,
        None if counts is None else torch.tensor(counts, dtype=torch.float32).to(device).log(),
    )


def _over(part: _Part, heads: tuple[int, ...]) -> _Part:
    """Returns a part with a row for each of ``heads``, hidden where it has none."""
    if part.heads == heads:
        return part
    rows = torch.tensor([heads.index(head) for head in part.heads], device=part.keys.device)
    shape = (len(part.heads), part.keys.shape[1])
    offsets = part.keys.new_zeros(shape) if part.offsets is None else part.offsets
    places = part.places
    if places.dim() > 1:
        places = places.new_full((len(heads), shape[1]), -1).index_copy(0, rows, places)
    return _Part(
        heads,
        part.keys.new_zeros(len(heads), *part.keys.shape[1:]).index_copy(0, rows, part.keys),
        part.values.new_zeros(len(heads), *part.values.shape[1:]).index_copy(0, rows, part.values),
        places,
        offsets.new_full((len(heads), shape[1]), -torch.inf).index_copy(0, rows, offsets),
    )


def _checked(record: Record, name: str, wanted: tuple[int, ...], device: torch.device) -> Tensor:
    found = restored(record, name, device=device) if name in record else None
    if found is None or found.shape != wanted:
        raise EngineError(
            f"a record has {name} of shape {None if found is None else tuple(found.shape)}, this model needs "
            f"{wanted}: it was made by another model; encode its text again"
        )
    return found


def _turned(part: _Part, model: PreTrainedModel, layer: Layer, module: nn.Module, known: KnownAngles) -> _Part:
    """Returns a part with its keys rotated to their places, which are the same for all heads, or not."""
    rotation, keys, places = layer.rotation, part.keys, part.places
    if rotation is None:
        return part
    if places.dim() > 1:
        flat = rotation.turn(model, module, keys.reshape(1, -1, keys.shape[2]), places.reshape(-1))
        return replace(part, keys=flat.reshape(keys.shape))
    # All of a record's tokens, from minus their number on: so the number names the places.
    name = (rotation.path, rotation.layer_type, keys.device, len(places))
    angles = known.get(name)
    if angles is None:
        angles = known[name] = rotation.angles(model, keys, places)
    return replace(part, keys=rotation.turn(model, module, keys, places, angles=angles))
