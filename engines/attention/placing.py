"""Records side by side: what each layer reads, whatever each record kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ...store.errors import EngineError
from ...store.form import Record
from .capture import Layer
from .lane import Arrival, Lane, carried
from .quantise import restored
from .rotary import Angles

__all__ = ["Slots", "place"]

_AT_ONCE = 1 << 19  # numbers that are restored and rotated together: what fits into a processor's cache
_Row = tuple[int, int]  # a layer's number, and one of its KV heads
_Angles = dict[tuple[object, ...], Angles]


@dataclass(frozen=True, slots=True)
class Slots:
    """The memories of one layer.

    Attributes:
        heads: the KV heads that read any; None for all of them.
        keys: rotated to their places, float32, shape (those KV heads, slots, width).
        values: float32, shape (those KV heads, slots, value width).
        owners: which memory each slot belongs to, shape (slots,); on the CPU.
        places: position of each slot, below zero, shape (slots,), or (those KV heads, slots) where heads differ.
        offsets: added to each slot's logits, -inf where a head keeps nothing, shape (those KV heads, slots); None
            for zeros.
        arrival: when they are there.
    """

    heads: tuple[int, ...] | None
    keys: Tensor
    values: Tensor
    owners: Tensor
    places: Tensor
    offsets: Tensor | None
    arrival: Arrival


def place(
    model: PreTrainedModel, layers: Sequence[Layer], modules: Sequence[nn.Module], records: Sequence[Record]
) -> dict[int, Slots]:
    """Returns what each layer reads of ``records``, on its device: all end at -1, beside each other.

    Layers of one kind are done together, some at a time: a model has many, each of a few small arrays.

    Args:
        model: the model that reads.
        layers: all of its layers.
        modules: their attention modules.
        records: at least one.

    Returns:
        layer number -> what it reads; layers that remember nothing, or of which no record keeps anything, are left out.

    Raises:
        EngineError: a record was made by another model.
    """
    present = [_present(record, layers) for record in records]
    devices = {number: _device(modules[number]) for number, layer in enumerate(layers) if layer.remembers}
    lanes: dict[torch.device, Lane] = {}
    angles: _Angles = {}
    read: dict[int, Slots] = {}
    for some in sorted(_alike(layers, modules, devices, records, present)):
        rows = sorted({row for number in some for one in present for row in one[number]})
        if rows:
            device = devices[some[0]]
            lane = lanes.get(device) or lanes.setdefault(device, Lane(device))
            with lane.laying() as arrival:
                laid = _laid(model, layers, modules[some[0]], device, rows, records, present, angles)
            read |= _by_layer(layers, rows, laid, arrival)
    return dict(sorted(read.items()))


def _device(module: nn.Module) -> torch.device:
    return next(
        weight.device for part in module.modules() for weight in part._parameters.values() if weight is not None
    )


def _present(record: Record, layers: Sequence[Layer]) -> list[list[_Row]]:
    """Returns, per layer, the KV heads that keep anything of a record."""
    kept = record.get("heads")
    if kept is None:
        return [[(number, head) for head in range(layer.shape[0])] for number, layer in enumerate(layers)]
    if kept.shape[0] != len(layers) or any(
        kept.shape[1] > layer.shape[0] and kept[number, layer.shape[0] :].any() for number, layer in enumerate(layers)
    ):
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
    layers: Sequence[Layer],
    modules: Sequence[nn.Module],
    devices: Mapping[int, torch.device],
    records: Sequence[Record],
    present: Sequence[Sequence[list[_Row]]],
) -> Iterator[list[int]]:
    """Yields numbers of layers whose keys are of one shape in each record, rotated in one way and on one device."""
    kinds: dict[tuple[object, ...], list[int]] = {}
    for number, device in devices.items():
        layer = layers[number]
        kind = (layer.shape, layer.rotation, type(modules[number]), device, *(_kept(one, number) for one in records))
        kinds.setdefault(kind, []).append(number)
    tokens = sum(record["tokens"].shape[0] for record in records)
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


@dataclass(frozen=True, slots=True)
class _Laid:
    """Records side by side in some layers: a row for each of their KV heads that keeps any of one of them."""

    keys: Tensor
    values: Tensor
    owners: Tensor
    places: Tensor
    offsets: Tensor | None


def _laid(
    model: PreTrainedModel,
    layers: Sequence[Layer],
    module: nn.Module,
    device: torch.device,
    rows: Sequence[_Row],
    records: Sequence[Record],
    present: Sequence[Sequence[list[_Row]]],
    angles: _Angles,
) -> _Laid:
    """Lays records out in one piece, which each of them is restored into, and rotates all of their keys at once."""
    numbers = sorted({number for number, _ in rows})
    layer = layers[numbers[0]]
    parts = [_part(layers, record, some, numbers) for record, some in zip(records, present, strict=True)]
    total = sum(part.length for part in parts)
    everywhere = all(part.rows == tuple(rows) for part in parts)
    make = torch.empty if everywhere else torch.zeros
    keys = make(len(rows), total, layer.shape[1], device=device)
    values = make(len(rows), total, layer.shape[2], device=device)
    places = np.full((len(rows) if any(part.places is not None for part in parts) else 1, total), -1)
    offsets = None
    if not everywhere or any(part.counts is not None for part in parts):
        offsets = np.full((len(rows), total), -np.inf, np.float32)
    start = 0
    for part in parts:
        stop = start + part.length
        here = [rows.index(row) for row in part.rows]
        whole = len(here) == len(rows)
        at = slice(None) if whole else torch.tensor(here, device=device)
        for slab, names in ((keys, part.keys), (values, part.values)):
            if whole:
                restored(part.record, names, device=device, out=slab[:, start:stop])
            elif here:
                slab[at, start:stop] = restored(part.record, names, device=device)
        if here:
            places[here if len(places) > 1 else 0, start:stop] = (
                np.arange(-part.length, 0) if part.places is None else part.places
            )
        if offsets is not None and here:
            with np.errstate(divide="ignore"):  # what stands for none is hidden
                offsets[here, start:stop] = 0 if part.counts is None else np.log(part.counts, dtype=np.float32)
        start = stop
    placed = carried(places if len(places) > 1 else places[0], device)
    in_order = all(part.places is None for part in parts)
    lengths = tuple(part.length for part in parts) if in_order else None
    return _Laid(
        _turned(keys, placed, model, layer, module, lengths, angles),
        values,
        torch.from_numpy(np.repeat(np.arange(len(parts)), [part.length for part in parts])),
        placed,
        None if offsets is None else carried(offsets, device),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """What one record keeps of some layers.

    Attributes:
        record: it.
        rows: of these KV heads.
        length: so many tokens of each; 0 if of none.
        keys: where they stand in it.
        values: likewise.
        places: of the tokens, counted from the end, shape (rows, length); None for all of them in order.
        counts: how many tokens each stands for, likewise; None for one.
    """

    record: Record
    rows: tuple[_Row, ...]
    length: int
    keys: Sequence[str]
    values: Sequence[str]
    places: npt.NDArray[np.int64] | None
    counts: npt.NDArray[np.int32] | None


def _part(layers: Sequence[Layer], record: Record, present: Sequence[list[_Row]], numbers: Sequence[int]) -> _Part:
    kept = {number: len(present[number]) for number in numbers if present[number]}
    rows = tuple(row for number in kept for row in present[number])
    if not kept:
        return _Part(record, rows, 0, (), (), None, None)
    tokens, (_, key, value) = record["tokens"].shape[0], layers[numbers[0]].shape
    keys, values = (
        [_checked(record, number, part, count, tokens, width) for number, count in kept.items()]
        for part, width in (("key", key), ("value", value))
    )
    placed = [record[name] for number in kept if (name := f"layers.{number}.places") in record]
    counted = [record[name] for number in kept if (name := f"layers.{number}.counts") in record]
    return _Part(
        record,
        rows,
        record[keys[0]].shape[1],
        keys,
        values,
        np.concatenate(placed).astype(np.int64) - tokens if placed else None,
        np.concatenate(counted) if counted else None,
    )


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


def _turned(
    keys: Tensor,
    places: Tensor,
    model: PreTrainedModel,
    layer: Layer,
    module: nn.Module,
    lengths: tuple[int, ...] | None,
    known: _Angles,
) -> Tensor:
    """Returns keys rotated to their places, which are the same for all rows, or not.

    Without ``lengths`` the places are not those of all tokens in order, and their angles are nobody else's.
    """
    rotation = layer.rotation
    if rotation is None:
        return keys
    if places.dim() > 1:
        flat = rotation.turn(model, module, keys.reshape(1, -1, keys.shape[2]), places.reshape(-1))
        return flat.reshape(keys.shape)
    if lengths is None:
        return rotation.turn(model, module, keys, places)
    # All of each record's tokens, from minus their number on: so the numbers name the places.
    name = (rotation.path, rotation.layer_type, keys.device, lengths)
    angles = known.get(name)
    if angles is None:
        angles = known[name] = rotation.angles(model, keys, places)
    return rotation.turn(model, module, keys, places, angles=angles)


def _by_layer(layers: Sequence[Layer], rows: Sequence[_Row], laid: _Laid, arrival: Arrival) -> dict[int, Slots]:
    """Returns what each layer has of what was laid out."""
    read, start = {}, 0
    for number in dict.fromkeys(number for number, _ in rows):
        heads = tuple(head for other, head in rows if other == number)
        here = slice(start, start + len(heads))
        start += len(heads)
        read[number] = Slots(
            None if len(heads) == layers[number].shape[0] else heads,
            laid.keys[here],
            laid.values[here],
            laid.owners,
            laid.places[here] if laid.places.dim() > 1 else laid.places,
            None if laid.offsets is None else laid.offsets[here],
            arrival,
        )
    return read
