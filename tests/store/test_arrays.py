"""Explicit memories as bytes: what is read in place is what was written, as the library reads it, and stays so."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as drawn
from safetensors.numpy import load

from tercet.store.arrays import _layout, laid_bytes, viewed

TYPES = ["?", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", "c8"]
ARRAYS = st.sampled_from(TYPES).flatmap(
    lambda kind: drawn.arrays(np.dtype(kind), drawn.array_shapes(max_dims=3, min_side=0, max_side=4))
)
RECORDS = st.dictionaries(st.text(min_size=1, max_size=6).filter(lambda name: name != "__metadata__"), ARRAYS)


def same(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


@given(RECORDS)
def test_what_is_read_in_place_is_what_was_written(record: dict[str, npt.NDArray[Any]]) -> None:
    data = laid_bytes(record)
    found, library = viewed(data), load(data)
    assert found.keys() == library.keys() == record.keys()
    for name, array in record.items():
        assert same(found[name], array)
        assert same(found[name], library[name])


def test_arrays_that_are_turned_round_are_written_as_they_read() -> None:
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    record = {"turned": array.transpose(2, 0, 1), "every other": array[:, ::2]}
    found = viewed(laid_bytes(record))
    assert all(same(found[name], record[name]) for name in record)


def test_nothing_is_copied_and_nobody_can_write() -> None:
    data = laid_bytes({"one": np.arange(6, dtype=np.int8), "two": np.ones((2, 3), np.float16)})
    whole = np.frombuffer(data, np.uint8)
    for array in viewed(data).values():
        assert np.shares_memory(array, whole)
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_a_header_is_parsed_once_and_others_are_not_taken_for_it() -> None:
    _layout.cache_clear()
    long, short = ({"one": np.arange(length, dtype=np.int32)} for length in (9, 8))
    for record in (long, short, long, {"one": long["one"] + 1}):
        assert same(viewed(laid_bytes(record))["one"], record["one"])
    assert (_layout.cache_info().misses, _layout.cache_info().hits) == (2, 2)
