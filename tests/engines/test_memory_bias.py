"""A bias for each memory: as loud as one is told, and silent at minus infinity."""

import math

import pytest
import torch
from tiny_models import shared_engine, words  # type: ignore[import-not-found]
from torch import Tensor

from tercet.store.errors import InvalidInput

TEXTS = [words(5, 6, 7), words(8, 9)]  # of two lengths, so that there is padding too


def logits(texts: list[str], bias: object, *, watch: bool) -> Tensor:
    engine = shared_engine("llama")
    with torch.no_grad(), engine.attend(engine.encode(texts), bias=bias, watch=watch):
        found: Tensor = engine.model(torch.tensor([[1, 20, 31, 22]])).logits
    return found


@pytest.mark.parametrize("watch", [True, False])
def test_each_memory_is_as_loud_as_its_bias_says(watch: bool) -> None:
    half = [-math.log(2)] * 2
    torch.testing.assert_close(logits(TEXTS, half, watch=watch), logits(TEXTS, "log_n", watch=watch), atol=1e-5, rtol=0)
    alone = logits(TEXTS[1:], 0.0, watch=watch)
    torch.testing.assert_close(logits(TEXTS, [-math.inf, 0.0], watch=watch), alone, atol=1e-5, rtol=0)
    assert not torch.allclose(logits(TEXTS, [-3.0, 0.0], watch=watch), alone, atol=1e-3)


@pytest.mark.parametrize("bias", [[0.0], [0.0, math.inf], [0.0, "1"], [0.0, True], [math.nan, 0.0]])
def test_a_bias_that_does_not_fit_is_refused(bias: object) -> None:
    with pytest.raises(InvalidInput, match="bias"):
        logits(TEXTS, bias, watch=True)
