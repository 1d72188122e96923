"""One softmax over memories and context, in parts.

A softmax over many keys is the mean of the softmaxes over parts of them, weighted by the softmax of the parts'
log-sum-exps. Here the context is one part and every memory is one. So memories are read exactly, also with capped
logits and with attention sinks, and the weights say, at next to no cost, what each memory was given.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from threading import Lock
from typing import Self

import torch
from torch import Tensor

from ...store.errors import UnsupportedModel
from . import kernels
from .function import Call, Output
from .lane import Arrival
from .report import Attention

__all__ = ["Reader", "matmul_attention"]

_PUT_OFF = 2**14  # shares of tokens above which those of a memory are added up at once
_HIDDEN = -1e4  # a log-sum-exp below this means that the query saw no key: it is padding


class Reader:
    """Lets one attention layer read memories beside its context.

    All rows of a batch read the same memories. So their queries stand side by side as if they were one row, and the
    memories are gone through once for all of them.
    """

    def __init__(
        self,
        keys: Tensor,
        values: Tensor,
        owners: Tensor,
        places: Tensor,
        bias: float | Tensor,
        window: int | None,
        row: int,
        attention: Attention,
        offsets: Tensor | None = None,
        heads: Sequence[int] | None = None,
        arrival: Arrival | None = None,
    ) -> None:
        """Takes what is to be read, on its way as it may be; nothing is computed here.

        Args:
            keys: rotated to their places, shape (1, KV heads, tokens, width).
            values: shape (1, KV heads, tokens, value width).
            owners: which memory each token belongs to, ascending, shape (tokens,).
            places: position of each token, below zero, shape (tokens,), or (KV heads, tokens) where heads differ.
            bias: added to every memory logit, or to those of each memory, shape (memories, 1, 1).
            window: the layer's sliding window in tokens, or None if it sees everything.
            row: the layer's row in ``attention``.
            attention: where the masses are noted.
            offsets: added to the logits of each token, -inf where a KV head has none, shape (KV heads, tokens).
            heads: which KV heads of the layer these are, if not all.
            arrival: when all of this is there; None if it is.
        """
        self._bias = bias
        self._window, self._row, self._attention = window, row, attention
        self._hidden: Tensor | None = None
        self._flat: tuple[Tensor, Tensor] | None = None  # keys and values, all parts in a row
        self._constant: Tensor | None = None  # what is added to all logits, where it is the same for all queries
        self._lock = Lock()  # threads may come to a block at once; one of them lays its memories out
        self._given: _Given | None = _Given(keys, values, owners, places, offsets, heads, arrival or Arrival())

    def _arrive(self) -> None:
        """Waits for the memories, on the stream that reads them, and lays them out, each padded to the longest."""
        given = self._given
        if given is None:
            return
        given.arrival.wait(*(one for one in (given.keys, given.values, given.places, given.offsets) if one is not None))
        keys, values, owners, offsets = given.keys, given.values, given.owners.cpu(), given.offsets
        places = given.places.reshape(-1, given.places.shape[-1]).to(keys.device)
        heads: Tensor | slice | None = None
        if given.heads is not None:
            first, *others = given.heads
            every = range(first, given.heads[-1] + 1, others[0] - first if others else 1)
            even = tuple(every) == tuple(given.heads)  # as one or two always are; of such a view is enough
            heads = slice(first, every.stop, every.step) if even else torch.tensor(given.heads, device=keys.device)
        if offsets is not None:
            offsets = offsets.float().clamp_min(kernels.LEAST)
        lengths = torch.bincount(owners, minlength=self._attention.memories)
        longest = int(lengths.max())
        room = len(lengths) * longest
        if room > len(owners):
            # Each memory at the end of its own room. What is left of the room is zero, and hidden.
            slots = torch.arange(len(owners)) + ((owners + 1) * longest - lengths.cumsum(0)[owners])
            slots = slots.to(keys.device)
            if offsets is None:
                offsets = keys.new_zeros(1, len(owners), dtype=torch.float32)
            keys, values = _spread(keys, 2, slots, room), _spread(values, 2, slots, room)
            offsets, places = _spread(offsets, 1, slots, room, kernels.LEAST), _spread(places, 1, slots, room)
        parts = len(lengths) if self._attention.watched or isinstance(self._bias, Tensor) else 1
        self._heads = heads
        self._values = values.reshape(values.shape[1], parts, -1, values.shape[-1]).transpose(0, 1)
        self._places = places.reshape(len(places), parts, 1, -1).transpose(0, 1)
        self._offsets = None if offsets is None else offsets.reshape(len(offsets), parts, 1, -1).transpose(0, 1)
        self._keys = keys.reshape(keys.shape[1], parts, -1, keys.shape[-1]).transpose(0, 1)
        self._given = None

    def hiding(self, hidden: Tensor) -> Self:
        """Returns a reader that notes nothing, and whose rows of a batch each see other memories.

        Args:
            hidden: true where a row does not see a memory, shape (batch, memories); the parts must be memories.
        """
        with self._lock:
            self._arrive()
            made = copy(self)
        made._hidden, made._attention = hidden, Attention(self._attention.memories, (), watched=False)
        return made

    def __call__(self, call: Call) -> Output:
        """Returns the layer's output as if the memories stood before its context."""
        if call.options.get("position_bias") is not None:
            raise UnsupportedModel("its attention adds a learned position bias, which memories do not have")
        self._settle(call.query)
        own = _own(call)
        self._attention.reached = True
        batch, groups = call.key.shape[:2]
        if self._hidden is None and own.weights is None and kernels.few(call.query, groups, cap=call.number("softcap")):
            return self._at_once(call, own), None
        spans = [
            _Span(batch, groups, self._heads, start, stop)
            for start, stop in kernels.spans(call.query, self._keys.shape[0] * self._keys.shape[2])
        ]
        joined, kept = zip(*(self._join(call, own, span) for span in spans), strict=True)
        weights = own.weights
        if weights is not None:
            whole = torch.ones_like(own.local)
            parts = [span.back(share, whole) for span, share in zip(spans, kept, strict=True)]
            weights = weights * torch.cat(parts, 2)[..., None].to(weights.dtype)
        output = joined[0] if len(joined) == 1 else torch.cat(joined, 2)
        return output.to(own.output.dtype).transpose(1, 2).contiguous(), weights

    def _settle(self, query: Tensor) -> None:
        """Moves the memories, once, to where the layer computes, in the dtype that it computes in."""
        if self._given is None and self._keys.dtype == query.dtype and self._keys.device == query.device:
            return
        with self._lock:
            self._arrive()
            if self._keys.dtype == query.dtype and self._keys.device == query.device:
                return
            self._values, self._places = self._values.to(query), self._places.to(query.device)
            self._offsets = None if self._offsets is None else self._offsets.to(query.device)
            self._heads = self._heads.to(query.device) if isinstance(self._heads, Tensor) else self._heads
            self._bias = self._bias.to(query.device) if isinstance(self._bias, Tensor) else self._bias
            self._keys = self._keys.to(query)

    def _join(self, call: Call, own: _Own, span: _Span) -> tuple[Tensor, Tensor]:
        """Returns a span of the output with the memories in it, and what share of each row its context keeps.

        Shapes: (batch, heads, queries, value width) and (1, KV heads that read, rows).
        """
        rows, mask = span.rows(call.query), self._mask(call, span)
        scaling, cap = call.number("scaling"), call.number("softcap")
        every = rows.expand(self._keys.shape[0], -1, -1, -1)
        read, sums = kernels.attention(every, self._keys, self._values, mask=mask, scaling=scaling, cap=cap)
        sums = sums + self._bias
        if self._hidden is not None:
            hidden = self._hidden.T.to(sums.device)[:, None].repeat_interleave(sums.shape[2] // span.batch, 2)
            sums = sums.masked_fill(hidden, -torch.inf)
        both = torch.cat((sums, span.rows(own.local))).softmax(0)
        output = span.rows(own.output).to(read.dtype)
        joined = (torch.cat((read, output)) * both[..., None]).sum(0, keepdim=True)
        shares, kept = both[:-1], both[-1:]
        if self._attention.watched:
            shape = (*shares.shape[:2], span.batch, call.query.shape[1] // span.groups, -1)
            if own.seen is None:
                self._attention.note(self._row, shares.reshape(shape), span.cut(own.local).numel())
            else:
                noted = (shares * span.rows(own.seen)).reshape(shape)
                self._attention.note(self._row, noted, span.cut(own.seen).sum())
        return span.back(joined, own.output), kept

    def _at_once(self, call: Call, own: _Own) -> Tensor:
        """Returns the layer's output where few rows ask, as when a token is decoded: every operation counts there.

        It is written over what the layer made of its context alone.
        """
        batch, groups = call.key.shape[:2]
        parts, heads, tokens = self._keys.shape[:3]
        read = slice(None) if self._heads is None else self._heads
        query, output, local = (_asking(one, groups)[read] for one in (call.query, own.output, own.local))
        if self._flat is None:
            keys, values = (one.transpose(0, 1).reshape(heads, -1, one.shape[3]) for one in (self._keys, self._values))
            self._flat = keys, values
        joined, weights = kernels.beside(
            query, *self._flat, added=self._added(call), output=output, local=local, scaling=call.number("scaling")
        )
        if self._attention.watched:
            shares = weights[..., :-1].reshape(heads, batch, -1, call.query.shape[2], parts, tokens)
            if shares.numel() > _PUT_OFF:
                shares = shares.sum(-1, keepdim=True)
            seen = own.seen
            if seen is not None:
                shares = shares * _grouped(seen, groups)[read][..., None, None]
            queries = own.local.numel() if seen is None else seen.sum()
            self._attention.note(self._row, shares.permute(4, 0, 1, 2, 3, 5), queries)
        _grouped(own.output, groups)[read] = joined.view(heads, batch, -1, *own.output.shape[2:])
        return own.output.transpose(1, 2).contiguous()

    def _added(self, call: Call) -> Tensor:
        """Returns what is added to logits, all parts in a row, shape (KV heads, rows, tokens), or with ones in it."""
        if self._constant is not None:
            return self._constant
        mask = self._mask(call, _Span(len(call.key), call.key.shape[1], self._heads, 0, call.query.shape[2]))
        added = torch.as_tensor(self._bias).reshape(-1, 1, 1, 1)
        if mask is not None:
            added = added + kernels.additive(mask)
        added = added.expand(self._keys.shape[0], -1, -1, self._keys.shape[2]).permute(1, 2, 0, 3).flatten(2)
        if self._window is None:
            self._constant = added
        return added

    def _mask(self, call: Call, span: _Span) -> Tensor | None:
        """Returns what is added to logits, in shape (parts, KV heads, rows, tokens) or with ones in it."""
        if self._window is None:
            return self._offsets
        positions = call.tensor("position_ids")
        if positions is None:
            raise UnsupportedModel("its sliding-window layers are not told the positions of their queries")
        heads = call.query.shape[1]
        rows = span.rows(positions[:, None].expand(span.batch, heads, -1))[0, 0]
        near = rows[:, None] - self._places < self._window
        return near if self._offsets is None else self._offsets.where(near, kernels.LEAST)


@dataclass(frozen=True, slots=True)
class _Given:
    """What a reader was given, and has not laid out yet."""

    keys: Tensor
    values: Tensor
    owners: Tensor
    places: Tensor
    offsets: Tensor | None
    heads: Sequence[int] | None
    arrival: Arrival


@dataclass(frozen=True, slots=True)
class _Own:
    """What a layer makes of its context alone.

    Attributes:
        output: shape (batch, heads, queries, value width).
        local: log-sum-exp of its logits and sinks, float32, shape (batch, heads, queries).
        seen: false for queries that are padding, in the shape of ``local``; None if none is.
        weights: what the model's own function gave out beside the output, or None.
    """

    output: Tensor
    local: Tensor
    seen: Tensor | None
    weights: Tensor | None


def _own(call: Call) -> _Own:
    """Computes a layer's own part: by a kernel that gives both, or by the model's function and its logits again."""
    key, value, mask = _visible(call)
    scaling, cap = call.number("scaling"), call.number("softcap")
    weights = None
    if call.standard:
        output, local = kernels.attention(call.query, key, value, mask=mask, causal=call.causal, scaling=scaling)
    else:
        output, weights = call.plain()
        output = output.transpose(1, 2)
        local = kernels.log_sum_exp(call.query, key, mask=mask, causal=call.causal, scaling=scaling, cap=cap)
    seen = None if mask is None or call.query.shape[2] == 1 else local.detach() > _HIDDEN
    return _Own(output, _with_sinks(call, local), seen, weights)


@dataclass(frozen=True, slots=True)
class _Span:
    """A span of queries, which can be put into one row for each KV head, and back.

    Attributes:
        batch: rows of the batch.
        groups: KV heads.
        readers: those of them that read memories, or None if all do.
        start: the first query.
        stop: the one after the last.
    """

    batch: int
    groups: int
    readers: Tensor | slice | None
    start: int
    stop: int

    def cut(self, tensor: Tensor) -> Tensor:
        """Returns the span of a tensor of shape (batch, heads, queries, ...)."""
        if self.stop - self.start == tensor.shape[2]:
            return tensor
        return tensor[:, :, self.start : self.stop]

    def rows(self, tensor: Tensor) -> Tensor:
        """Turns shape (batch, heads, queries, ...) into (1, KV heads that read, rows, ...)."""
        part = self._rows(tensor)
        if self.readers is None:
            return part
        return part[:, self.readers] if isinstance(self.readers, slice) else part.index_select(1, self.readers)

    def back(self, part: Tensor, whole: Tensor) -> Tensor:
        """Undoes `rows`; heads that read nothing keep what they have in ``whole``."""
        if isinstance(self.readers, slice):
            readers = self.readers
            part = self._rows(whole).to(part.dtype).slice_scatter(part, 1, readers.start, readers.stop, readers.step)
        elif self.readers is not None:
            part = self._rows(whole).to(part.dtype).index_copy(1, self.readers, part)
        shape = (self.batch, -1, self.stop - self.start, *part.shape[3:])
        if self.batch == 1:
            return part.reshape(shape)
        return part.reshape(self.groups, *shape).transpose(0, 1).reshape(shape)

    def _rows(self, tensor: Tensor) -> Tensor:
        """Returns shape (1, KV heads, rows, ...)."""
        part, rest = self.cut(tensor), tensor.shape[3:]
        if self.batch > 1:
            part = part.reshape(self.batch, self.groups, -1, self.stop - self.start, *rest).transpose(0, 1)
        return part.reshape(1, self.groups, -1, *rest)


def matmul_attention(call: Call) -> Output:
    """Returns the plain attention of a layer by matrix products instead of the base's kernel, no memory in it.

    It is the second opinion from which the gate learns how far two right kernels differ in the model's dtype.
    """
    key, value, mask = _visible(call)
    output, local = kernels.products(
        call.query,
        key,
        value,
        mask=mask,
        causal=call.causal,
        scaling=call.number("scaling"),
        cap=call.number("softcap"),
    )
    share = (local - _with_sinks(call, local)).exp()[..., None].to(output.dtype)
    return (output * share).transpose(1, 2).contiguous(), None


def _grouped(tensor: Tensor, groups: int) -> Tensor:
    """Returns a view of shape (batch, heads, ...) as (KV heads, batch, heads to one, ...)."""
    return tensor.view(len(tensor), groups, -1, *tensor.shape[2:]).transpose(0, 1)


def _asking(tensor: Tensor, groups: int) -> Tensor:
    """Returns shape (batch, heads, queries, ...) as (KV heads, rows, ...): a view where there is one query in all."""
    if len(tensor) == tensor.shape[2] == 1:
        return tensor.view(groups, -1, *tensor.shape[3:])
    return _grouped(tensor, groups).flatten(1, 3)


def _visible(call: Call) -> tuple[Tensor, Tensor, Tensor | None]:
    """Returns keys, values and mask as far as they go together."""
    if call.causal:
        # A static cache hands over keys that are not written yet; sdpa leaves them out in just this case.
        queries = call.query.shape[2]
        return call.key[:, :, :queries], call.value[:, :, :queries], None
    return call.key, call.value, None if call.mask is None else call.mask[..., : call.key.shape[2]]


def _with_sinks(call: Call, local: Tensor) -> Tensor:
    sinks = call.tensor("s_aux")
    return local if sinks is None else torch.logaddexp(local, sinks.float().reshape(1, -1, 1))


def _spread(tensor: Tensor, dimension: int, slots: Tensor, room: int, rest: float = 0) -> Tensor:
    """Returns a tensor of ``room`` slots along a dimension: its entries where they now stand, and the rest."""
    shape = list(tensor.shape)
    shape[dimension] = room
    return tensor.new_full(shape, rest).index_copy(dimension, slots.to(tensor.device), tensor)
