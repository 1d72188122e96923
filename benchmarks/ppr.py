"""Times Personalized PageRank on graphs of many edges: Tercet's, and those of networkx and igraph where installed.

The graph is synthetic: half of each edge's ends fall on a few nodes (a heavy tail, as names have), nodes are a
quarter of the edges, and a query starts from 10 nodes. A read uses power
iteration up to 200,000 edges, and local forward push above. networkx and igraph rebuild or walk their own structures;
the time to build is not counted for any of them. The difference is the largest of any node's probability to power
iteration's; of the push, "of bound" is the largest share of its bound, epsilon times the degree, that is missing.

    python benchmarks/ppr.py [--edges N ...] [--largest] [--json FILE]
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from scipy.sparse import coo_array, csr_array

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.machine import machine  # noqa: E402

from tercet.store.forward_push import EPSILON, pushed_pagerank  # noqa: E402
from tercet.store.pagerank import personalized_pagerank  # noqa: E402

DAMPING = 0.7
TOLERANCE = 1e-9
EDGES = (100_000, 1_000_000)
LARGEST = 10_000_000
POWER, PUSH = "Tercet, power iteration", "Tercet, forward push"
QUERIES = 10
SEEDS = 10
SLOW = 5.0  # seconds of a query after which a peer is asked no further one
Scores = npt.NDArray[np.float64]
Ranker = Callable[[Scores], Scores]


@dataclass(frozen=True, slots=True)
class Timed:
    """One ranker on one graph.

    Attributes:
        edges: asked for; those that fall together are one.
        ranker: its name.
        queries: how many were asked.
        p50_ms: median milliseconds of a query.
        p95_ms: likewise; the slowest where there are few.
        cpu_ms: median milliseconds of processor time, which says more where others use the machine.
        difference: largest difference of a probability to power iteration's, over all queries and nodes.
        same_top: mean share of power iteration's best 50 nodes that are among its best 50.
        of_bound: largest share of epsilon times its degree that a node misses; only of the push.
    """

    edges: int
    ranker: str
    queries: int
    p50_ms: float
    p95_ms: float
    cpu_ms: float
    difference: float
    same_top: float
    of_bound: float | None = None


def heavy_tailed(edges: int, *, seed: int = 0) -> csr_array:
    """Returns a symmetric graph whose degrees fall off as a power, shape (edges / 4, edges / 4)."""
    random = np.random.default_rng(seed)
    nodes = max(4, edges // 4)
    left = random.integers(0, nodes, edges)
    right = np.minimum((nodes * random.random(edges) ** 3).astype(np.int64), nodes - 1)
    kept = left != right
    ends = np.concatenate([left[kept], right[kept]]), np.concatenate([right[kept], left[kept]])
    graph = coo_array((np.ones(len(ends[0])), ends), shape=(nodes, nodes)).tocsr()
    graph.sum_duplicates()
    return graph


def resets(nodes: int, *, queries: int, seed: int = 1) -> list[Scores]:
    """Returns one reset vector per query, with weight on 10 nodes."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(queries):
        reset = np.zeros(nodes)
        reset[random.integers(0, nodes, SEEDS)] = random.random(SEEDS) + 0.1
        found.append(reset)
    return found


def power(graph: csr_array) -> Ranker:
    """Tercet's own over the whole graph."""
    return lambda reset: personalized_pagerank(graph, reset, damping=DAMPING, tolerance=TOLERANCE)


def push(graph: csr_array) -> Ranker:
    """Tercet's own near the seeds; the degrees are kept with the graph, as in a read."""
    degree = degrees(graph)
    return lambda reset: pushed_pagerank(graph, reset, degree=degree, damping=DAMPING)


def degrees(graph: csr_array) -> Scores:
    """Returns the sum of each node's weights."""
    return np.asarray(graph.sum(axis=0), np.float64).ravel()


def networkx(graph: csr_array) -> Ranker | None:
    """networkx.pagerank on a built graph, or None where it is not installed."""
    try:
        import networkx as nx
    except ModuleNotFoundError:
        return None
    built = nx.from_scipy_sparse_array(graph)

    def ranked(reset: Scores) -> Scores:
        start = {int(node): float(reset[node]) for node in np.flatnonzero(reset)}
        # its tolerance is per node
        found = nx.pagerank(
            built, alpha=DAMPING, personalization=start, dangling=start, tol=TOLERANCE / len(reset), max_iter=200
        )
        return np.fromiter((found[node] for node in range(len(reset))), np.float64, len(reset))

    return ranked


