"""The way of memories to where they are read: on a GPU a stream of its own, beside the one on which the model runs.

What is laid out in the order of the layers arrives in that order. So the first layers run while what later ones read
is still on its way from pinned memory; a layer waits for its own part alone. On a CPU there is one way, and everything
has arrived when it was laid out. Pinned memory and the room on the device are those of torch's caching allocators,
which keep what one block gives back for the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["Arrival", "Lane", "carried"]


class Arrival:
    """When the part of one or more layers is there.

    Args:
        event: of the side stream; None where everything is there at once.
    """

    def __init__(self, event: torch.cuda.Event | None = None) -> None:
        self._event = event

    def wait(self, *tensors: Tensor) -> None:
        """Lets the current stream, not the caller, wait until ``tensors`` are there."""
        if self._event is None:
            return
        stream = torch.cuda.current_stream(tensors[0].device)
        stream.wait_event(self._event)
        for tensor in tensors:
            tensor.record_stream(stream)  # their room may not be given away before this stream has read them


class Lane:
    """The way to one device.

    Args:
        device: where memories are read.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream = _stream(device) if device.type == "cuda" else None
        if self._stream is not None:
            self._stream.wait_stream(torch.cuda.current_stream(device))  # for the model, if it was only just moved

    @contextmanager
    def laying(self) -> Iterator[Arrival]:
        """Opens a block in which something is laid out; what it yields says when that is there."""
        if self._stream is None:
            yield Arrival()
            return
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        with torch.cuda.stream(self._stream):
            yield Arrival(event)
            event.record(self._stream)


@cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    """Returns the side stream of a device: one for all blocks, since room that a stream gave back serves it alone."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def carried(array: npt.NDArray[object], device: torch.device) -> Tensor:  # type: ignore[type-var]
    """Returns an array on a device; to a GPU it goes from pinned memory, and the caller does not wait."""
    tensor = torch.from_numpy(array)
    return tensor if device.type != "cuda" else tensor.pin_memory().to(device, non_blocking=True)
