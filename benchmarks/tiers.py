"""How often an explicit memory is found near, under a budget of bytes: Tercet's tier beside the two usual ways.

The trace is synthetic, and made here: 10,000 memories are asked for by Zipf's law (exponent 0.9); after every 2,000
uses 2 in 100 of them change places in its order (drift); after every 10,000 uses 2,000 neighbours are asked for once
each (a scan, as an export or a rebuild makes it). Sizes are equal, or lognormal (sigma 0.7). The budget is 256 MiB,
which is 5 or 20 in 100 of all bytes. LRU drops what was used the longest time ago, LFU what was used the fewest times
for its size.

    python benchmarks/tiers.py [--uses N] [--json FILE]
"""

from __future__ import annotations

import json
import sys
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.machine import machine  # noqa: E402

from tercet.store.tier import Tier  # noqa: E402

MEMORIES = 10_000
USES = 200_000
BUDGET = 256 * 2**20
SHARES = (0.05, 0.2)
DRIFTS = {"drift": 0.02, "fast drift": 0.1, "no drift": 0.0}
_DRIFT_EVERY, _SCAN_EVERY, _SCAN = 2_000, 10_000, 2_000
Cache = Callable[[Sequence[int], Sequence[int], int], float]


@dataclass(frozen=True, slots=True)
class Rates:
    """Hit rates of one trace.

    Attributes:
        trace: how the popularity of memories moves.
        sizes: ``"equal"`` or ``"lognormal"``.
        share: of the budget in all bytes.
        lru: hits by uses.
        lfu: hits by uses.
        tercet: hits by uses.
    """

    trace: str
    sizes: str
    share: float
    lru: float
    lfu: float
    tercet: float


def trace(memories: int, uses: int, *, drift: float, seed: int = 0) -> list[int]:
    """Returns which memory is used, use by use."""
    random = np.random.default_rng(seed)
    chance = 1 / np.arange(1, memories + 1) ** 0.9
    order = random.permutation(memories)
    found: list[int] = []
    while len(found) < uses:
        for _ in range(_SCAN_EVERY // _DRIFT_EVERY):
            found += order[random.choice(memories, _DRIFT_EVERY, p=chance / chance.sum())].tolist()
            moved = random.choice(memories, int(memories * drift), replace=False)
            order[moved] = order[random.permutation(moved)]
        start = int(random.integers(0, memories))
        found += [(start + step) % memories for step in range(min(_SCAN, memories))]
    return found[:uses]


def sizes_of(kind: str, memories: int, total: int, *, seed: int = 1) -> list[int]:
    """Returns the bytes of each memory, ``total`` or a little less together."""
    drawn = np.random.default_rng(seed).lognormal(0, 0.7, memories) if kind == "lognormal" else np.ones(memories)
    return [int(size) for size in np.floor(drawn / drawn.sum() * total)]


def lru(used: Sequence[int], sizes: Sequence[int], budget: int) -> float:
    """Returns the hit rate where the least recently used goes."""
    kept: OrderedDict[int, int] = OrderedDict()
    hits = nbytes = 0
    for key in used:
        if key in kept:
            hits += 1
            kept.move_to_end(key)
            continue
        while nbytes + sizes[key] > budget and kept:
            nbytes -= kept.popitem(last=False)[1]
        if sizes[key] <= budget:
            kept[key] = sizes[key]
            nbytes += sizes[key]
    return hits / len(used)


def tercet(used: Sequence[int], sizes: Sequence[int], budget: int, *, half_life: int | None = None) -> float:
    """Returns the hit rate of Tercet's tier, having checked after every use that it kept to its budget."""
    tier: Tier[int, int] = Tier(budget, half_life=half_life)
    hits = 0
    for key in used:
        if tier.get(key) is None:
            tier.put(key, key, sizes[key])
        else:
            hits += 1
        if tier.nbytes > budget:
            raise AssertionError(f"{tier.nbytes} bytes are kept under a budget of {budget}")
    return hits / len(used)


def lfu(used: Sequence[int], sizes: Sequence[int], budget: int) -> float:
    """Returns the hit rate of the same tier where uses do not age."""
    return tercet(used, sizes, budget, half_life=10**12)


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--memories", type=click.IntRange(min=10), default=MEMORIES, show_default=True, help="How many.")
@click.option("--uses", type=click.IntRange(min=10), default=USES, show_default=True, help="Of each trace.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(memories: int, uses: int, json_path: Path | None) -> None:
    """Prints the hit rates and writes them as JSON."""
    console, found = Console(), []
    for name, drift in DRIFTS.items():
        used = trace(memories, uses, drift=drift)
        for kind in ("equal", "lognormal"):
            for share in SHARES:
                sizes = sizes_of(kind, memories, int(BUDGET / share))
                rates = (round(cache(used, sizes, BUDGET), 4) for cache in (lru, lfu, tercet))
                found.append(Rates(name, kind, share, *rates))
    table = Table("trace", "sizes", "budget", "LRU", "LFU", "Tercet", "over LRU", box=SIMPLE_HEAD)
    for row in found:
        told = (f"{rate:.3f}" for rate in (row.lru, row.lfu, row.tercet))
        table.add_row(row.trace, row.sizes, f"{row.share:.0%}", *told, f"{row.tercet - row.lru:+.3f}")
    console.print(table)
    if json_path is None and (memories, uses) == (MEMORIES, USES):
        json_path = ROOT / "benchmarks" / "results" / "tiers.json"
    if json_path:
        whole = {
            "benchmark": "tiers",
            "memories": memories,
            "uses": uses,
            "budget": BUDGET,
            "machine": machine(),
            "rows": [asdict(row) for row in found],
        }
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(whole, indent=2) + "\n")


if __name__ == "__main__":
    main()
