"""Records side by side: what each layer reads, whatever each record kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ...store.errors import EngineError
from ...store.form import Record
from .capture import Layer
from .quantise import restored
from .rotary import Angles

__all__ = ["Slots", "place"]

_AT_ONCE = 1 << 19  # numbers of a record that are restored and rotated together: what fits into a processor's cache
_Row = tuple[int, int]  # a layer's number, and one of its KV heads
_Angles = dict[tuple[object, ...], Angles]


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


def place(model: PreTrainedModel, layers: Sequence[Layer], records: Sequence[Record]) -> dict[int, Slots]:
    """Returns what each layer reads of ``records``, on its device: all end at -1, beside each other.

    Layers of one kind are done together, some at a time: a model has many, each of a few small arrays.

    Args:
        model: the model that reads.
        layers: all of its layers.
        records: at least one.

    Returns:
        layer number -> what it reads; layers that remember nothing, or of which no record keeps anything, are left out.

    Raises:
        EngineError: a record was made by another model.
    """
    present = [_present(record, layers) for record in records]
    angles: _Angles = {}
    read: dict[int, Slots] = {}
    for numbers in _alike(model, layers, records, present):
        parts = [
            _part(model, layers[numbers[0]], record, [row for number in numbers for row in rows[number]], angles)
            for record, rows in zip(records, present, strict=True)
        ]
        read |= _beside(layers, [(owner, part) for owner, part in enumerate(parts) if part is not None])
    return dict(sorted(read.items()))


@dataclass(frozen=True, slots=True)
class _Part:
    """One record in some layers: a row for each of their KV heads that keeps any of it."""

    rows: tuple[_Row, ...]
    keys: Tensor
    values: Tensor
    places: Tensor
    offsets: Tensor | None


def _present(record: Record, layers: Sequence[Layer]) -> list[list[_Row]]:
    """Returns, per layer, the KV heads that keep anything of a record."""
    kept = record.get("heads")
    if kept is None:
        return [[(number, head) for head in range(layer.shape[0])] for number, layer in enumerate(layers)]
    if kept.shape[0] != len(layers) or any(kept[number, layer.shape[0] :].any() for number, layer in enumerate(layers)):
        raise EngineError(
            f"a record keeps heads of {kept.shape[0]} layers of up to {kept.shape[1]} KV heads, this model has "
            f"{len(layers)} layers of {', '.join(map(str, sorted({layer.shape[0] for layer in layers})))}: it was made "
            "by another model; encode its text again"
        )
    found: list[list[_Row]] = [[] for _ in layers]
    for number, head in np.argwhere(kept).tolist():
        found[number].append((number, head))
    return found


def _alike(
    model: PreTrainedModel, layers: Sequence[Layer], records: Sequence[Record], present: Sequence[Sequence[list[_Row]]]
) -> Iterator[list[int]]:
    """Yields numbers of layers whose keys are of one shape in each record, rotated in one way and on one device."""
    kinds: dict[tuple[object, ...], list[int]] = {}
    for number, layer in enumerate(layers):
        if layer.remembers:
            module = model.get_submodule(layer.path)
            device = next(module.parameters()).device
            kind = (layer.shape, layer.rotation, type(module), device, *(_kept(record, number) for record in records))
            kinds.setdefault(kind, []).append(number)
    tokens = max(record["tokens"].shape[0] for record in records)
    for numbers in kinds.values():
        some: list[int] = []
        size = 0
        for number in numbers:
            here = max(len(rows[number]) for rows in present) * tokens * max(layers[number].shape[1:])
            if some and size + here > _AT_ONCE:
                yield some
                some, size = [], 0
            some.append(number)
            size += here
        yield some


def _kept(record: Record, number: int) -> tuple[int, bool] | None:
    """Returns how many tokens a record keeps for a layer, and whether one may stand for several."""
    key = record.get(f"layers.{number}.key")
    return None if key is None else (key.shape[-2], f"layers.{number}.counts" in record)


def _part(
    model: PreTrainedModel,
    layer: Layer,
    record: Record,
    rows: Sequence[_Row],
    angles: _Angles,
) -> _Part | None:
    """Returns a record's rows, all of layers of the same kind as ``layer``."""
    if not rows:
        return None
    length = record["tokens"].shape[0]
    module = model.get_submodule(layer.path)
    device = next(module.parameters()).device
    counted = {number: sum(row[0] == number for row in rows) for number in dict.fromkeys(number for number, _ in rows)}
    keys, values = (
        restored(
            record,
            [_checked(record, number, part, count, length, width) for number, count in counted.items()],
            device=device,
        )
        for part, width in (("key", layer.shape[1]), ("value", layer.shape[2]))
    )
    kept = [record.get(f"layers.{number}.places") for number in counted]
    if any(one is not None for one in kept):
        places = torch.from_numpy(np.concatenate([one for one in kept if one is not None]).astype(np.int64) - length)
    else:
        places = torch.arange(-length, 0)
    counts = [record[f"layers.{number}.counts"] for number in counted if f"layers.{number}.counts" in record]
    offsets = torch.from_numpy(np.concatenate(counts)).to(device).float().log() if counts else None
    part = _Part(tuple(rows), keys, values, places.to(device), offsets)
    return _turned(part, model, layer, module, angles)


