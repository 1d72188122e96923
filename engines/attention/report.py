"""How much attention each memory got, and what the injection gate found."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from ...store.errors import EngineError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Attention", "Effects", "GateReport", "Shares"]

_PENDING = 64  # calls of a layer whose shares are summed together
_LARGE = 2**16  # shares that are summed at once


@dataclass(frozen=True, slots=True)
class GateReport:
    """What the injection gate found out about one model.

    Attributes:
        family: the model's type, for example ``"llama"``.
        layers: per layer how its keys take their positions (``"rope"`` or ``"nope"``), or, where the layer
            has a sliding window, ``"sliding: exempt"`` (memories are read in the other layers only) or
            ``"sliding: windowed"`` (all layers slide; memories are seen as far as the window reaches).
            Empty if the model was refused before that was known.
        max_relative_logit_diff: largest difference between the logits with memories injected and with their
            words in the prompt, over the standard deviation of the logits; None if it was not reached.
        greedy_equal: whether greedy generation gave the same tokens; None if it was not reached.
        verdict: ``"exact"`` or ``"refused"``.
        reason: why the model was refused, or empty.
    """

    family: str
    layers: tuple[str, ...]
    max_relative_logit_diff: float | None
    greedy_equal: bool | None
    verdict: str
    reason: str

    def as_dict(self) -> dict[str, object]:
        """Returns the report as JSON values, as ``tercet doctor --model --json`` prints it."""
        return {
            "family": self.family,
            "layers": list(self.layers),
            "max_relative_logit_diff": self.max_relative_logit_diff,
            "greedy_equal": self.greedy_equal,
            "verdict": self.verdict,
            "reason": self.reason,
        }


class Shares(tuple[float, ...]):
    """The share of the attention that each memory got, 0..1, in the order given; and the same by layer and head.

    Attributes:
        layers: numbers of the layers that read memories, counted from 0; the rows of `by_head`.
        by_head: shares, float32, shape (layers, heads, memories + 1), the context last; the last axis sums to one.
            A head that reads no memory gives all to the context. Where layers differ in their heads, what is missing
            is not a number.
    """

    layers: tuple[int, ...]
    by_head: npt.NDArray[np.float32]

    def __new__(
        cls,
        shares: Iterable[float] = (),
        *,
        layers: tuple[int, ...] = (),
        by_head: npt.NDArray[np.float32] | None = None,
    ) -> Self:
        """Makes shares of what was noted; without detail, of nothing."""
        made = super().__new__(cls, shares)
        made.layers = layers
        made.by_head = np.zeros((0, 0, len(made) + 1), np.float32) if by_head is None else by_head
        return made

    @property
    def by_layer(self) -> npt.NDArray[np.float32]:
        """Returns the means over the heads, shape (layers, memories + 1), the context last; rows sum to one."""
        return _over_heads(self.by_head)


@dataclass(frozen=True, slots=True)
class Effects:
    """How much likelier each memory made an answer: what the answer loses when that memory alone is taken away.

    The answer's tokens are given to the model behind the same prompt (teacher forcing): with all memories, without
    each of them in turn, and without any. A memory that is taken away is hidden from every query, of the prompt too;
    the others keep the bias they had, so that an effect is the memory's own and not that of others getting louder.
    Effects do not add up to `together`: two memories that say the same stand in for each other, and have none.

    This is leave-one-out, or erasure: the difference of log-likelihoods of Li, Monroe and Jurafsky (arXiv
    1612.08220), over whole memories as in ContextCite (arXiv 2409.00729, section 4).

    Attributes:
        tokens: how many tokens the answer has.
        likelihood: natural logarithm of the answer's likelihood with all memories, summed over its tokens.
        without: the same without each memory, in the order given.
        alone: the same without any.
    """

    tokens: int
    likelihood: float
    without: tuple[float, ...]
    alone: float

    @property
    def each(self) -> tuple[float, ...]:
        """Returns the effect of each memory, in nats; below zero where it spoke against the answer."""
        return tuple(self.likelihood - without for without in self.without)

    @property
    def together(self) -> float:
        """Returns the effect of all memories together, in nats."""
        return self.likelihood - self.alone


Ablation = Callable[[Sequence[int], Sequence[int]], Effects]


class Attention:
    """How much attention each memory got in one `attend` block, as exact shares of the softmax.

    The shares are means over the layers that read memories, their heads, and all query positions that passed
    through them (prompt and answer; padding aside). They hint at what was used; they do not prove it.

    Attributes:
        layers: numbers of the layers that read memories, counted from 0; the rows of `by_layer`.
        memories: how many there are.
        watched: whether shares are noted at all.
        reached: whether a forward pass has read the memories.
    """

    def __init__(
        self,
        memories: int,
        layers: tuple[int, ...],
        *,
        watched: bool = True,
        readers: Sequence[tuple[int, Sequence[int] | None]] = (),
    ) -> None:
        """Begins with nothing noted.

        Args:
            memories: how many there are.
            layers: numbers of the layers that read them.
            watched: whether shares are noted.
            readers: for each layer its KV heads, and which of them read memories, None if all do; left out, all do.
        """
        self.layers = layers
        self.watched = watched
        self.reached = False
        self.memories = memories
        self.ablation: Ablation | None = None  # while the block is open
        self._readers = readers
        self._sums: list[Tensor | None] = [None] * len(layers)
        self._pending: list[list[Tensor]] = [[] for _ in layers]
        self._queries: list[int | Tensor] = [0] * len(layers)
        self._lock = threading.Lock()

    def note(self, row: int, shares: Tensor, queries: int | Tensor) -> None:
        """Adds what one call of one layer gave; nothing is waited for or copied from a GPU, and sums are put off.

        Args:
            row: the layer's place in `layers`.
            shares: of each memory, zero where a query is padding, shape (memories, KV heads that read, rows of the
                batch, heads to a KV head, queries); or of each of its tokens, which are then the last dimension.
            queries: over how many rows, heads and queries, padding aside.
        """
        with self._lock:
            pending = self._pending[row]
            pending.append(shares.detach() if shares.requires_grad else shares)
            self._queries[row] = self._queries[row] + queries
            if len(pending) >= _PENDING or shares.numel() >= _LARGE:
                self._sum(row)

    def _sum(self, row: int) -> Tensor | None:
        """Returns the sum of a layer's shares until now, shape (memories, KV heads, heads to one); under the lock."""
        import torch

        pending, before = self._pending[row], self._sums[row]
        if not pending:
            return before
        both = torch.cat([shares.transpose(2, 3).flatten(3) for shares in pending], 3).sum(3)
        self._sums[row] = both if before is None else before + both
        pending.clear()
        return self._sums[row]

    @property
    def masses(self) -> Shares:
        """Returns the share of each memory, in the order given; with `local` they sum to one.

        Raises:
            EngineError: nothing has read the memories yet, or it was not watched.
        """
        heads = self.by_head
        means = _over_heads(heads).mean(0)
        return Shares(means[:-1].tolist(), layers=self.layers, by_head=heads)

    @property
    def local(self) -> float:
        """Returns the share of the context itself.

        Raises:
            EngineError: nothing has read the memories yet, or it was not watched.
        """
        return float(self.by_layer.mean(0)[-1])

    @property
    def by_layer(self) -> npt.NDArray[np.float32]:
        """Returns the shares per layer, shape (layers, memories + 1), the context last; rows sum to one.

        Raises:
            EngineError: nothing has read the memories yet, or it was not watched.
        """
        return _over_heads(self.by_head)

    @property
    def by_head(self) -> npt.NDArray[np.float32]:
        """Returns the shares per layer and head, as `Shares.by_head` has them; no heads if there are no memories.

        Raises:
            EngineError: nothing has read the memories yet, or it was not watched.
        """
        if not self.memories:
            return np.zeros((len(self.layers), 0, 1), np.float32)
        if not self.watched:
            raise EngineError("how much attention the memories got was not noted: attend with watch=True")
        with self._lock:
            pairs = [(self._sum(row), queries) for row, queries in enumerate(self._queries)]
        layers = [self._heads_of(row, sums, queries) for row, (sums, queries) in enumerate(pairs)]
        made = np.full((len(layers), max(map(len, layers), default=0), self.memories + 1), np.nan, np.float32)
        for whole, layer in zip(made, layers, strict=True):
            whole[: len(layer)] = layer
        return made

    def effects(self, prompt: Sequence[int], answer: Sequence[int]) -> Effects:
        """Returns how much likelier each memory makes an answer to a prompt; inside the block only.

        It takes as many rows of a forward pass as there are memories, and two. The shares noted so far stay as
        they are.

        Args:
            prompt: the tokens before the answer.
            answer: the tokens of the answer.

        Raises:
            EngineError: the block has ended, it was not watched, or the prompt or the answer has no token.
        """
        if not self.watched:
            raise EngineError("memories cannot be taken away one by one: attend with watch=True")
        if self.ablation is None:
            raise EngineError("the block in which the memories were attended to has ended; ask for effects inside it")
        self.reached = True
        return self.ablation(prompt, answer)

    def _heads_of(self, row: int, sums: Tensor | None, queries: int | Tensor) -> npt.NDArray[np.float32]:
        """Returns the shares of a layer's heads, shape (heads, memories + 1)."""
        if sums is None:
            raise EngineError(
                "the memories have not been read: no forward pass of this model has ended in this block "
                "(in another thread, generate must run inside contextvars.copy_context())"
            )
        found: npt.NDArray[np.float32] = sums.cpu().numpy()
        groups, readers = self._readers[row] if self._readers else (found.shape[1], None)
        made = np.zeros((self.memories, groups, found.shape[2]), np.float32)
        made[:, slice(None) if readers is None else list(readers)] = found
        shares = made.reshape(self.memories, -1).T * np.float32(made[0].size / max(1, int(queries)))
        return np.concatenate((shares, 1 - shares.sum(1, keepdims=True)), 1)


def _over_heads(by_head: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Returns the means over the heads; without heads, as without memories, the context has all."""
    if not by_head.shape[1]:
        return np.ones((len(by_head), 1), np.float32)
    means: npt.NDArray[np.float32] = np.nanmean(by_head, 1, dtype=np.float32)
    return means
