"""Keys and values in few bits, and how far attention can be off by it.

Keys share a scale per channel, before rotary encoding, because a few channels of keys are large in every token;
values share one per token. With ``e`` the largest error of a logit, the attention that a query gives is off by a
total variation of at most tanh(e / 2), and what it reads by at most 2 tanh(e / 2) R plus the largest error of a
value, where R is the radius of the values.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...store.form import Record
from ...store.packed import pack, unpacked
from .lane import carried

__all__ = ["logit_error", "output_error", "quantise", "restored", "weight_error"]

_CHANNELS, _TOKENS = 1, 2  # the axes that share a scale: all tokens of a channel, all channels of a token


def quantise(record: Record, *, bits: int | None) -> Record:
    """Returns the record with its keys and values in 8 or 4 bits; with None as it is."""
    if bits is None:
        return record
    packed: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {}
    for name, array in record.items():
        if name.endswith((".key", ".value")):
            axis = _CHANNELS if name.endswith(".key") else _TOKENS
            packed |= pack(name, np.asarray(array, np.float32), bits=bits, axis=axis)
        else:
            packed[name] = array
    return packed


def restored(
    records: Sequence[Record], names: Sequence[str], *, device: torch.device | str = "cpu", out: Tensor | None = None
) -> Tensor:
    """Returns keys or values of layers, one after the other, of records side by side.

    The bits travel to the device, in one piece, and become numbers there.

    Args:
        records: where they stand, all in as many bits.
        names: of arrays that differ in their number of KV heads alone.
        device: where they go.
        out: where they are to stand; new room if left out.

    Returns:
        float32, shape (KV heads of all layers, tokens of all records, width).
    """
    place = torch.device(device)
    codes = carried(_beside(records, names), place)
    if codes.dtype == torch.uint8:
        codes = torch.stack([codes & 15, codes >> 4], -1).flatten(-2).to(torch.int8) - 8
    numbers = codes.float() if out is None else out.copy_(codes)
    steps = [f"{name}.scale" for name in names]
    if steps[0] not in records[0]:
        return numbers
    scales = carried(_beside(records, steps), place).float()
    # in place: room for another copy costs more than the product
    if scales.shape[1] == numbers.shape[1]:
        return numbers.mul_(scales)
    start = 0
    for number, record in enumerate(records):
        stop = start + record[names[0]].shape[1]
        numbers[:, start:stop].mul_(scales[:, number : number + 1])
        start = stop
    return numbers


def _beside(records: Sequence[Record], names: Sequence[str]) -> npt.NDArray[np.generic]:
    """Returns arrays of one piece: those of a record below each other, the records side by side."""
    columns = [[record[name] for record in records] for name in names]
    kind = np.result_type(*{array.dtype for column in columns for array in column})
    tokens, width = sum(array.shape[1] for array in columns[0]), columns[0][0].shape[2]
    made = np.empty((sum(column[0].shape[0] for column in columns), tokens, width), kind)
    start = 0
    for column in columns:
        stop = start + column[0].shape[0]
        np.concatenate(column, 1, out=made[start:stop])
        start = stop
    return made


def logit_error(record: Record, number: int, queries: Tensor, *, scaling: float) -> Tensor:
    """Returns the largest possible error of a query's logits, whatever rotation lies between it and the keys.

    A key is off by half a step at most in each channel, and a rotation keeps lengths: by Cauchy and Schwarz the
    error is at most the lengths of query and half step multiplied.

    Args:
        record: from `quantise`.
        number: of the layer.
        queries: shape (KV heads of the record, queries, width).
        scaling: what products of queries and keys are multiplied by; for YaRN times its attention factor, by
            which keys grow when they are rotated.

    Returns:
        shape (KV heads, queries); zeros for a record in full precision.
    """
    scale = record.get(f"layers.{number}.key.scale")
    if scale is None:
        return queries.new_zeros(queries.shape[:-1])
    steps = torch.tensor(scale, dtype=torch.float32)[:, 0]  # (KV heads, width)
    error: Tensor = scaling * queries.float().norm(dim=-1) * steps.norm(dim=-1)[:, None] / 2
    return error


def weight_error(logits: Tensor) -> Tensor:
    """Returns the largest possible total variation between two softmaxes whose logits differ by so much at most."""
    return torch.tanh(logits / 2)


def output_error(record: Record, number: int, logits: Tensor) -> Tensor:
    """Returns the largest possible error of what is read from the memory alone, as a length.

    Args:
        record: from `quantise`.
        number: of the layer.
        logits: from `logit_error`, shape (KV heads, queries).
    """
    values = torch.from_numpy(unpacked(record, f"layers.{number}.value"))
    scale = record.get(f"layers.{number}.value.scale")
    steps = torch.zeros(1, 1, 1) if scale is None else torch.tensor(scale, dtype=torch.float32)
    off: Tensor = (steps[..., 0] * values.shape[-1] ** 0.5 / 2).amax(-1)  # (KV heads,)
    radius = (values - values.mean(1, keepdim=True)).norm(dim=-1).amax(-1) + off
    error: Tensor = 2 * weight_error(logits) * radius[:, None] + off[:, None]
    return error
