"""Records of JSON as transformers' ``generate`` takes them: a logits processor, and where to stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor
from transformers import LogitsProcessor, StoppingCriteria

from ..store.errors import EngineError, TercetError, UnsupportedModel
from .calls.vocabulary import Vocabulary
from .chat import NoRoom
from .json_records import END, Records, Spot

if TYPE_CHECKING:
    from .chat import Message
    from .local_model import LocalModel

__all__ = ["AtEnd", "JSONProcessor", "RecordWriter"]


class RecordWriter:
    """Lets a local model write records and nothing else.

    Raises:
        UnsupportedModel: its tokenizer cannot spell them byte by byte.
    """

    def __init__(self, model: LocalModel, name: str, fields: Sequence[str]) -> None:
        self._model = model
        self._records = Records(name, fields)
        self._vocabulary = Vocabulary(model.tokenizer)
        self._masks: dict[Spot, Tensor] = {}
        JSONProcessor(self._records, self._vocabulary, self._masks, prompt=0, max_tokens=1 << 20)

    def write(self, messages: Sequence[Message], *, max_tokens: int) -> str:
        """Returns the object, whole within ``max_tokens`` tokens.

        Raises:
            NoRoom: there is no room for a record, or the model had more to say.
            EngineError: the model failed.
        """
        model, context = self._model.model, self._model.layout(messages)
        most = min(max_tokens, self._model.room(len(context)))
        processor = JSONProcessor(self._records, self._vocabulary, self._masks, prompt=len(context), max_tokens=most)
        ids = torch.tensor([context], device=model.device)
        generate = cast("Callable[..., Tensor]", model.generate)
        try:
            found = generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                generation_config=self._model.settings(len(context), most),
                logits_processor=[processor],
                stopping_criteria=[AtEnd(processor, prompt=len(context))],
            )
        except TercetError:
            raise
        except Exception as error:
            raise EngineError(f"the model failed with {type(error).__name__}: {error}") from error
        answer = self._vocabulary.text(found[0, len(context) :].tolist())
        if processor.cut:
            cut = NoRoom(f"the answer was cut at {most} tokens; give max_tokens= more, or a shorter prompt")
            cut.answer = answer
            raise cut
        return answer


class JSONProcessor(LogitsProcessor):
    """Rules out what would leave the object, or leave it open at the last token.

    Args:
        records: what is to be written.
        vocabulary: of the model's tokenizer.
        masks: what may not come at places visited before, filled as places are visited.
        prompt: tokens before the answer.
        max_tokens: most of the answer.

    Raises:
        UnsupportedModel: the tokenizer has no token for a byte that JSON needs.
        NoRoom: too few tokens to write anything but an empty list.

    Attributes:
        cut: whether the object was closed before the model had ended it.
    """

    def __init__(
        self, records: Records, vocabulary: Vocabulary, masks: dict[Spot, Tensor], *, prompt: int, max_tokens: int
    ) -> None:
        self._records = records
        self._pieces = vocabulary.pieces
        self._by_first = vocabulary.by_first
        self._prompt = prompt
        self._max_tokens = max_tokens
        self._single = {piece[0]: token for token, piece in enumerate(self._pieces) if piece and len(piece) == 1}
        needed = set(records.closing(Spot(records.start.owed, 0, escaping=True)))
        if missing := needed - self._single.keys():
            raise UnsupportedModel(f"the tokenizer has no token for {bytes(sorted(missing))!r} alone")
        needed_tokens = records.longest_end + 1
        if max_tokens < needed_tokens:
            raise NoRoom(f"max_tokens={max_tokens} is too few for a record; give at least {needed_tokens}")
        self.cut = False
        self._spots: dict[tuple[int, ...], Spot] = {(): records.start}
        self._masks = masks

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Returns the scores, shape (batch, vocabulary), with minus infinity for tokens that may not come."""
        scores = scores.clone()
        for row, tokens in enumerate(input_ids[:, self._prompt :].tolist()):
            spot = self.spot(tuple(tokens))
            if spot.node == END and not spot.owed:
                continue
            left = self._max_tokens - len(tokens)
            forbidden = self._forbidden(spot, left, scores)
            if left <= self._records.longest_end and not self.cut:
                wanted = int(scores[row].masked_fill(self._weighed(spot, scores), -torch.inf).argmax())
                self.cut = not self._records.closing(spot).startswith(self._pieces[wanted] or b"")
            scores[row] = scores[row].masked_fill(forbidden, -torch.inf)
            if scores[row].max() == -torch.inf:  # the model itself rules out all that may come
                scores[row] = torch.zeros_like(scores[row]).masked_fill_(forbidden, -torch.inf)
        return scores

    def spot(self, tokens: tuple[int, ...]) -> Spot:
        """Returns where an answer stands."""
        if tokens not in self._spots:
            spot = self.spot(tokens[:-1])
            for byte in self._pieces[tokens[-1]] or b"":
                spot = self._records.step(spot, byte) or spot
            self._spots = {tokens[:-1]: self._spots[tokens[:-1]], tokens: spot}
        return self._spots[tokens]

    def _forbidden(self, spot: Spot, left: int, scores: Tensor) -> Tensor:
        end = self._records.closing(spot)
        if left <= self._records.longest_end:  # only the shortest way is sure to arrive
            forbidden = torch.ones(scores.shape[-1], dtype=torch.bool, device=scores.device)
            forbidden[self._single[end[0]]] = False
            return forbidden
        if spot not in self._masks:
            self._masks[spot] = self._weighed(spot, scores)
        return self._masks[spot]

    def _weighed(self, spot: Spot, scores: Tensor) -> Tensor:
        forbidden = torch.ones(scores.shape[-1], dtype=torch.bool)
        for byte, tokens in self._by_first.items():
            if self._records.step(spot, byte) is None:
                continue
            for token in tokens:
                if token < len(forbidden) and self._fits(spot, self._pieces[token] or b""):
                    forbidden[token] = False
        return forbidden.to(scores.device)

    def _fits(self, spot: Spot, piece: bytes) -> bool:
        at: Spot | None = spot
        for byte in piece:
            at = self._records.step(at, byte) if at else None
        return at is not None


class AtEnd(StoppingCriteria):
    """Stops where the object is whole."""

    def __init__(self, processor: JSONProcessor, *, prompt: int) -> None:
        self._processor = processor
        self._prompt = prompt

    def __call__(self, input_ids: Tensor, scores: Tensor, **_: object) -> Tensor:
        """Returns which rows are done, bool, shape (batch,)."""
        spots = [self._processor.spot(tuple(tokens)) for tokens in input_ids[:, self._prompt :].tolist()]
        return torch.tensor([spot.node == END and not spot.owed for spot in spots], device=input_ids.device)
