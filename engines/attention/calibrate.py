"""Finding the KV heads that read memories.

Most heads never read far back: in released models 12 to 20 in 100 KV heads hold all the retrieval heads. The rest of a
memory's keys and values can be left out, and which these are is different in every model. A head counts as reading
by how much of its attention lies on the very token of the memory that the answer goes on with (retrieval score);
what is needed is then found by leaving out, down to the smallest set that keeps the gain and still says the same: a
set may gain more than all heads do, by leaving out what all of them would have said.

Memory and question are run as one prompt under a mask for each head, which is, by the injection gate, the same as
reading the memory with these heads alone, and many pairs go through the model at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ...store.errors import EngineError
from .calibration import Calibration
from .engine import AttentionEngine
from .function import Call, Listener, Output, listening
from .pairs import Pairs, make_pairs
from .recipe import SMALL, Heads
from .writing import stored_bytes

__all__ = ["calibrate"]

_HELD_OUT = 0.25
_LEAST_PAIRS = 8
_BATCH = 32
_TOKENS = 128  # of the memory whose bytes are told
Visible = Sequence[Tensor]  # for each layer which KV heads read, bool, shape (KV heads,)


def calibrate(
    engine: AttentionEngine,
    *,
    pairs: int = 200,
    keep: float = 0.995,
    agree: float = 0.95,
    texts: Sequence[str] = (),
    seed: int = 0,
    on_progress: Callable[[int], None] | None = None,
) -> Calibration:
    """Returns the smallest set of KV heads found that keeps the gain of memory; it is not written anywhere.

    Args:
        engine: of the model.
        pairs: memories with questions; a quarter of them only measures what was found.
        keep: share of the gain that must be kept, of how much memory lowers the surprisal of answers. A pair
            has one memory: with 0.99 a model may keep too few heads to choose among several.
        agree: share that must be kept of the square of what memory does to answers' log-probabilities, up or down.
        texts: to cut memories from, in place of the model's own.
        seed: the same seed finds the same heads.
        on_progress: called with 1 for each set that was tried.

    Raises:
        EngineError: memory does not help this model at all.
    """
    if pairs < _LEAST_PAIRS or not (0 < keep <= 1 and 0 <= agree <= 1):
        raise EngineError(
            f"calibrating needs at least {_LEAST_PAIRS} pairs, and shares from 0 to 1 to keep and to agree in, not "
            f"pairs={pairs}, keep={keep}, agree={agree}"
        )
    chosen, held_out = make_pairs(engine.model, engine.tokenizer, pairs, texts=texts, seed=seed).split(
        pairs - int(pairs * _HELD_OUT)
    )
    trial = _Trial(engine, chosen, on_progress or (lambda _: None))
    everything = _visible(
        engine, [(n, head) for n, layer in enumerate(engine.layers) for head in range(layer.shape[0])]
    )
    order, full = trial.scored(everything)
    none = trial.told(_visible(engine, []))
    gain = _helps(full, none)
    moved = float((full - none).square().mean())

    def enough(heads: Sequence[tuple[int, int]]) -> bool:
        told = trial.told(_visible(engine, heads))
        off = float((full - told).square().mean())
        return float((told - none).mean()) >= keep * gain and off <= (1 - agree) * moved

    few, many = 0, len(order)
    while few + 1 < many:  # `few` of the best are too few, `many` are enough
        middle = (few + many) // 2
        few, many = (few, middle) if enough(order[:middle]) else (middle, many)
    kept = order[:many]
    for head in reversed(order[:many]):
        without = [other for other in kept if other != head]
        if without and enough(without):
            kept = without
    return _measured(engine, kept, held_out, trial)


def _measured(engine: AttentionEngine, kept: Sequence[tuple[int, int]], held_out: Pairs, trial: _Trial) -> Calibration:
    """Returns the calibration, with what it costs on pairs that chose nothing."""
    fresh = replace(trial, pairs=held_out)
    layers = engine.layers
    every = [(number, head) for number, layer in enumerate(layers) if layer.remembers for head in range(layer.shape[0])]
    none, full, few = (fresh.answers(_visible(engine, heads)) for heads in ([], every, kept))
    gain = _helps(full.told, none.told)
    heads: Heads = tuple(tuple(sorted(head for n, head in kept if n == number)) for number in range(len(layers)))
    return Calibration(
        fingerprint=engine.model_fingerprint,
        family=engine.report.family,
        heads=heads,
        heads_of=len(every),
        pairs=len(trial.pairs),
        held_out=len(held_out),
        gain=gain,
        gain_kept=float((few.told - none.told).mean()) / gain,
        divergence=_divergence(full, few),
        divergence_none=_divergence(full, none),
        bytes_all=stored_bytes(layers, SMALL, _TOKENS),
        bytes_kept=stored_bytes(layers, replace(SMALL, heads=heads), _TOKENS),
    )


def _helps(full: Tensor, none: Tensor) -> float:
    """Returns by how many nats a token memory makes answers less surprising.

    Raises:
        EngineError: it does not.
    """
    gain = float((full - none).mean())
    if not gain > 0:
        raise EngineError(
            f"memory does not help this model to answer (its answers are {-gain:.3f} nats a token more surprising with "
            "it), so there is nothing to choose heads by; all of them keep memories, or give it texts that it knows"
        )
    return gain


def _divergence(true: _Answers, other: _Answers) -> float:
    return float((true.logs.exp() * (true.logs - other.logs)).sum(-1).mean())


def _visible(engine: AttentionEngine, heads: Sequence[tuple[int, int]]) -> Visible:
    visible = [torch.zeros(layer.shape[0], dtype=torch.bool) for layer in engine.layers]
    for number, head in heads:
        visible[number][head] = engine.layers[number].remembers
    return visible


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the model says of every answer.

    Attributes:
        logs: log-probabilities, float32, shape (pairs, answer, vocabulary).
        told: log-probability of the answer itself, shape (pairs, answer).
    """

    logs: Tensor
    told: Tensor


