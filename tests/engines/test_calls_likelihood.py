"""The likelihood over calling and not calling, against adding up all texts of a tiny model one by one."""

from itertools import product
from math import exp, inf, isclose, log

import pytest
import torch
from tiny_models import tiny_model  # type: ignore[import-not-found]

from tercet.engines.calls.likelihood import Marginal, log_likelihood, marginal_likelihood
from tercet.store.errors import EngineError

SIZE, LENGTH = 5, 3
PROMPT, OPENING, CALLED = [1, 3], [4, 2], [4, 2, 0, 3]


def chained(model: torch.nn.Module, prompt: list[int], answer: tuple[int, ...]) -> float:
    """The probability of an answer, a token at a time."""
    chance, tokens = 1.0, list(prompt)
    for token in answer:
        with torch.no_grad():
            chance *= float(model(input_ids=torch.tensor([tokens])).logits[0, -1].double().softmax(-1)[token])
        tokens.append(token)
    return chance


def test_it_is_what_adding_up_every_text_gives() -> None:
    model = tiny_model("llama", vocab_size=SIZE, max_position_embeddings=32)
    texts = list(product(range(SIZE), repeat=LENGTH))
    call = sum(chained(model, PROMPT, text) for text in texts if text[:2] == tuple(OPENING))
    whole = 0.0
    for text in texts:
        silent = 0.0 if text[:2] == tuple(OPENING) else chained(model, PROMPT, text) / (1 - call)
        expected = (1 - call) * silent + call * chained(model, PROMPT + CALLED, text)
        found = marginal_likelihood(model, PROMPT, text, opening=OPENING, called=CALLED)
        assert isclose(exp(found.call), call, rel_tol=1e-4)
        assert isclose(exp(found.without), silent, rel_tol=1e-4)
        assert isclose(exp(found.total), expected, rel_tol=1e-4)
        whole += exp(found.total)
    assert isclose(whole, 1, rel_tol=1e-4)


def test_a_likelihood_of_no_call_or_nothing_else() -> None:
    assert Marginal(-inf, log(0.25), -inf).total == pytest.approx(log(0.25))
    assert Marginal(0.0, -inf, log(0.25)).total == pytest.approx(log(0.25))
    assert Marginal(log(0.5), -inf, -inf).total == -inf
    assert Marginal(-1e-20, -800.0, -900.0).total == pytest.approx(-800 + log(1e-20), abs=1e-3)


def test_nothing_has_no_likelihood() -> None:
    model = tiny_model("llama")
    for prompt, answer in (([], [3]), ([3], [])):
        with pytest.raises(EngineError, match="needs a prompt and an answer"):
            log_likelihood(model, prompt, answer)