def _checked(record: Record, number: int, part: str, rows: int, length: int, width: int) -> str:
    """Returns where in a record a layer's keys or values stand, if they are of the shape that this model needs."""
    name = f"layers.{number}.{part}"
    kept, found = record.get(f"layers.{number}.places"), record.get(name)
    wanted = (rows, length if kept is None else kept.shape[-1], width)
    if found is not None and found.dtype == np.uint8:  # two to a byte
        shape: tuple[int, ...] | None = (*found.shape[:-1], 2 * found.shape[-1])
    else:
        shape = None if found is None else found.shape
    if shape != wanted:
        raise EngineError(
            f"a record has {name} of shape {shape}, this model needs {wanted}: it was made by another model; "
            "encode its text again"
        )
    return name


def _turned(part: _Part, model: PreTrainedModel, layer: Layer, module: nn.Module, known: _Angles) -> _Part:
    """Returns a part with its keys rotated to their places, which are the same for all rows, or not."""
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


def _beside(layers: Sequence[Layer], found: Sequence[tuple[int, _Part]]) -> dict[int, Slots]:
    """Returns, per layer, the parts of all records side by side."""
    if not found:
        return {}
    rows = tuple(sorted({row for _, part in found for row in part.rows}))
    parts = [_over(part, rows) for _, part in found]
    sizes = [part.keys.shape[1] for part in parts]
    device = parts[0].keys.device
    keys, values = torch.cat([part.keys for part in parts], 1), torch.cat([part.values for part in parts], 1)
    owners = torch.repeat_interleave(torch.tensor([owner for owner, _ in found]), torch.tensor(sizes)).to(device)
    alike = all(part.offsets is None and part.places.dim() == 1 for part in parts)
    if alike:
        places, offsets = torch.cat([part.places for part in parts]), None
    else:
        places = torch.cat([part.places.expand(len(rows), -1) for part in parts], 1)
        zeros = (torch.zeros(len(rows), size, device=device) for size in sizes)
        offsets = torch.cat(
            [none if part.offsets is None else part.offsets for none, part in zip(zeros, parts, strict=True)], 1
        )
    read, start = {}, 0
    for number in dict.fromkeys(number for number, _ in rows):
        heads = tuple(head for other, head in rows if other == number)
        here = slice(start, start + len(heads))
        start += len(heads)
        read[number] = Slots(
            None if len(heads) == layers[number].shape[0] else heads,
            keys[here],
            values[here],
            owners,
            places if alike else places[here],
            None if offsets is None else offsets[here],
        )
    return read


def _over(part: _Part, rows: tuple[_Row, ...]) -> _Part:
    """Returns a part with all of ``rows``, hidden where it has none."""
    if part.rows == rows:
        return part
    here = torch.tensor([rows.index(row) for row in part.rows], device=part.keys.device)
    shape = (len(part.rows), part.keys.shape[1])
    offsets = part.keys.new_zeros(shape) if part.offsets is None else part.offsets
    places = part.places
    if places.dim() > 1:
        places = places.new_full((len(rows), shape[1]), -1).index_copy(0, here, places)
    return _Part(
        rows,
        part.keys.new_zeros(len(rows), *part.keys.shape[1:]).index_copy(0, here, part.keys),
        part.values.new_zeros(len(rows), *part.values.shape[1:]).index_copy(0, here, part.values),
        places,
        offsets.new_full((len(rows), shape[1]), -torch.inf).index_copy(0, here, offsets),
    )