def igraph(graph: csr_array) -> Ranker | None:
    """python-igraph's personalized_pagerank (PRPACK) on a built graph, or None where it is not installed."""
    try:
        ig = import_module("igraph")  # has no types
    except ModuleNotFoundError:
        return None
    upper = coo_array(graph)
    once = upper.row < upper.col
    built = ig.Graph(n=graph.shape[0], edges=np.stack([upper.row[once], upper.col[once]], axis=1))
    weights = upper.data[once].tolist()

    def ranked(reset: Scores) -> Scores:
        found = built.personalized_pagerank(
            damping=DAMPING, reset=reset.tolist(), weights=weights, directed=False, implementation="prpack"
        )
        return np.asarray(found)

    return ranked


def timed(edges: int, *, queries: int, peers: bool = True) -> list[Timed]:
    """Times every ranker on one graph, power iteration first."""
    graph = heavy_tailed(edges)
    asked = resets(graph.shape[0], queries=queries)
    rankers: dict[str, Ranker | None] = {POWER: power(graph), PUSH: push(graph)}
    if peers:
        rankers |= {"networkx": networkx(graph), "igraph": igraph(graph)}
    reference: list[Scores] = []
    found = []
    for name, ranker in rankers.items():
        if ranker is None:
            continue
        seconds: list[float] = []
        busy: list[float] = []
        answers: list[Scores] = []
        for reset in asked:
            start, used = time.perf_counter(), time.process_time()
            answers.append(ranker(reset))
            seconds.append(time.perf_counter() - start)
            busy.append(time.process_time() - used)
            if seconds[-1] > SLOW:
                break
        reference = reference or answers
        pairs = list(zip(reference, answers, strict=False))
        found.append(
            Timed(
                edges,
                name,
                len(seconds),
                round(float(np.percentile(seconds, 50)) * 1_000, 1),
                round(float(np.percentile(seconds, 95)) * 1_000, 1),
                round(float(np.median(busy)) * 1_000, 1),
                max(float(np.abs(ours - theirs).max()) for ours, theirs in pairs),
                float(np.mean([same_top(ours, theirs) for ours, theirs in pairs])),
                max(of_bound(graph, *pair) for pair in pairs) if name == PUSH else None,
            )
        )
    return found


def of_bound(graph: csr_array, exact: Scores, near: Scores) -> float:
    """Returns the largest share of its bound that a node misses."""
    degree = degrees(graph)
    linked = degree > 0
    return float(((exact - near)[linked] / (EPSILON * degree[linked])).max())


def same_top(ours: Scores, theirs: Scores, *, count: int = 50) -> float:
    """Returns the share of the best nodes that two rankings have in common."""
    count = min(count, len(ours))
    return len(np.intersect1d(np.argsort(-ours)[:count], np.argsort(-theirs)[:count])) / count


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--edges", type=click.IntRange(min=100), multiple=True, help="Sizes; 100,000 and 1,000,000 by default.")
@click.option("--largest", is_flag=True, help="Also 10,000,000 edges, there without networkx and igraph.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(edges: tuple[int, ...], largest: bool, json_path: Path | None) -> None:
    """Times every ranker on every size and prints a table."""
    console = Console()
    found = [row for size in edges or EDGES for row in timed(size, queries=QUERIES)]
    if largest:
        found += timed(LARGEST, queries=QUERIES, peers=False)
    table = Table(title="Personalized PageRank, damping 0.7", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("edges", "ranker", "queries", "p50 ms", "p95 ms", "cpu ms", "difference", "best 50", "of bound"):
        table.add_column(heading, justify="left" if heading == "ranker" else "right", no_wrap=True)
    for row in found:
        figures = (
            f"{row.p50_ms:,.1f}",
            f"{row.p95_ms:,.1f}",
            f"{row.cpu_ms:,.1f}",
            f"{row.difference:.1e}",
            f"{row.same_top:.3f}",
            "" if row.of_bound is None else f"{row.of_bound:.2f}",
        )
        style = "bold" if row.ranker.startswith("Tercet") else ""
        table.add_row(f"{row.edges:,}", row.ranker, str(row.queries), *figures, style=style)
    console.print(table)
    if json_path is None and not edges:
        json_path = ROOT / "benchmarks" / "results" / "ppr.json"
    if json_path:
        whole = {"benchmark": "ppr", "damping": DAMPING, "machine": machine(), "rows": [asdict(row) for row in found]}
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(whole, indent=2) + "\n")


if __name__ == "__main__":
    main()
