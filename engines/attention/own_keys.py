"""Retrieval by a model's own attention: which memories the queries of a question look at.

A question is read alone, without any memory. Where a head's queries meet the keys of a memory, as they would if it
were placed before the question, the largest product counts for each token of the question (Memorizing Transformers,
arXiv 2203.08913, look tokens up so; LongMem, arXiv 2306.07174, and MemLong, arXiv 2408.16967, whole chunks), as a share
among all memories. A few heads find what is asked for; most look elsewhere, and drown them when all are heard. So
heads are chosen once for a model, by questions whose memories are known.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import attrgetter

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...store.errors import InvalidInput
from ...store.form import Record
from .capture import Seen, trace
from .engine import AttentionEngine
from .placing import Slots, place

__all__ = ["OwnKeys", "best_heads"]

Heads = tuple[tuple[int, int], ...]

_AT_ONCE = 1 << 16  # memory tokens that are held in full precision together


class OwnKeys:
    """Ranks memories by what a model's own queries find in their keys.

    Args:
        engine: of the model; its recipe says what a record holds.
        heads: query heads that are heard, as pairs of a layer's number and a head's, from `best_heads`; left out, all.
    """

    def __init__(self, engine: AttentionEngine, *, heads: Sequence[tuple[int, int]] | None = None) -> None:
        self._engine = engine
        self._heads = heads

    def scores(self, question: str, records: Sequence[Record]) -> list[float]:
        """Returns a score for each record, 0..1, in their order; comparable within one call only.

        Args:
            question: the words.
            records: of memories, from the engine.

        Raises:
            InvalidInput: the question has no words, or a head is none of the model's.
        """
        if not records:
            return []
        every = self.by_head(question, records)
        if self._heads is None:
            return [float(score) for score in every.mean((0, 1))]
        layers, heads, _ = every.shape
        wrong = [pair for pair in self._heads if not (0 <= pair[0] < layers and 0 <= pair[1] < heads)]
        if wrong or not self._heads:
            raise InvalidInput(
                f"heads={wrong or self._heads}; give pairs of a layer below {layers} and a head below {heads}, or None"
            )
        return [float(score) for score in np.mean([every[layer, head] for layer, head in self._heads], 0)]

    def by_head(self, question: str, records: Sequence[Record]) -> npt.NDArray[np.float32]:
        """Returns scores by layer and head, shape (layers, heads, records).

        Raises:
            InvalidInput: the question has no words.
        """
        if not records:
            return np.zeros((1, 1, 0), np.float32)
        tokenizer = self._engine.tokenizer
        first = [] if tokenizer.bos_token_id is None else [int(tokenizer.bos_token_id)]
        asked = tokenizer(question, add_special_tokens=False)["input_ids"]
        if not asked:
            raise InvalidInput(f"the question {question!r} has no words; a model's queries are those of words")
        seen = trace(self._engine.model, [*first, *asked])
        parts = [self._largest(seen, some) for some in _some(records)]
        largest = [torch.cat(layers, 2) for layers in zip(*parts, strict=True)]  # (heads, tokens, records) each
        made = np.zeros((len(largest), max(layer.shape[0] for layer in largest), len(records)), np.float32)
        for number, layer in enumerate(largest):
            made[number, : layer.shape[0]] = layer[:, len(first) :].softmax(-1).mean(1).cpu().numpy()
        return made

    def _largest(self, seen: Sequence[Seen], records: Sequence[Record]) -> list[Tensor]:
        """Returns for each layer the largest products, shape (heads, tokens, records); zeros where it reads none."""
        model, layers = self._engine.model, self._engine.layers
        modules = [attrgetter(layer.path)(model) for layer in layers]
        read = place(model, layers, modules, records)
        return [
            _largest(one, read[number], len(records))
            if number in read
            else one.query.new_zeros(one.query.shape[0], one.query.shape[1], len(records), dtype=torch.float32)
            for number, one in enumerate(seen)
        ]


def best_heads(found: Sequence[npt.NDArray[np.float32]], wanted: Sequence[Collection[int]], count: int = 4) -> Heads:
    """Returns the heads that rank what is wanted highest: by the mean of one over its rank.

    Args:
        found: what `OwnKeys.by_head` returned for each question.
        wanted: places of the records that answer each, at least one.
        count: how many heads, at the most.
    """
    layers, heads, _ = found[0].shape
    worth = np.zeros((layers, heads))
    for scores, places in zip(found, wanted, strict=True):
        best = scores[..., list(places)].max(-1, keepdims=True)
        worth += 1 / (1 + (scores > best).sum(-1)) / len(found)
    order = np.argsort(-worth, axis=None, kind="stable")[:count]
    return tuple((int(place) // heads, int(place) % heads) for place in order)


def _largest(seen: Seen, slots: Slots, records: int) -> Tensor:
    slots.arrival.wait(*(one for one in (slots.keys, slots.offsets) if one is not None))
    groups = seen.key.shape[0]
    query = seen.query.float().reshape(groups, -1, *seen.query.shape[1:])  # (KV heads, heads to one, tokens, width)
    heads = slice(None) if slots.heads is None else list(slots.heads)
    logits = query[heads].flatten(1, 2) @ slots.keys.transpose(1, 2) * seen.scaling
    if slots.offsets is not None:
        logits = logits + slots.offsets[:, None]
    owners = slots.owners.to(logits.device).expand(logits.shape)
    least = torch.finfo(torch.float32).min
    most = logits.new_full((*logits.shape[:2], records), least).scatter_reduce(2, owners, logits, "amax")
    made: Tensor = most.new_zeros(groups, query.shape[1] * query.shape[2], records)
    made[heads] = most
    return made.reshape(*seen.query.shape[:2], records)


def _some(records: Sequence[Record]) -> list[Sequence[Record]]:
    """Returns the records in spans that are not too large to be placed together."""
    spans: list[Sequence[Record]] = []
    start, held = 0, 0
    for place_, record in enumerate(records):
        if held and held + len(record["tokens"]) > _AT_ONCE:
            spans.append(records[start:place_])
            start, held = place_, 0
        held += len(record["tokens"])
    return [*spans, records[start:]]
