"""One softmax over memories and context, in two parts.

The model's own kernel computes the attention over the context. With ``l`` the log-sum-exp of the context's
logits and ``s`` the logits of the memories, the joint softmax gives every memory token the weight
``exp(s - L)`` and leaves the context's output the share ``exp(l - L)``, where ``L`` is the log-sum-exp of
both. This is exact, also with capped logits and with attention sinks, and it says what each memory was given.
All of it is computed in float32, whatever the model's dtype.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ...store.errors import UnsupportedModel
from .function import Call, Output
from .report import Attention

__all__ = ["Reader", "matmul_attention"]

_SCORES = 2**24  # logits held at a time: 64 MiB
_HIDDEN = -1e4  # a log-sum-exp below this means that the query saw no key: it is padding


@dataclass(frozen=True, slots=True)
class Reader:
    """Lets one attention layer read memories beside its context.

    Attributes:
        keys: rotated to their places, float32, shape (1, KV heads, tokens, width).
        values: float32, shape (1, KV heads, tokens, value width).
        owners: which memory each token belongs to, shape (tokens,).
        places: position of each token, below zero, shape (tokens,), or (KV heads, tokens) where heads differ.
        bias: added to every memory logit.
        window: the layer's sliding window in tokens, or None if it sees everything.
        row: the layer's row in ``attention``.
        attention: where the masses are noted.
        offsets: added to the logits of each token, -inf where a KV head has none, shape (KV heads, tokens).
    """

    keys: Tensor
    values: Tensor
    owners: Tensor
    places: Tensor
    bias: float
    window: int | None
    row: int
    attention: Attention
    offsets: Tensor | None = None

    def __call__(self, call: Call) -> Output:
        """Returns the layer's output as if the memories stood before its context."""
        if call.options.get("position_bias") is not None:
            raise UnsupportedModel("its attention adds a learned position bias, which memories do not have")
        output, weights = call.plain()
        keys, values = self.keys.to(output.device), self.values.to(output.device)
        masses = keys.new_zeros(keys.shape[2])
        queries = keys.new_zeros(())
        joined, shares = [], []
        for start, stop in _spans(call, keys.shape[2]):
            local = _log_sum_exp(call, start, stop)
            seen = (local > _HIDDEN)[..., None]
            sinks = call.tensor("s_aux")
            if sinks is not None:
                local = torch.logaddexp(local, sinks.float().reshape(1, -1, 1))
            logits = _logits(call, call.query[:, :, start:stop], keys) + self.bias
            if self.offsets is not None:
                logits = logits + _per_head(call, self.offsets.to(logits.device))[:, None]
            if self.window is not None:
                logits = logits.masked_fill(~self._within(self.window, call, start, stop), -torch.inf)
            total = torch.logaddexp(local, logits.logsumexp(-1)).clamp_min(torch.finfo(torch.float32).min)
            share = (local - total).exp()[..., None]
            weight = (logits - total[..., None]).exp()
            own = output[:, start:stop].transpose(1, 2).float()
            joined.append((own * share + _weigh(weight, values)).transpose(1, 2))
            shares.append(share)
            masses = masses + (weight.detach() * seen).sum((0, 1, 2))
            queries = queries + seen.sum()
        self.attention.note(self.row, masses, self.owners, queries)
        if weights is not None:
            weights = weights * torch.cat(shares, 2).to(weights.dtype)
        return torch.cat(joined, 1).to(output.dtype), weights

    def _within(self, window: int, call: Call, start: int, stop: int) -> Tensor:
        """Returns which query's window holds which memory token, shape (batch or 1, heads or 1, queries, tokens)."""
        positions = call.tensor("position_ids")
        if positions is None:
            raise UnsupportedModel("its sliding-window layers are not told the positions of their queries")
        places = self.places.to(positions.device)
        shared = places[None] if places.dim() == 1 else _per_head(call, places)
        return (positions[:, None, start:stop, None] - shared[:, None]) < window


def _per_head(call: Call, shared: Tensor) -> Tensor:
    """Returns what is given per KV head for every head that shares it, shape (heads, ...)."""
    return shared.repeat_interleave(call.query.shape[1] // shared.shape[0], 0)


def matmul_attention(call: Call) -> Output:
    """Returns the plain attention of a layer by matrix products instead of the base's kernel, no memory in it.

    It is the second opinion from which the gate learns how far two right kernels differ in the model's dtype.
    """
    parts = []
    for start, stop in _spans(call, 0):
        logits = _local_logits(call, start, stop)
        total = logits.logsumexp(-1)
        sinks = call.tensor("s_aux")
        if sinks is not None:
            total = torch.logaddexp(total, sinks.float().reshape(1, -1, 1))
        weight = (logits - total[..., None]).exp().to(call.value.dtype)
        parts.append(_weigh(weight, call.value[:, :, : logits.shape[-1]]).transpose(1, 2))
    return torch.cat(parts, 1), None


def _spans(call: Call, memory: int) -> Iterator[tuple[int, int]]:
    """Yields spans of queries whose logits fit into the budget."""
    batch, heads, queries, _ = call.query.shape
    rows = max(1, _SCORES // (batch * heads * max(memory, call.key.shape[2])))
    for start in range(0, queries, rows):
        yield start, min(start + rows, queries)


def _log_sum_exp(call: Call, start: int, stop: int) -> Tensor:
    """Returns the log-sum-exp of the context's logits, sinks aside, shape (batch, heads, queries)."""
    return _local_logits(call, start, stop).logsumexp(-1)


def _local_logits(call: Call, start: int, stop: int) -> Tensor:
    """Returns the logits of a span of queries against the context, -inf or the mask's least where hidden."""
    queries = call.query.shape[2]
    key = call.key
    if call.causal:
        # A static cache hands over keys that are not written yet; sdpa leaves them out in just this case.
        key = key[:, :, :queries]
    logits = _logits(call, call.query[:, :, start:stop], key)
    if call.mask is not None:
        mask = call.mask[..., : key.shape[2]].expand(-1, -1, queries, -1)[:, :, start:stop]
        return logits.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else logits + mask.float()
    if call.causal:
        future = torch.ones(stop - start, key.shape[2], dtype=torch.bool, device=key.device).triu(start + 1)
        return logits.masked_fill(future, -torch.inf)
    return logits


def _logits(call: Call, query: Tensor, key: Tensor) -> Tensor:
    """Returns scaled, capped logits in float32, shape (batch, heads, queries, keys); KV heads are shared."""
    scaling, cap = call.number("scaling"), call.number("softcap")
    batch, heads, queries, width = query.shape
    grouped = query.float().reshape(batch, key.shape[1], -1, width)
    logits = (grouped @ key.float().transpose(2, 3)).reshape(batch, heads, queries, -1)
    logits = logits * (width**-0.5 if scaling is None else scaling)
    return logits if cap is None else cap * torch.tanh(logits / cap)


def _weigh(weight: Tensor, values: Tensor) -> Tensor:
    """Returns the weighted sum of values, shape (batch, heads, queries, value width)."""
    batch, heads, queries, tokens = weight.shape
    grouped = weight.reshape(batch, values.shape[1], -1, tokens)
    return (grouped @ values).reshape(batch, heads, queries, -1)
