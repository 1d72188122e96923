"""Explicit memories in the bytes of one file, read in place: their arrays are views of them, and cannot be written.

The format is safetensors: eight bytes that say how long the header is, a header in JSON that says what stands where,
and the numbers. The library writes it. Reading it, it copies every array, which costs more than the checksum does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from .form import Record

__all__ = ["laid_bytes", "viewed"]

_TYPES = {
    "BOOL": "?",
    "U8": "<u1",
    "U16": "<u2",
    "U32": "<u4",
    "U64": "<u8",
    "I8": "<i1",
    "I16": "<i2",
    "I32": "<i4",
    "I64": "<i8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
    "C64": "<c8",
}
_LENGTH = 8  # bytes that say how long the header is
_KNOWN = 256  # headers: that of memories of as many tokens, written in one way, is the same


class _Where(NamedTuple):
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    start: int


def laid_bytes(record: Record) -> bytes:
    """Returns a record as the bytes of a file."""
    from safetensors.numpy import save

    made: bytes = save({name: np.ascontiguousarray(array) for name, array in record.items()})
    return made


def viewed(data: bytes) -> Record:
    """Returns the record that these bytes were made of by `laid_bytes`, as a checksum has told before."""
    end = _LENGTH + int.from_bytes(data[:_LENGTH], "little")
    return {
        name: np.ndarray(shape, dtype, data, end + start) for name, shape, dtype, start in _layout(data[_LENGTH:end])
    }


@lru_cache(_KNOWN)
def _layout(header: bytes) -> Sequence[_Where]:
    stated = json.loads(header)
    return tuple(
        _Where(name, tuple(one["shape"]), np.dtype(_TYPES[one["dtype"]]), one["data_offsets"][0])
        for name, one in stated.items()
    )
