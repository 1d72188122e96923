"""The same questions asked of every arm, and what came of it side by side: tables, intervals, JSON.

An arm is one way of recall: Tercet, a variant of it, or a peer. Its name begins with "Tercet" or it is a peer. What
is measured of an answer, and what kinds of question there are, is the benchmark's choice. No model judges anything.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click
import numpy as np
from benchmarks.machine import machine
from benchmarks.peers import Reader
from benchmarks.ranking import paired_bootstrap
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

__all__ = ["TERCET", "Arm", "Asked", "Comparison", "Metrics", "data_folder", "save"]

TERCET = "Tercet"
ROOT = Path(__file__).resolve().parents[1]
Metrics = Mapping[str, Callable[[Sequence[str], set[str]], float]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, its kind, and what an answer should hold."""

    text: str
    kind: str
    evidence: frozenset[str]


@dataclass(slots=True)
class Arm:
    """What one way of recall did: per metric one value per question, and the seconds of each read."""

    values: dict[str, list[float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def milliseconds(self, percent: float) -> float:
        """Returns a percentile of the time of a read."""
        return float(np.percentile(self.seconds, percent)) * 1_000


class Comparison:
    """Arms that answered the same questions.

    Args:
        metrics: name -> what is measured of a ranking, given the evidence.
        depth: how many items every arm is asked for.
    """

    def __init__(self, metrics: Metrics, *, depth: int) -> None:
        self._metrics = metrics
        self._depth = depth
        self.arms: dict[str, Arm] = {}
        self.kinds: list[str] = []

    def ask(self, readers: Mapping[str, Reader], questions: Sequence[Asked]) -> None:
        """Asks every reader every question; readers of the same name are one arm."""
        for name, reader in readers.items():
            arm = self.arms.setdefault(name, Arm({metric: [] for metric in self._metrics}))
            for question in questions:
                start = time.perf_counter()
                found = reader(question.text, self._depth)
                arm.seconds.append(time.perf_counter() - start)
                for metric, measure in self._metrics.items():
                    arm.values[metric].append(measure(found, set(question.evidence)))
        self.kinds += [question.kind for question in questions]

    def means(self, name: str, kind: str | None = None) -> dict[str, float]:
        """Returns an arm's mean of each metric over all questions, or over those of one kind."""
        chosen = [i for i, own in enumerate(self.kinds) if kind in (None, own)]
        return {
            metric: float(np.mean([values[i] for i in chosen])) for metric, values in self.arms[name].values.items()
        }

    def best_peer(self, metric: str) -> str:
        """Returns the arm that is best in a metric, variants of Tercet aside."""
        peers = [name for name in self.arms if not name.startswith(TERCET)]
        return max(peers, key=lambda name: sum(self.arms[name].values[metric]))

    def against_best(self, metric: str, *, arm: str = TERCET, kind: str | None = None) -> dict[str, object]:
        """Compares an arm with the peer that is best in a metric, question by question, with a 95 % interval."""
        best = self.best_peer(metric)
        chosen = [i for i, own in enumerate(self.kinds) if kind in (None, own)]
        ours, theirs = (np.asarray(self.arms[name].values[metric])[chosen].tolist() for name in (arm, best))
        return {"arm": arm, "metric": metric, "peer": best, **asdict(paired_bootstrap(ours, theirs))}

    def show(self, console: Console, title: str, *, by_kind: str = "") -> None:
        """Prints every arm's means and times; then, if ``by_kind`` names a metric, that one by kind of question."""
        console.print(self._overall(title))
        if by_kind:
            console.print(self._by_kind(by_kind))

    def figures(self) -> dict[str, object]:
        """Returns every arm's means and times, for JSON."""
        return {
            name: {
                "all": _rounded(self.means(name)),
                "by_kind": {kind: _rounded(self.means(name, kind)) for kind in self._sorted_kinds()},
                "read_ms": {"p50": round(arm.milliseconds(50), 2), "p95": round(arm.milliseconds(95), 2)},
            }
            for name, arm in self.arms.items()
        }

    def counts(self) -> dict[str, int]:
        """Returns how many questions of each kind were asked."""
        return {kind: self.kinds.count(kind) for kind in self._sorted_kinds()}

    def _sorted_kinds(self) -> list[str]:
        return sorted(set(self.kinds))

    def _overall(self, title: str) -> Table:
        table = _table(f"{title} (n = {len(self.kinds)}), percent")
        for heading in (*self._metrics, "p50 ms", "p95 ms"):
            table.add_column(heading, justify="right", no_wrap=True)
        for name, arm in self.arms.items():
            shown = [f"{100 * mean:.1f}" for mean in self.means(name).values()]
            times = f"{arm.milliseconds(50):.1f}", f"{arm.milliseconds(95):.1f}"
            table.add_row(name, *shown, *times, style=_style(name))
        return table

    def _by_kind(self, metric: str) -> Table:
        table = _table(f"{metric} by kind of question, percent")
        counts = self.counts()
        for name in self.arms:
            table.add_column(name, justify="right", overflow="fold")
        for kind, count in counts.items():
            shown = [f"{100 * self.means(name, kind)[metric]:.1f}" for name in self.arms]
            table.add_row(f"{kind} ({count})", *shown)
        return table


def data_folder(given: Path | None, name: str) -> Path:
    """Returns where a data set lies: as given, or by its name in the folder TERCET_DATA.

    Raises:
        ClickException: there is nothing.
    """
    folder = Path(os.environ.get("TERCET_DATA", ROOT.parent / "shared" / "data"))
    found = given or folder / name
    if not found.exists():
        raise click.ClickException(f"no data at {found}; give --data or set TERCET_DATA")
    return found


def save(
    name: str,
    comparison: Comparison,
    gaps: Sequence[Mapping[str, object]],
    *,
    console: Console,
    data: Mapping[str, object],
    path: Path | None,
) -> None:
    """Prints the gaps and, if there is a path, writes the figures there as JSON."""
    for gap in gaps:
        console.print(
            f"{gap['metric']}: {gap['arm']} {gap['difference']:+.3f} against {gap['peer']} "
            f"(95% interval {gap['low']:+.3f} .. {gap['high']:+.3f}, paired bootstrap)",
            soft_wrap=True,
        )
    if path:
        whole = {
            "benchmark": name,
            "data": {**data, "questions": comparison.counts()},
            "machine": machine(),
            "arms": comparison.figures(),
            "against_best_peer": [dict(gap) for gap in gaps],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(whole, indent=2) + "\n")


def _table(title: str) -> Table:
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    return table


def _style(name: str) -> str:
    return "bold" if name.startswith(TERCET) else ""


def _rounded(means: Mapping[str, float]) -> dict[str, float]:
    return {name: round(mean, 4) for name, mean in means.items()}
