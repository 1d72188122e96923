"""Records side by side: what each layer reads, whatever each record kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import NamedTuple

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
_Present = list[list[_Row]]  # by layer
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
    present = _present(records, layers)
    lanes: dict[torch.device, Lane] = {}
    angles: _Angles = {}
    read: dict[int, Slots] = {}
    for device, some in sorted(_alike(layers, modules, records, present), key=itemgetter(1)):
        rows = tuple(sorted({row for number in some for one in present for row in one[number]}))
        lane = lanes.get(device) or lanes.setdefault(device, Lane(device))
        with lane.laying() as arrival:
            laid = _laid(model, layers, modules[some[0]], device, rows, records, present, angles)
        read |= _by_layer(layers, rows, laid, arrival)
    return dict(sorted(read.items()))


class _Names(NamedTuple):
    """Where in a record a layer stands."""

    key: str
    value: str
    places: str
    counts: str


@cache
def _names(number: int) -> _Names:
    return _Names(*(f"layers.{number}.{part}" for part in _Names._fields))


def _device(module: nn.Module) -> torch.device:
    return next(
        weight.device for part in module.modules() for weight in part._parameters.values() if weight is not None
    )


def _present(records: Sequence[Record], layers: Sequence[Layer]) -> list[_Present]:
    """Returns, for each record and per layer, the KV heads that keep anything; the same list where they are alike."""
    known: dict[tuple[tuple[int, ...], bytes] | None, _Present] = {}
    found = []
    for record in records:
        kept = record.get("heads")
        name = None if kept is None else (kept.shape, kept.tobytes())
        rows = known.get(name)
        if rows is None:
            rows = known[name] = _rows(kept, layers)
        found.append(rows)
    return found


def _rows(kept: npt.NDArray[np.bool_] | None, layers: Sequence[Layer]) -> _Present:
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
    found: _Present = [[] for _ in layers]
    for number, head in np.argwhere(kept).tolist():
        found[number].append((number, head))
    return found


def _alike(
    layers: Sequence[Layer], modules: Sequence[nn.Module], records: Sequence[Record], present: Sequence[_Present]
) -> Iterator[tuple[torch.device, list[int]]]:
    """Yields a device, and layers on it whose keys are of one shape in each record and rotated in one way.

    Layers that remember nothing, or of which no record keeps anything, are left out.
    """
    kinds: dict[tuple[object, ...], list[int]] = {}
    devices: dict[int, torch.device] = {}
    different = list({id(one): one for one in present}.values())
    for number, layer in enumerate(layers):
        if layer.remembers and any(one[number] for one in different):
            device = devices[number] = _device(modules[number])
            kept = [_kept(record, number) for record in records]
            kinds.setdefault((layer.shape, layer.rotation, type(modules[number]), device, *kept), []).append(number)
    tokens = sum(record["tokens"].shape[0] for record in records)
    for numbers in kinds.values():
        device = devices[numbers[0]]
        some: list[int] = []
        size = 0
        for number in numbers:
            here = max(len(one[number]) for one in different) * tokens * max(layers[number].shape[1:])
            if some and size + here > _AT_ONCE:
                yield device, some
                some, size = [], 0
            some.append(number)
            size += here
        yield device, some


def _kept(record: Record, number: int) -> tuple[int, bool] | None:
    """Returns how many tokens a record keeps for a layer, and whether one may stand for several."""
    names = _names(number)
    key = record.get(names.key)
    return None if key is None else (key.shape[-2], names.counts in record)


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
    rows: tuple[_Row, ...],
    records: Sequence[Record],
    present: Sequence[_Present],
    angles: _Angles,
) -> _Laid:
    """Lays records out in one piece, which they are restored into, and rotates all of their keys at once."""
    numbers = sorted({number for number, _ in rows})
    layer = layers[numbers[0]]
    parts = [_part(layers, record, some, numbers) for record, some in zip(records, present, strict=True)]
    lengths = [part.length for part in parts]
    in_order = all(part.places is None for part in parts)
    # One row of places does for all rows where they are alike.
    places = np.full((1 if in_order else len(rows), sum(lengths)), -1)
    offsets = None
    if any(part.rows != rows or part.counts is not None for part in parts):
        offsets = np.full((len(rows), sum(lengths)), -np.inf, np.float32)
    start = 0
    for part in parts:
        stop = start + part.length
        here = slice(None) if part.rows == rows else [rows.index(row) for row in part.rows]
        if here:
            places[0 if in_order else here, start:stop] = (
                np.arange(-part.length, 0) if part.places is None else part.places
            )
        if offsets is not None and here:
            with np.errstate(divide="ignore"):  # what stands for none is hidden
                offsets[here, start:stop] = 0 if part.counts is None else np.log(part.counts, dtype=np.float32)
        start = stop
    placed = carried(places if len(places) > 1 else places[0], device)
    # The keys are rotated while they are in a processor's cache, before the values push them out of it.
    keys = _side_by_side(parts, attrgetter("keys"), rows, layer.shape[1], device)
    keys = _turned(keys, placed, model, layer, module, tuple(lengths) if in_order else None, angles)
    return _Laid(
        keys,
        _side_by_side(parts, attrgetter("values"), rows, layer.shape[2], device),
        torch.from_numpy(np.repeat(np.arange(len(parts)), lengths)),
        placed,
        None if offsets is None else carried(offsets, device),
    )


def _side_by_side(
    parts: Sequence[_Part],
    names: Callable[[_Part], Sequence[str]],
    rows: tuple[_Row, ...],
    width: int,
    device: torch.device,
) -> Tensor:
    """Returns what parts keep under such names, shape (rows, tokens of all, width); zeros where one keeps nothing."""
    make = torch.empty if all(part.rows == rows for part in parts) else torch.zeros
    made = make(len(rows), sum(part.length for part in parts), width, device=device)
    start = 0
    for _, alike in groupby(parts, lambda part: (part.rows, part.packing)):
        some = list(alike)
        first, records = some[0], [part.record for part in some]
        stop = start + sum(part.length for part in some)
        if first.rows == rows:
            restored(records, names(first), device=device, out=made[:, start:stop])
        elif first.rows:
            here = torch.tensor([rows.index(row) for row in first.rows], device=device)
            made[here, start:stop] = restored(records, names(first), device=device)
        start = stop
    return made


@dataclass(frozen=True, slots=True)
class _Part:
    """What one record keeps of some layers.

    Attributes:
        record: it.
        rows: of these KV heads.
        length: so many tokens of each; 0 if of none.
        keys: where they stand in it.
        values: likewise.
        packing: of both; None if there are none.
        places: of the tokens, counted from the end, shape (rows, length); None for all of them in order.
        counts: how many tokens each stands for, likewise; None for one.
    """

    record: Record
    rows: tuple[_Row, ...]
    length: int
    keys: Sequence[str]
    values: Sequence[str]
    packing: np.dtype[np.generic] | None
    places: npt.NDArray[np.int64] | None
    counts: npt.NDArray[np.int32] | None


def _part(layers: Sequence[Layer], record: Record, present: _Present, numbers: Sequence[int]) -> _Part:
    kept = [number for number in numbers if present[number]]
    rows = tuple(row for number in kept for row in present[number])
    if not kept:
        return _Part(record, rows, 0, (), (), None, None, None)
    tokens, (_, key, value) = record["tokens"].shape[0], layers[numbers[0]].shape
    names = [_names(number) for number in kept]
    placed = [record[name.places] for name in names if name.places in record]
    counted = [record[name.counts] for name in names if name.counts in record]
    for number, name in zip(kept, names, strict=True):
        own = record.get(name.places)
        length = tokens if own is None else own.shape[-1]
        _check(record, name.key, (len(present[number]), length, key))
        _check(record, name.value, (len(present[number]), length, value))
    first = record[names[0].key]
    return _Part(
        record,
        rows,
        first.shape[1],
        [name.key for name in names],
        [name.value for name in names],
        first.dtype,
        np.concatenate(placed).astype(np.int64) - tokens if placed else None,
        np.concatenate(counted) if counted else None,
    )


def _check(record: Record, name: str, wanted: tuple[int, int, int]) -> None:
    """Looks whether a layer's keys or values are of the shape that this model needs."""
    found = record.get(name)
    shape = None if found is None else found.shape
    if found is not None and found.dtype == np.uint8:  # two to a byte
        shape = (*found.shape[:-1], 2 * found.shape[-1])
    if shape != wanted:
        raise EngineError(
            f"a record has {name} of shape {shape}, this model needs {wanted}: it was made by another model; "
            "encode its text again"
        )


