"""What is kept of a memory: in how many bits, which tokens, which KV heads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ...store.errors import InvalidInput

__all__ = ["EXACT", "SMALL", "Heads", "Recipe", "Score"]

Score = Literal["memory3", "probe", "surprisal", "reconstruction"]
Heads = tuple[tuple[int, ...], ...]
"""Per layer the KV heads that keep memories, counted from 0."""

_QUESTIONS = (
    "Who is this about?",
    "What happened?",
    "When was it?",
    "Where was it?",
    "How many?",
    "Why?",
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a memory is written.

    Attributes:
        bits: of keys and values: 8, 4, or None for 32, which holds every model's numbers without loss.
        tokens: most tokens that each KV head keeps; None for all.
        score: what decides which; see `select.scores`.
        residual: where tokens are dropped, keep, beside these tokens, one that stands for all that were dropped.
        questions: what the score ``"probe"`` asks when a memory is written.
        heads: the KV heads that keep anything, for every layer; None for all.

    Raises:
        InvalidInput: a value that none of this allows.
    """

    bits: int | None = None
    tokens: int | None = None
    score: Score = "reconstruction"
    residual: bool = True
    questions: tuple[str, ...] = _QUESTIONS
    heads: Heads | None = None

    def __post_init__(self) -> None:
        if self.bits not in (8, 4, None):
            raise InvalidInput(f"bits is {self.bits!r}; a memory keeps 8, 4 or None (all)")
        if self.tokens is not None and (type(self.tokens) is not int or self.tokens < 1):
            raise InvalidInput(f"tokens is {self.tokens!r}; a memory keeps at least one, or None (all)")
        if self.score not in get_args(Score):
            raise InvalidInput(f"score is {self.score!r}; it is one of {', '.join(get_args(Score))}")
        if self.heads is not None and not any(self.heads):
            raise InvalidInput("heads names none in any layer; a memory is kept by one at least, or by all (None)")
        if self.score == "probe" and not self.questions:
            raise InvalidInput("score is 'probe', and there is no question to probe with")


EXACT = Recipe()
"""Everything in full precision: one memory is, logit for logit, its words in the prompt."""
SMALL = Recipe(bits=8)
"""Everything in 8 bits."""
