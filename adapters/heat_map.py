"""Shares of the attention as a picture: rows, columns, a number and a colour for each cell; drawn elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..engines.attention.report import Shares
from ..store.errors import InvalidInput

__all__ = ["COLOURS", "HeatMap", "heads_of", "memories_by_layer", "nats", "percent"]

COLOURS = (
    ("#440154", "#ffffff"),
    ("#46327e", "#ffffff"),
    ("#365c8d", "#ffffff"),
    ("#267483", "#ffffff"),
    ("#1fa187", "#000000"),
    ("#4ac16d", "#000000"),
    ("#a0da39", "#000000"),
    ("#fde725", "#000000"),
)
"""The ramp, from little to much, each with the colour of what is written on it: viridis, which needs no hue to be told.

It is the same on dark and on light, because no cell's ink or ground is left to what is around it.
"""


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A table of shares with its names.

    Attributes:
        title: what is shown.
        row: what a row is.
        column: what a column is.
        rows: the name of each row.
        columns: the name of each column.
        shares: 0..1, shape (rows, columns); not a number where there is no such cell.
        context: whether the last row is the prompt's own share, which has a number but no colour.
    """

    title: str
    row: str
    column: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    shares: npt.NDArray[np.float32]
    context: bool

    @property
    def most(self) -> float:
        """Returns the largest share that has a colour; it has the last one."""
        coloured = self.shares[:-1] if self.context else self.shares
        return float(np.nanmax(coloured)) if coloured.size else 0.0

    def level(self, row: int, column: int) -> int | None:
        """Returns the place of a cell's colour in `COLOURS`, None for hardly anything, and for the prompt."""
        share = float(self.shares[row, column])
        if (self.context and row == len(self.rows) - 1) or not share > self.most / (2 * len(COLOURS)):
            return None
        return min(len(COLOURS) - 1, int(len(COLOURS) * share / self.most))

    def narrowed(self, most: int) -> HeatMap:
        """Returns the map with at most so many columns, each the mean of its neighbours."""
        count = len(self.columns)
        if count <= most:
            return self
        size = -(-count // max(1, most))
        starts = range(0, count, size)
        shares = [_mean(self.shares[:, start : start + size]) for start in starts]
        ends = [min(start + size, count) - 1 for start in starts]
        columns = tuple(
            self.columns[start] if start == end else f"{self.columns[start]}-{self.columns[end]}"
            for start, end in zip(starts, ends, strict=True)
        )
        return HeatMap(self.title, self.row, self.column, self.rows, columns, np.stack(shares, 1), self.context)


def memories_by_layer(shares: Shares) -> HeatMap:
    """Returns how much each memory got in each layer, and last what stayed with the prompt."""
    names = (*(str(place + 1) for place in range(len(shares))), "prompt")
    layers = tuple(str(layer) for layer in shares.layers)
    return HeatMap("Memories by layers", "memory", "layer", names, layers, shares.by_layer.T, context=True)


def heads_of(shares: Shares, number: int) -> HeatMap:
    """Returns how much one memory got from each head of each layer.

    Args:
        shares: of a reply.
        number: of the memory, counted from 1.

    Raises:
        InvalidInput: there is no such memory.
    """
    if not 1 <= number <= len(shares):
        raise InvalidInput(f"there is no memory {number}; {_recalled(len(shares))}")
    found = shares.by_head[:, :, number - 1].T
    heads = tuple(str(head) for head in range(len(found)))
    layers = tuple(str(layer) for layer in shares.layers)
    return HeatMap(f"Memory {number}: heads by layers", "head", "layer", heads, layers, found, context=False)


def nats(effect: float) -> str:
    """Returns an effect for people, with its sign, unless it is nothing."""
    return f"{effect:+.2f}" if abs(effect) >= 0.005 else "0.00"


def percent(share: float) -> str:
    """Returns a share as a number of at most three characters, in percent; a dot for nearly none."""
    if not share >= 0.0005:
        return "" if share != share else "·"
    return f"{100 * share:.1f}" if share < 0.0995 else f"{100 * share:.0f}"


def _recalled(count: int) -> str:
    if not count:
        return "none was recalled"
    return "one was recalled" if count == 1 else f"{count} were recalled, numbered from 1"


def _mean(shares: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Returns the means of rows, of what is there; not a number where nothing is."""
    counts = np.count_nonzero(~np.isnan(shares), 1)
    means: npt.NDArray[np.float32] = np.where(counts, np.nansum(shares, 1) / np.maximum(counts, 1), np.nan)
    return means.astype(np.float32)