def _turned(
    keys: Tensor,
    places: Tensor,
    model: PreTrainedModel,
    layer: Layer,
    module: nn.Module,
    lengths: tuple[int, ...] | None,
    known: _Angles,
) -> Tensor:
    """Returns keys, which may be written over, rotated to their places, which are the same for all rows, or not.

    Without ``lengths`` the places are not those of all tokens in order, and their angles are nobody else's.
    """
    rotation = layer.rotation
    if rotation is None:
        return keys
    if places.dim() > 1:
        flat = rotation.turn(model, module, keys.reshape(1, -1, keys.shape[2]), places.reshape(-1), spent=True)
        return flat.reshape(keys.shape)
    if lengths is None:
        return rotation.turn(model, module, keys, places, spent=True)
    # All of each record's tokens, from minus their number on: so the numbers name the places.
    name = (rotation.path, rotation.layer_type, keys.device, lengths)
    angles = known.get(name)
    if angles is None:
        longest = max(lengths)
        start = sum(lengths[: lengths.index(longest)])
        # Every other record stands at the last of these places.
        cos, sin = rotation.angles(model, keys, places[start : start + longest])
        angles = known[name] = _ends(cos, lengths), _ends(sin, lengths)
    return rotation.turn(model, module, keys, places, angles=angles, spent=True)


def _ends(angles: Tensor, lengths: Sequence[int]) -> Tensor:
    """Returns the last so many angles for each of ``lengths``, side by side."""
    return torch.cat([angles[:, angles.shape[1] - length :] for length in lengths], 1)


def _by_layer(layers: Sequence[Layer], rows: Sequence[_Row], laid: _Laid, arrival: Arrival) -> dict[int, Slots]:
    """Returns what each layer has of what was laid out."""
    read, start = {}, 0
    for number, some in groupby(rows, itemgetter(0)):
        heads = tuple(head for _, head in some)
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
