"""The grammar of calls as transformers' ``generate`` takes it: a logits processor, and where to stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers import LogitsProcessor, StoppingCriteria

from ...store.errors import EngineError
from .acceptor import CLOSED, FREE, State
from .constraint import DEAD, Place
from .grammar import OPENERS

if TYPE_CHECKING:
    from .constraint import CallConstraint

__all__ = ["AtClosing", "CallProcessor", "Row"]


@dataclass(frozen=True, slots=True)
class Row:
    """Where one text of a batch stands.

    Attributes:
        place: in the grammar.
        spent: tokens of the call that is open; 0 outside.
        cut: whether the call that is open, or has just ended, was kept short by a limit.
    """

    place: Place
    spent: int = 0
    cut: bool = False

    @property
    def closed(self) -> bool:
        """Whether a call ended with the last token."""
        return self.place.state == CLOSED


@dataclass(frozen=True, slots=True)
class _Prices:
    """What tokens do at a place: see `CallConstraint.prices`.

    Attributes:
        every: int16, shape (vocabulary,).
        dead: which may never come, bool, the same shape; None if there is none.
        dearest: the highest price of the others: with so many tokens left, no limit is felt.
    """

    every: Tensor
    dead: Tensor | None
    dearest: int


class CallProcessor(LogitsProcessor):
    """Rules out what would leave the grammar, or leave a call open at a limit; see `CallConstraint.processor`.

    Every row of a batch stands where its own tokens lead, so rows may change places, as beams do.

    Attributes:
        prompt: how many tokens each row begins with.
    """

    def __init__(
        self, constraint: CallConstraint, *, prompt: int, max_tokens: int, call_tokens: int, start: State
    ) -> None:
        self._constraint = constraint
        self.prompt = prompt
        self._max_tokens = max_tokens
        self._call_tokens = call_tokens
        self._start = Row(Place(start))
        self._rows: dict[tuple[int, ...], Row] = {(): self._start}
        self._prices: dict[Place, _Prices] = {}

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Returns the scores, shape (batch, vocabulary), with minus infinity for tokens that may not come."""
        scores = scores.clone()
        texts = [tuple(tokens) for tokens in input_ids[:, self.prompt :].tolist()]
        rows: dict[tuple[int, ...], Row] = {}
        for place, tokens in enumerate(texts):
            row = self._row(tokens)
            if row.closed:
                row = Row(Place(FREE))
            left = self._max_tokens - len(tokens) - 1  # after this token
            if left < 0:
                raise EngineError(
                    f"token {len(tokens) + 1} is asked for, and the processor was made for {self._max_tokens} behind "
                    f"a prompt of {self.prompt}; give it generate's max_new_tokens, and a new one to each generate"
                )
            within = min(left, self._call_tokens - row.spent - 1)
            prices = self._priced(row.place, scores)
            forbidden = prices.dead
            if prices.dearest > within:
                forbidden = prices.every > within
                row = Row(row.place, row.spent, cut=row.spent > 0)
            rows[tokens] = row
            if forbidden is None:
                continue
            kept = scores[place].masked_fill_(forbidden, -torch.inf)
            if kept.max() == -torch.inf:  # another processor had ruled out whatever may come
                scores[place] = torch.zeros_like(kept).masked_fill_(forbidden, -torch.inf)
        self._rows = rows
        return scores

    def text(self, tokens: list[int]) -> str:
        """Returns the text of generated tokens."""
        return self._constraint.vocabulary.text(tokens)

    def row(self, tokens: list[int]) -> Row:
        """Returns where a text of generated tokens stands."""
        return self._row(tuple(tokens))

    def _row(self, tokens: tuple[int, ...]) -> Row:
        if tokens in self._rows:
            return self._rows[tokens]
        known = tokens[:-1] in self._rows
        row = self._rows[tokens[:-1]] if known else self._start
        for token in tokens[-1:] if known else tokens:
            row = self._moved(row, token)
        return row

    def _moved(self, row: Row, token: int) -> Row:
        pieces = self._constraint.vocabulary.pieces
        piece = pieces[token] if token < len(pieces) else None
        if row.closed:
            row = Row(Place(FREE))
        moved = self._constraint.after(row.place, piece) if piece else row.place
        if moved is None:  # only tokens that were not chosen under this processor lead here
            return Row(Place(FREE))
        if moved.state == CLOSED or moved.state.mode in OPENERS:
            return Row(moved, row.spent + 1, row.cut and row.spent > 0)
        return Row(moved)

    def _priced(self, place: Place, scores: Tensor) -> _Prices:
        """Returns the prices of a place for every number that the model scores."""
        if place not in self._prices:
            known = torch.from_numpy(self._constraint.prices(place).copy())
            size = scores.shape[-1]
            beyond = known.new_full((max(0, size - len(known)),), 0 if place.state.outside else DEAD)
            every = torch.cat((known, beyond))[:size].to(scores.device)
            dead = every == DEAD
            dearest = int(every.masked_fill(dead, 0).max())
            self._prices[place] = _Prices(every, dead if bool(dead.any()) else None, dearest)
        return self._prices[place]


class AtClosing(StoppingCriteria):
    """Stops each text of a batch where a call ends, or where it holds ``end``, if that is not empty."""

    def __init__(self, processor: CallProcessor, *, end: str = "") -> None:
        self._processor = processor
        self._end = end

    def __call__(self, input_ids: Tensor, scores: Tensor, **_: object) -> Tensor:
        """Returns which rows are done, bool, shape (batch,)."""
        texts = input_ids[:, self._processor.prompt :].tolist()
        return torch.tensor([self._done(tokens) for tokens in texts], device=input_ids.device)

    def _done(self, tokens: list[int]) -> bool:
        return self._processor.row(tokens).closed or bool(self._end and self._end in self._processor.text(tokens))
