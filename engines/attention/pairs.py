"""Memories with questions that only the memory answers, made without any data.

A memory is a stretch of random tokens, or of text that the model writes itself, or of texts that are given; the
question is a part of it, and the answer is what comes next there. Whoever reads the memory can copy the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from ...store.errors import EngineError

__all__ = ["Pairs", "make_pairs"]

_MEMORY, _QUESTION, _ANSWER = 48, 8, 16  # tokens
_BATCH = 32


@dataclass(frozen=True, slots=True)
class Pairs:
    """Memories and questions of one length each.

    Attributes:
        memories: shape (pairs, tokens).
        starts: where in its memory each answer begins, shape (pairs,).
        question: tokens of a question.
        answer: tokens of an answer.
    """

    memories: Tensor
    starts: Tensor
    question: int
    answer: int

    def __len__(self) -> int:
        """Returns how many they are."""
        return len(self.memories)

    def split(self, first: int) -> tuple[Pairs, Pairs]:
        """Returns the first of them, and the rest."""
        return tuple(  # type: ignore[return-value]
            Pairs(self.memories[part], self.starts[part], self.question, self.answer)
            for part in (slice(first), slice(first, None))
        )

    @property
    def contexts(self) -> Tensor:
        """Returns each question with its answer, shape (pairs, question + answer)."""
        span = torch.arange(-self.question, self.answer)
        return self.memories.gather(1, self.starts[:, None] + span)


def make_pairs(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, count: int, *, texts: Sequence[str] = (), seed: int = 0
) -> Pairs:
    """Returns pairs in random order, half of random tokens, half of the model's own text or of ``texts``.

    Args:
        model: writes them.
        tokenizer: its own.
        count: how many.
        texts: to cut memories from, in place of the model's own.
        seed: the same seed gives the same pairs.

    Raises:
        EngineError: the texts are too short, or the model's context is.
    """
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None) or 1 << 30
    scale = min(1.0, limit / (_MEMORY + _QUESTION + _ANSWER + 2))
    length, question, answer = (int(size * scale) for size in (_MEMORY, _QUESTION, _ANSWER))
    if not question:
        raise EngineError(f"a context of {limit} tokens has no room for a memory and a question")
    random = np.random.default_rng(seed)
    special = set(tokenizer.all_special_ids)
    size = min(int(model.config.get_text_config().vocab_size), len(tokenizer))
    ordinary = np.asarray([token for token in range(size) if token not in special])
    copies = torch.from_numpy(random.choice(ordinary, (count // 2, length)))
    rest = count - len(copies)
    written = _cut(tokenizer, texts, rest, length, random) if texts else _own(model, tokenizer, rest, length, seed)
    memories = torch.cat([copies, written])[torch.from_numpy(random.permutation(count))]
    starts = torch.from_numpy(random.integers(question, length - answer + 1, count))
    return Pairs(memories.to(model.device), starts.to(model.device), question, answer)


def _cut(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], count: int, length: int, random: np.random.Generator
) -> Tensor:
    tokens: list[int] = [
        token for text in texts for token in tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    ]
    places = len(tokens) - length + 1
    if places < count:  # the same stretch twice could choose heads and then be held out to measure them
        raise EngineError(
            f"the texts have {len(tokens)} tokens; {length + count - 1} at least are needed, and thousands are better"
        )
    begins = random.choice(places, count, replace=False)
    return torch.tensor([tokens[begin : begin + length] for begin in begins.tolist()])


def _own(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, count: int, length: int, seed: int) -> Tensor:
    """Returns text that the model draws from its own distribution, shape (count, length)."""
    first = tokenizer.bos_token_id
    generate = cast("Callable[..., Tensor]", model.generate)
    random = np.random.default_rng(seed)
    own = model.generation_config.max_new_tokens
    settings = GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=None if own is None else length,
        max_length=1 + length if own is None else None,
        min_new_tokens=length,
        do_sample=True,
        top_k=0,
        top_p=1.0,
        temperature=1.0,
        pad_token_id=0,
    )
    parts = []
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        for begin in range(0, count, _BATCH):
            rows = min(_BATCH, count - begin)
            start = np.full(rows, first) if first is not None else random.integers(0, len(tokenizer), rows)
            ids = torch.from_numpy(start)[:, None].to(model.device)
            parts.append(generate(ids, attention_mask=torch.ones_like(ids), generation_config=settings)[:, 1:].cpu())
    return torch.cat(parts) if parts else torch.empty(0, length, dtype=torch.int64)
