"""How likely an answer is when a model may read its memory first, without sampling whether it does.

p(x) = p(no call) p(x | no call) + p(call) p(x | call and its results)

Source: the perplexity evaluation of MemLLM (Modarressi et al., 2024), over the beginning of an answer instead of at
every token, and with the first term renormalised, so that the probabilities of all texts add up to one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, expm1, inf, log
from typing import TYPE_CHECKING

from ...store.errors import EngineError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Marginal", "log_likelihood", "marginal_likelihood"]


@dataclass(frozen=True, slots=True)
class Marginal:
    """Log-probabilities, in nats.

    Attributes:
        call: that the model begins a call.
        without: of the answer, given that it does not.
        with_call: of the answer, given the call and its results.
    """

    call: float
    without: float
    with_call: float

    @property
    def total(self) -> float:
        """Of the answer, whether or not the model calls."""
        silent = log(-expm1(self.call)) if self.call < 0 else -inf
        terms = (silent + self.without, self.call + self.with_call)
        most = max(terms)
        return most if most == -inf else most + log(sum(exp(term - most) for term in terms))


def marginal_likelihood(
    model: PreTrainedModel,
    prompt: Sequence[int],
    answer: Sequence[int],
    *,
    opening: Sequence[int],
    called: Sequence[int],
) -> Marginal:
    """Returns how likely an answer is, over calling and not calling.

    Args:
        model: a causal language model.
        prompt: its tokens, at least one.
        answer: the tokens of the answer; one that begins with ``opening`` is no answer without a call.
        opening: the tokens of a call's first word, which make it one.
        called: the tokens of the whole call, its results among them, as they would stand between prompt and answer.

    Raises:
        EngineError: one of them is empty.
    """
    call = log_likelihood(model, prompt, opening)
    if tuple(answer[: len(opening)]) == tuple(opening):
        without = -inf
    else:  # what does not begin with a call is all that is left when none may come
        silent = log(-expm1(call)) if call < 0 else 0.0
        without = log_likelihood(model, prompt, answer) - silent
    return Marginal(call, without, log_likelihood(model, [*prompt, *called], answer))


def log_likelihood(model: PreTrainedModel, prompt: Sequence[int], answer: Sequence[int]) -> float:
    """Returns the log-probability of some tokens behind others, in nats, computed in float32.

    Raises:
        EngineError: one of them is empty.
    """
    import torch

    if not prompt or not answer:
        raise EngineError(
            f"a likelihood needs a prompt and an answer; they have {len(prompt)} and {len(answer)} tokens"
        )
    ids = torch.tensor([[*prompt, *answer]], device=model.device)
    with torch.no_grad():
        logits = model(input_ids=ids).logits[0, len(prompt) - 1 : -1].float()
    chosen = logits.log_softmax(-1).gather(-1, ids[0, len(prompt) :, None])
    return float(chosen.double().sum())