@dataclass(frozen=True, slots=True)
class _Trial:
    """Runs pairs under masks of heads."""

    engine: AttentionEngine
    pairs: Pairs
    on_progress: Callable[[int], None]

    def told(self, visible: Visible) -> Tensor:
        """Returns the log-probability of every answer's tokens, shape (pairs, answer)."""
        found = [self._run(batch, visible).told for batch in self._batches()]
        self.on_progress(1)
        return torch.cat(found)

    def answers(self, visible: Visible) -> _Answers:
        """Returns what the model says of every answer of all pairs."""
        found = [self._run(batch, visible) for batch in self._batches()]
        return _Answers(torch.cat([one.logs for one in found]), torch.cat([one.told for one in found]))

    def scored(self, visible: Visible) -> tuple[list[tuple[int, int]], Tensor]:
        """Returns the KV heads that may read, as (layer, head), best retrieval score first, and what `told` does."""
        layers = self.engine.layers
        sums = [torch.zeros(layer.shape[0], device=self.engine.model.device) for layer in layers]
        told = [self._run(batch, visible, sums).told for batch in self._batches()]
        self.on_progress(1)
        order = sorted(
            ((-float(score), number, head) for number, row in enumerate(sums) for head, score in enumerate(row)),
        )
        heads = [(number, head) for _, number, head in order if layers[number].remembers]
        return heads, torch.cat(told)

    def _batches(self) -> list[Pairs]:
        rest, batches = self.pairs, []
        while len(rest):
            first, rest = rest.split(_BATCH)
            batches.append(first)
        return batches

    def _run(self, pairs: Pairs, visible: Visible, sums: Sequence[Tensor] | None = None) -> _Answers:
        """Runs memory and question as one prompt: first token, memory, first token, question, answer."""
        model, first = self.engine.model, self.engine.tokenizer.bos_token_id
        front = pairs.memories.new_full((len(pairs), 0 if first is None else 1), first or 0)
        tokens = torch.cat([front, pairs.memories, front, pairs.contexts], 1)
        layout = _Layout(front.shape[1], pairs, tokens.shape[1])
        listeners: dict[nn.Module, Listener | None] = {}
        for number, layer in enumerate(self.engine.layers):
            mask = layout.mask(visible[number], layer.window).to(model.device)
            note = None if sums is None else sums[number]
            listeners[model.get_submodule(layer.path)] = _masked(mask, layout, note)
        with torch.no_grad(), listening(model, listeners):
            logits = model(input_ids=tokens, attention_mask=torch.ones_like(tokens), use_cache=False).logits
        logs = logits[:, -pairs.answer - 1 : -1].float().log_softmax(-1)
        answer = tokens[:, -pairs.answer :, None]
        return _Answers(logs, logs.gather(2, answer)[..., 0])


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where things stand in the prompt: ``front`` tokens before memory and question each."""

    front: int
    pairs: Pairs
    length: int

    def mask(self, visible: Tensor, window: int | None) -> Tensor:
        """Returns who sees whom, bool, shape (KV heads, tokens, tokens)."""
        context = self.front + self.pairs.memories.shape[1]
        places = torch.arange(self.length)
        distance = places[:, None] - places
        seen = distance >= 0 if window is None else (distance >= 0) & (distance < window)
        mask = seen.repeat(len(visible), 1, 1)
        mask[:, context:, : self.front] = False
        mask[:, context:, self.front : context] &= visible.cpu()[:, None, None]
        return mask

    def reading(self, weights: Tensor) -> Tensor:
        """Returns the weight on the token that comes next, for each that an answer goes on from.

        Args:
            weights: of the last ``answer`` + 1 queries but the last, shape (pairs, heads, answer, tokens).
        """
        next_one = self.front + self.pairs.starts[:, None] + torch.arange(self.pairs.answer).to(weights.device)
        return weights.gather(3, next_one[:, None, :, None].expand(-1, weights.shape[1], -1, 1))[..., 0]


def _masked(mask: Tensor, layout: _Layout, note: Tensor | None) -> Listener:
    def answer(call: Call) -> Output:
        groups = call.query.shape[1] // mask.shape[0]
        own = mask.repeat_interleave(groups, 0)
        added = torch.zeros(own.shape, dtype=call.query.dtype, device=own.device)
        added = added.masked_fill(~own, torch.finfo(call.query.dtype).min)[None]
        if note is not None:
            rows = slice(-layout.pairs.answer - 1, -1)
            scaling = call.number("scaling") or call.query.shape[-1] ** -0.5
            keys = call.key.repeat_interleave(groups, 1).float()
            products = call.query[:, :, rows].float() @ keys.transpose(2, 3) * scaling + added[:, :, rows].float()
            read = layout.reading(products.softmax(-1)).sum((0, 2))  # (heads,)
            note.add_(read.reshape(-1, groups).amax(1))
        return replace(call, mask=added).plain()

    return answer
