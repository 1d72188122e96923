"""What a read returns: an ordered, explained list of recollections, ready for a prompt or for attention."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, overload

from ..engines.prompt import approximate_tokens, render
from ..store.errors import InvalidInput
from ..store.note import Note
from .chains import Answer

if TYPE_CHECKING:
    from ..engines.attention import Attention
    from ..engines.attention.attend import Bias

__all__ = ["Recall", "Recollection", "Why"]

Attender = Callable[[Sequence[Note], "Bias", Any, Any], AbstractContextManager["Attention"]]

_QUIETER = 1.5  # the power of its rank by which a memory is quieter than the best (docs/attention.md)
_LEAST = math.exp(-4)  # that a recall without any confidence is heard


@dataclass(frozen=True, slots=True)
class Why:
    """Why a memory came.

    Attributes:
        votes: form -> its score for this note, 0..1 within this read; forms that did not find it are missing. Beside
            the forms vote the asked "time", "facts" that answer the question, a "bridge" (a rare name shared with one
            of the best notes), and a reranker ("rerank").
        path: the way through the graph that led to it, names and relations in turn; empty if none did.
    """

    votes: Mapping[str, float]
    path: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Returns one line for people."""
        told = ", ".join(f"{name} {score:.2f}" for name, score in self.votes.items())
        return f"{told}; {self.way}" if self.path else told

    @property
    def way(self) -> str:
        """Returns the path as a line: ``Theo ←sister of— Lena —works at→ Saltmarsh Bakery``; empty without one."""
        told = self.path[0] if self.path else ""
        for relation, name in zip(self.path[1::2], self.path[2::2], strict=True):
            if relation == "alias":
                told += f" ≈ {name}"
            elif relation.startswith("← "):
                told += f" ←{relation[2:]}— {name}"
            else:
                told += f" —{relation}→ {name}"
        return told


@dataclass(frozen=True, slots=True)
class Recollection:
    """One memory that came back.

    Attributes:
        note: the memory.
        score: higher is better; comparable within one recall only.
        why: which form voted, with what score, along which path.
    """

    note: Note
    score: float
    why: Why


class Recall(Sequence[Recollection]):
    """The memories that came back, best first; a sequence of `Recollection`.

    Attributes:
        cue: what was asked.
        answers: what the facts say, best first: the ends of chains of facts that the question's words describe, each
            with its way there; empty where no facts lead anywhere.
        confidence: how likely the memory holds anything on it, 0..1, by the nearest note's vector; None without
            vectors of an embedder that was calibrated, as the default one is. It tells questions about other things
            apart; that one detail was never told, it does not notice.
    """

    def __init__(
        self,
        cue: str,
        found: Sequence[Recollection],
        attender: Attender,
        confidence: float | None = None,
        answers: Sequence[Answer] = (),
    ) -> None:
        self.cue = cue
        self.answers = tuple(answers)
        self.confidence = confidence
        self._found = tuple(found)
        self._attender = attender

    @overload
    def __getitem__(self, place: int) -> Recollection: ...
    @overload
    def __getitem__(self, place: slice) -> Recall: ...
    def __getitem__(self, place: int | slice) -> Recollection | Recall:
        """Returns one recollection, or a shorter recall."""
        if isinstance(place, slice):
            return Recall(self.cue, self._found[place], self._attender, self.confidence, self.answers)
        return self._found[place]

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Recollection]:
        return iter(self._found)

    def __repr__(self) -> str:
        return f"Recall({self.cue[:60]!r}, {len(self)} memories)"

    @property
    def notes(self) -> tuple[Note, ...]:
        """The notes, best first."""
        return tuple(found.note for found in self._found)

    @property
    def bias(self) -> tuple[float, ...]:
        """How loud each memory is in attention: the logarithm of its part, the larger the better it fits.

        Parts fall with the rank, as one over its power 1.5, and are alike where scores are; together they are as much
        as the recall's confidence, or one where it has none, and never over 4 quieter than one. Not with the score:
        the second note of a question of two hops comes soon behind the first, and far below it. Alike for all, as
        the engine has it, it would be minus log N.
        """
        ranks: dict[float, int] = {}
        for rank, score in enumerate(sorted((found.score for found in self), reverse=True), 1):
            ranks.setdefault(score, rank)
        quieter = [_QUIETER * math.log(ranks[found.score]) for found in self]
        whole = math.log(sum(math.exp(-one) for one in quieter)) if quieter else 0.0
        sure = math.log(max(1.0 if self.confidence is None else self.confidence, _LEAST))
        return tuple(sure - whole - one for one in quieter)

    def of(self, found: Sequence[Recollection]) -> Recall:
        """Returns a recall of these memories instead, for the same question."""
        return Recall(self.cue, found, self._attender, self.confidence, self.answers)

    def without(self, ids: Collection[str]) -> Recall:
        """Returns the recall without some notes, and without answers that rest on no others."""
        gone = set(ids)
        answers = [
            answer for answer in self.answers if not any(gone.issuperset(step.fact.notes) for step in answer.path.steps)
        ]
        found = [found for found in self._found if found.note.id not in gone]
        return Recall(self.cue, found, self._attender, self.confidence, answers)

    def reordered(self, scores: Sequence[float]) -> Recall:
        """Returns the recall in the order of other scores, one for each memory, added to its own.

        Both are brought to 0..1 first, each by its least and its greatest, and so stand in what is returned.
        """
        if len(scores) != len(self):
            raise InvalidInput(f"{len(scores)} scores for {len(self)} memories; give one for each")
        both = zip(_even([found.score for found in self]), _even(scores), strict=True)
        added = [replace(found, score=own + other) for found, (own, other) in zip(self, both, strict=True)]
        return Recall(
            self.cue, sorted(added, key=lambda found: -found.score), self._attender, self.confidence, self.answers
        )

    def prompt(self, *, budget: int | None = None, count: Callable[[str], int] = approximate_tokens) -> str:
        """Returns the memories as words: one fixed, escaped data block.

        Args:
            budget: most tokens of the whole block; memories that do not fit are left out, the last first.
            count: counts the tokens of a text; a model's own counter is exact.

        Returns:
            The block, or an empty string when nothing was recalled or nothing fits.
        """
        return render(self.notes, budget=budget, count=count)

    def attend(
        self,
        model: Any,  # noqa: ANN401
        *,
        tokenizer: Any = None,  # noqa: ANN401
        bias: Bias | None = None,
    ) -> AbstractContextManager[Attention]:
        """Puts the memories into a model's attention for the length of a ``with`` block.

        Inside the block ``model.generate(...)`` attends to the keys and values of every memory; the prompt is
        not touched. Afterwards the model is as it was.

        Args:
            model: a transformers causal language model, or a `tercet.engines.LocalModel`.
            tokenizer: the model's own; found by the model's name or folder when left out.
            bias: how loud the memories are: None for `Recall.bias`, ``"log_n"`` for all alike, or numbers that are
                added to the logits, one for all or one for each.

        Returns:
            A context manager that yields an `Attention`: how much attention each memory got, once the model ran.

        Raises:
            UnsupportedModel: the injection gate refused the model; the message says why.
        """
        return self._attender(self.notes, self.bias if bias is None else bias, model, tokenizer)


def _even(scores: Sequence[float]) -> list[float]:
    low, high = min(scores, default=0.0), max(scores, default=0.0)
    return [(score - low) / ((high - low) or 1.0) for score in scores]
