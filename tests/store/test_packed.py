"""Arrays in few bits: never off by more than half a step."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tercet.store.errors import InvalidInput
from tercet.store.packed import pack, unpacked

Floats = npt.NDArray[np.float32]
VALUES = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.integers(1, 5), st.sampled_from([2, 4, 6])),
    elements=st.floats(-1e6, 1e6, width=32),
)


@given(VALUES, st.sampled_from([8, 4]), st.sampled_from([1, 2]))
def test_no_number_is_off_by_more_than_half_a_step(values: Floats, bits: int, axis: int) -> None:
    packed = pack("a.key", values, bits=bits, axis=axis)
    steps = packed["a.key.scale"].astype(np.float64)
    off = np.abs(unpacked(packed, "a.key").astype(np.float64) - values)
    assert (off <= steps * 0.5 * (1 + 1e-5) + 1e-38).all()
    largest = np.abs(values).max(axis, keepdims=True)
    assert (steps <= largest / (127 if bits == 8 else 7) * 1.001 + 1e-7).all()  # and no step is larger than it must be


def test_eight_bits_are_a_byte_and_four_are_half_of_one() -> None:
    values = np.random.default_rng(0).normal(size=(2, 16, 8)).astype(np.float32)
    eight, four = (pack("k", values, bits=bits, axis=1) for bits in (8, 4))
    assert eight["k"].nbytes == values.size
    assert four["k"].nbytes == values.size // 2
    assert eight["k.scale"].dtype == np.float16
    assert eight["k.scale"].shape == (2, 1, 8)


def test_what_is_not_packed_is_given_as_it_is() -> None:
    values = np.ones((1, 2, 2), np.float32)
    assert unpacked({"k": values}, "k") is values


def test_numbers_too_large_for_half_precision_keep_wide_scales() -> None:
    values = np.array([[[1e9, -3e8]]], np.float32)
    packed = pack("k", values, bits=8, axis=2)
    assert packed["k.scale"].dtype == np.float32
    assert np.allclose(unpacked(packed, "k"), values, rtol=1e-2)


@pytest.mark.parametrize(
    ("values", "bits", "said"),
    [
        (np.ones((1, 1, 2), np.float32), 5, "bits is 5"),
        (np.ones((1, 1, 3), np.float32), 4, "even width, k has 3"),
        (np.full((1, 1, 2), np.nan, np.float32), 8, "not finite"),
    ],
)
def test_what_cannot_be_packed_is_an_error(values: Floats, bits: int, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        pack("k", values, bits=bits, axis=1)
