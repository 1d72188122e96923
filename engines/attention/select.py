"""Which tokens of a memory each KV head keeps.

Scores are given per KV head, summed over the query heads that share it. The reading of a memory's own tokens must be
*unmasked and position-free* (Memory³, arXiv 2407.01178): with the causal mask, early tokens are favoured merely
because more of the others can see them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from ...store.errors import EngineError
from .capture import Layer, Seen, trace
from .recipe import Score

__all__ = ["best", "scores"]

Weigh = Callable[[Tensor], Tensor]


def scores(
    model: PreTrainedModel,
    layers: Sequence[Layer],
    seen: Sequence[Seen],
    tokens: Sequence[int],
    *,
    drop: int,
    score: Score,
    questions: Sequence[Sequence[int]] = (),
) -> list[Tensor]:
    """Returns for each layer how much each token is worth, shape (KV heads, tokens without the dropped).

    Args:
        model: the model that will read the memory.
        layers: its layers.
        seen: from `trace` of ``tokens``.
        tokens: the memory, with what stands in front of it.
        drop: how many tokens stand in front.
        score: ``"memory3"``: how much the tokens attend to each other, without mask and positions;
            ``"probe"``: how much ``questions`` after the memory attend to it;
            ``"surprisal"``: minus the logarithm of a token's probability, the same in every head;
            ``"reconstruction"``: how much the memory, said again, attends to its first saying at most (KVzip).
        questions: tokens of each, for ``"probe"``.

    Raises:
        EngineError: the model's context has no room for a question or a second saying.
    """
    if score == "memory3":
        return [_among_themselves(model, layer, one, drop) for layer, one in zip(layers, seen, strict=True)]
    if score == "surprisal":
        worth = _surprisal(model, tokens)[drop:]
        return [worth.expand(layer.shape[0], -1) for layer in layers]
    room = _room(model) - len(tokens)
    if room < 1:
        raise EngineError(f"the model's context has no room after a memory of {len(tokens)} tokens to weigh them by")
    if score == "probe":
        passes = [list(question[:room]) for question in questions]
        return _attended(model, tokens, passes, drop, lambda weights: weights.sum(1))
    again = list(tokens[drop:])
    passes = [again[start : start + room] for start in range(0, len(again), room)]
    return _attended(model, tokens, passes, drop, lambda weights: weights.amax(1))


def best(worth: Tensor, count: int) -> Tensor:
    """Returns which tokens each KV head keeps, in their order, int64, shape (KV heads, count); the first win ties."""
    order = worth.float().argsort(dim=1, descending=True, stable=True)
    return order[:, :count].sort(1).values


def _among_themselves(model: PreTrainedModel, layer: Layer, seen: Seen, drop: int) -> Tensor:
    query, key = seen.query.float(), seen.key.float()
    if layer.rotation is not None:
        places = torch.arange(key.shape[1])
        query = layer.rotation.turn(model, seen.module, query, places, back=True)
        key = layer.rotation.turn(model, seen.module, key, places, back=True)
    return _products(query[:, drop:], key[:, drop:], seen.scaling).softmax(-1).sum(1)


def _surprisal(model: PreTrainedModel, tokens: Sequence[int]) -> Tensor:
    """Returns each token's surprisal in nats, shape (tokens,); the first, which nothing predicts, gets the mean."""
    ids = torch.tensor([tokens], device=model.device)
    with torch.no_grad():
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits[0, :-1].float()
    rest = -logits.log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
    first = rest.mean() if len(rest) else rest.new_zeros(())
    return torch.cat([first[None], rest])


def _attended(
    model: PreTrainedModel, tokens: Sequence[int], passes: Sequence[Sequence[int]], drop: int, weigh: Weigh
) -> list[Tensor]:
    """Returns how much what follows the memory attends to it, over several things that may follow."""
    length = len(tokens)
    found: list[Tensor] = []
    for after in passes:
        now = []
        for seen in trace(model, [*tokens, *after]):
            logits = _products(seen.query[:, length:].float(), seen.key.float(), seen.scaling)
            groups = seen.query.shape[0] // seen.key.shape[0]
            future = torch.ones(len(after), length + len(after), dtype=torch.bool, device=logits.device)
            logits = logits.masked_fill(future.triu(length + 1).repeat(groups, 1), -torch.inf)
            now.append(weigh(logits.softmax(-1)[..., drop:length]))
        found = [old + new for old, new in zip(found, now, strict=True)] if found else now
    return found


def _products(query: Tensor, key: Tensor, scaling: float) -> Tensor:
    """Returns scaled products, shape (KV heads, query heads of each times queries, keys)."""
    return query.reshape(key.shape[0], -1, key.shape[2]) @ key.transpose(1, 2) * scaling


def _room(model: PreTrainedModel) -> int:
    return int(getattr(model.config.get_text_config(), "max_position_embeddings", None) or 1 << 30)
