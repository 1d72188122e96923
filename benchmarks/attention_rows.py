"""What `attention.py` measures: one answer, the rows of its table, and how they are printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

__all__ = ["Row", "Timing", "row_of", "table_of"]


@dataclass(frozen=True, slots=True)
class Timing:
    """One answer, in seconds.

    Attributes:
        load: until the memories are in RAM, from files.
        near: the same, from the store's copies in RAM.
        place: from there until they stand where they are read.
        first: from there until the first token is known.
        token: per further token.
    """

    load: float
    near: float
    place: float
    first: float
    token: float


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of an arm: first quartile, median and third quartile.

    Attributes:
        memories: how many.
        batch: rows answered at once.
        arm: which.
        rounds: how often.
        load_ms: milliseconds of loading from files.
        near_ms: milliseconds of loading from RAM.
        place_ms: milliseconds of placing.
        first_ms: milliseconds from there to the first token.
        ttft_ms: all together, from files: the time to first token.
        token_ms: milliseconds per further token, of the whole batch.
        ttft_ratio: time to first token over that with no memory.
        near_ratio: the same where the memories are in RAM.
        first_ratio: the same without loading and placing.
        share: of the time to first token that loading from files and placing take.
        near_share: the same from RAM.
        decode_ratio: tokens per second over those with no memory.
    """

    memories: int
    batch: int
    arm: str
    rounds: int
    load_ms: tuple[float, float, float]
    near_ms: tuple[float, float, float]
    place_ms: tuple[float, float, float]
    first_ms: tuple[float, float, float]
    ttft_ms: tuple[float, float, float]
    token_ms: tuple[float, float, float]
    ttft_ratio: float
    near_ratio: float
    first_ratio: float
    share: float
    near_share: float
    decode_ratio: float


def row_of(arm: str, times: Sequence[Timing], base: Sequence[Timing], *, memories: int, batch: int) -> Row:
    """Returns the row of an arm that took ``times``, where no memory took ``base``."""
    ttft = [timing.load + timing.place + timing.first for timing in times]
    warm = [timing.near + timing.place + timing.first for timing in times]
    own = float(np.median([timing.load + timing.place + timing.first for timing in base]))
    first, token = [timing.first for timing in times], [timing.token for timing in times]
    return Row(
        memories,
        batch,
        arm,
        len(times),
        _quartiles([timing.load for timing in times]),
        _quartiles([timing.near for timing in times]),
        _quartiles([timing.place for timing in times]),
        _quartiles(first),
        _quartiles(ttft),
        _quartiles(token),
        round(float(np.median(ttft)) / own, 3),
        round(float(np.median(warm)) / own, 3),
        round(float(np.median(first)) / own, 3),
        round(float(np.median([1 - timing.first / whole for timing, whole in zip(times, ttft, strict=True)])), 4),
        round(float(np.median([1 - timing.first / whole for timing, whole in zip(times, warm, strict=True)])), 4),
        round(float(np.median([timing.token for timing in base]) / np.median(token)), 3),
    )


def _quartiles(seconds: Sequence[float]) -> tuple[float, float, float]:
    first, median, third = (round(float(np.percentile(seconds, percent)) * 1e3, 3) for percent in (25, 50, 75))
    return first, median, third


def table_of(rows: Sequence[Row], title: str) -> Table:
    """Returns the table that is printed."""
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    headings = ("load ms", "from RAM", "place ms", "share %", "first token ms", "TTFT ratio", "ms/token", "decode")
    for heading in ("memories", "batch", "arm", *headings):
        table.add_column(heading, justify="left" if heading == "arm" else "right", no_wrap=True)
    for row in rows:
        table.add_row(
            f"{row.memories:,}",
            f"{row.batch}",
            row.arm,
            f"{row.load_ms[1]:,.1f}",
            f"{row.near_ms[1]:,.1f}",
            f"{row.place_ms[1]:,.1f}",
            f"{100 * row.share:.1f} / {100 * row.near_share:.1f}",
            "{1:,.1f} [{0:,.1f}, {2:,.1f}]".format(*row.first_ms),
            f"{row.ttft_ratio:.2f} ({row.first_ratio:.2f})",
            "{1:,.2f} [{0:,.2f}, {2:,.2f}]".format(*row.token_ms),
            f"{row.decode_ratio:.2f}",
        )
    return table
