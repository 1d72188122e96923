"""Vectors as rows keep them: float16, little endian; in PostgreSQL as pgvector's type for the same numbers."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from sqlalchemy.types import UserDefinedType

from .form import Vector

__all__ = ["Half", "HalfVector", "packed", "unpacked"]


class Half:
    """A vector on its way to PostgreSQL.

    Args:
        packed: float16, little endian.
    """

    __slots__ = ("wire",)

    def __init__(self, packed: bytes) -> None:
        # halfvec_recv (pgvector, halfvec.c): how many, an unused word, then each number, all big endian
        self.wire = struct.pack(">hh", len(packed) // 2, 0) + np.frombuffer(packed, "<f2").astype(">f2").tobytes()


class HalfVector(UserDefinedType[Any]):
    """A column of vectors of any length."""

    cache_ok = True

    def get_col_spec(self, **kw: object) -> str:
        """Returns the name of the type."""
        return "halfvec"

    def bind_processor(self, dialect: Any) -> Callable[[Any], Any]:  # noqa: ANN401
        """Returns what makes a value of a row's bytes."""
        return Half

    def result_processor(self, dialect: Any, coltype: object) -> Callable[[Any], Any]:  # noqa: ANN401
        """Returns what makes bytes of what the server writes, for example ``[0.5,0.25]``."""

        def packed(written: str) -> bytes:
            return np.array(written[1:-1].split(","), np.float32).astype("<f2").tobytes()

        return packed


def packed(vector: Vector) -> bytes:
    """Returns a unit vector as its row keeps it: half precision moves a cosine by less than one in a thousand."""
    return vector.astype("<f2").tobytes()


def unpacked(data: bytes) -> Vector:
    """Returns what `packed` made, in single precision."""
    return np.frombuffer(data, "<f2").astype(np.float32)
