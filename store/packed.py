"""Arrays of explicit memories in few bits: whole numbers, and what one step of them is worth.

In a record, ``name`` holds numbers of 32 bits, or whole numbers of 8 bits, or of 4 bits, two to a byte; with whole
numbers ``name.scale`` says what a step is worth, in a shape that stretches over the array's. Scales are rounded up
to 16 bits before anything is divided by them, so that no number is ever off by more than half a step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InvalidInput

__all__ = ["pack", "unpacked"]

_MOST = {8: 127, 4: 7}
Floats = npt.NDArray[np.float32]


def pack(name: str, values: Floats, *, bits: int, axis: int) -> dict[str, npt.NDArray[Any]]:
    """Returns ``values`` as whole numbers under ``name``, and their scales under ``name.scale``.

    Args:
        name: in the record.
        values: of any shape; all finite.
        bits: 8, or 4, which needs an even last dimension.
        axis: numbers along it share a scale.

    Raises:
        InvalidInput: another number of bits, an odd last dimension, or a value that is not finite.
    """
    if bits not in _MOST:
        raise InvalidInput(f"bits is {bits}; arrays are packed in 8 or 4")
    if bits == 4 and values.shape[-1] % 2:
        raise InvalidInput(f"4 bits need an even width, {name} has {values.shape[-1]}; use 8")
    if not np.isfinite(values).all():
        raise InvalidInput(f"{name} holds a value that is not finite; it cannot be packed")
    scale = _rounded_up(np.abs(values).max(axis, keepdims=True, initial=0) / _MOST[bits])
    steps = np.where(scale == 0, 1, scale).astype(np.float32)
    # The division itself rounds: without the clip, a largest value could come out as one step too many.
    codes = np.clip(np.rint(values / steps), -_MOST[bits], _MOST[bits]).astype(np.int8)
    if bits == 4:
        pairs = (codes + 8).astype(np.uint8)
        return {name: pairs[..., ::2] | pairs[..., 1::2] << 4, f"{name}.scale": scale}
    return {name: codes, f"{name}.scale": scale}


def unpacked(record: Mapping[str, npt.NDArray[Any]], name: str) -> Floats:
    """Returns an array of a record as it was, up to half a step, float32."""
    codes, scale = record[name], record.get(f"{name}.scale")
    if scale is None:
        return codes.astype(np.float32, copy=False)
    if codes.dtype == np.uint8:
        pairs = np.stack([codes & 15, codes >> 4], -1).reshape(*codes.shape[:-1], -1)
        codes = pairs.astype(np.int8) - np.int8(8)
    numbers: Floats = codes.astype(np.float32) * scale.astype(np.float32)
    return numbers


def _rounded_up(scale: Floats) -> npt.NDArray[Any]:
    """Returns scales in 16 bits, never smaller than they were; in 32 bits where they are too large for that."""
    if scale.size and scale.max() > np.finfo(np.float16).max:
        return scale.astype(np.float32)
    half = scale.astype(np.float16)
    return np.where(half.astype(np.float32) < scale, np.nextafter(half, np.float16(np.inf)), half)
