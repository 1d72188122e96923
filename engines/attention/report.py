"""How much attention each memory got, and what the injection gate found."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...store.errors import EngineError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Attention", "GateReport"]

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

    def __init__(self, memories: int, layers: tuple[int, ...], *, watched: bool = True) -> None:
        self.layers = layers
        self.watched = watched
        self.reached = False
        self.memories = memories
        self._sums: list[Tensor | None] = [None] * len(layers)
        self._pending: list[list[Tensor]] = [[] for _ in layers]
        self._queries: list[int | Tensor] = [0] * len(layers)
        self._lock = threading.Lock()

    def note(self, row: int, shares: Tensor, queries: int | Tensor) -> None:
        """Adds what one call of one layer gave; nothing is waited for or copied from a GPU, and sums are put off.

        Args:
            row: the layer's place in `layers`.
            shares: of each memory and, last, of the context, zero where a query is padding, shape (memories + 1,
                KV heads, rows).
            queries: over how many rows, heads and queries, padding aside.
        """
        with self._lock:
            pending = self._pending[row]
            pending.append(shares.detach() if shares.requires_grad else shares)
            self._queries[row] = self._queries[row] + queries
            if len(pending) >= _PENDING or shares.numel() >= _LARGE:
                self._sum(row)

    def _sum(self, row: int) -> Tensor | None:
        """Returns the sum of a layer's shares until now, shape (memories,); under the lock."""
        import torch

        pending, before = self._pending[row], self._sums[row]
        if not pending:
            return before
        both = torch.cat(pending, 2)[:-1].sum((1, 2))
        self._sums[row] = both if before is None else before + both
        pending.clear()
        return self._sums[row]

    @property
    def by_layer(self) -> npt.NDArray[np.float32]:
        """Returns the shares per layer, shape (layers, memories + 1), the context last; rows sum to one.

        Raises:
            EngineError: nothing has read the memories yet, or it was not watched.
        """
        if not self.memories:
            return np.ones((len(self.layers), 1), np.float32)
        if not self.watched:
            raise EngineError("how much attention the memories got was not noted: attend with watch=True")
        with self._lock:
            pairs = [(self._sum(row), queries) for row, queries in enumerate(self._queries)]
        rows = []
        for sums, queries in pairs:
            if sums is None:
                raise EngineError(
                    "the memories have not been read: no forward pass of this model has ended in this block "
                    "(in another thread, generate must run inside contextvars.copy_context())"
                )
            shares = (sums / max(1, int(queries))).cpu().numpy()
            rows.append(np.append(shares, np.float32(1) - shares.sum(dtype=np.float32)))
        return np.asarray(rows, np.float32)

    @property
    def masses(self) -> tuple[float, ...]:
        """Returns the share of each memory, in the order given; with `local` they sum to one.

        Raises:
            EngineError: nothing has read the memories yet.
        """
        return tuple(float(share) for share in self.by_layer.mean(0)[:-1])

    @property
    def local(self) -> float:
        """Returns the share of the context itself.

        Raises:
            EngineError: nothing has read the memories yet.
        """
        return float(self.by_layer.mean(0)[-1])
