"""Memories on their way: laid out layer by layer, waited for by the layer that reads them, at once on a CPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from tiny_models import shared_engine, words  # type: ignore[import-not-found]
from torch import Tensor

from tercet.engines.attention import placing
from tercet.engines.attention.lane import Arrival, Lane, carried

CPU = torch.device("cpu")
CONTEXT = torch.tensor([[1, 20, 31, 22, 33]])


def logits(family: str, texts: list[str]) -> Tensor:
    engine = shared_engine(family)
    with torch.no_grad(), engine.attend(engine.encode(texts)):
        found: Tensor = engine.model(CONTEXT).logits
    return found


def test_on_a_cpu_everything_is_there_at_once() -> None:
    array = np.arange(4, dtype=np.int8)
    assert carried(array, CPU).data_ptr() == array.ctypes.data
    with Lane(CPU).laying() as arrival:
        made = torch.ones(2)
    arrival.wait(made)


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_layers_are_laid_out_in_their_order_and_each_waits_for_its_own(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [words(5, 6, 7), words(8, 9)]
    wanted = logits(family, texts)
    told: list[tuple[str, int]] = []

    class Late(Arrival):
        """Fills in what is read only when somebody waits for it, as a side stream may."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number
            self.tensors: list[tuple[Tensor, Tensor]] = []

        def wait(self, *tensors: Tensor) -> None:
            told.append(("read", self.number))
            for room, content in self.tensors:
                room.copy_(content)
            self.tensors.clear()

    class LateLane:
        def __init__(self, device: torch.device) -> None:
            self.device = device
            self.count = 0

        @contextmanager
        def laying(self) -> Iterator[Arrival]:
            late = arrivals.setdefault(self.count, Late(self.count))
            self.count += 1
            yield late
            told.append(("laid", late.number))

    arrivals: dict[int, Late] = {}
    laid = placing._laid

    def emptied(*given: object) -> placing._Laid:
        made = laid(*given)  # type: ignore[arg-type]
        for room in (made.keys, made.values):
            arrivals[max(arrivals)].tensors.append((room, room.clone()))
            room.fill_(7.0)
        return made

    monkeypatch.setattr(placing, "_AT_ONCE", 1)
    monkeypatch.setattr(placing, "Lane", LateLane)
    monkeypatch.setattr(placing, "_laid", emptied)
    assert torch.equal(logits(family, texts), wanted)
    layers = sum(layer.remembers for layer in shared_engine(family).layers)
    order = list(range(layers))
    assert told == [("laid", number) for number in order] + [("read", number) for number in order]
