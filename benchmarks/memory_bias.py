"""Should memories that fit the question better be louder in attention? tercet-mini among 5 to 100 memories.

All alike, N memories get the same bias, minus the logarithm of N. `Recall.bias` gives each the logarithm of its part of
the recall's confidence: the softmax of its recall scores, the best being 1, over a temperature; at an infinite one all
are alike again, and without the confidence is measured, too. Questions from made-up worlds that training did not have,
the notes that hold the answer among others; and the same with none of them, where the answer stands in the prompt:
what harm do wrong memories do then?

    python benchmarks/memory_bias.py [--questions N] [--json FILE]
"""

from __future__ import annotations

import json
import math
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import cast

import click
import numpy as np
import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.explicit_memory import NOTES, Asker, Case, bare, cases, figure, recall_of, strangers  # noqa: E402
from benchmarks.machine import machine  # noqa: E402

from tercet.engines.local_model import LocalModel  # noqa: E402
from tercet.engines.mini import MINI  # noqa: E402
from tercet.sdk.recall import Recall  # noqa: E402

KINDS = ("one hop", "two hops", "temporal")
SIZES = (5, 20, 100)
TEMPERATURES = (0.5, 0.25, 0.15, 0.1)


def bias(recall: Recall, temperature: float) -> list[float]:
    """Returns the logarithm of each memory's part of one."""
    best = max((found.score for found in recall), default=1.0)
    scores = np.array([found.score for found in recall]) / best / temperature
    return [float(score) for score in scores - np.logaddexp.reduce(scores)]


def biases(recall: Recall) -> dict[str, Sequence[float]]:
    """Returns the ways to be loud, by name."""
    ways: dict[str, Sequence[float]] = {
        f"softmax / {temperature}": bias(recall, temperature) for temperature in TEMPERATURES
    }
    return {"alike": bias(recall, math.inf), **ways, "Recall.bias": recall.bias}


def crowded(asker: Asker, asked: Sequence[Case], size: int, show: Callable[[str], None]) -> dict[str, object]:
    """Returns how many answers are right with the right notes among so many, in each way."""
    right: dict[str, list[bool]] = defaultdict(list)
    crowd = strangers(150)
    for number, case in enumerate(asked):
        show(f"{case.kind}, {size} memories, {number + 1} of {len(asked)}")
        notes = [*case.notes, *Random(number).sample(crowd, size - NOTES)]
        recall = recall_of(case.question, notes, size)
        for name, loud in biases(recall).items():
            answer = asker.ask(case.question, attended=recall.notes, bias=loud)
            right[name].append(answer == bare(case.answer))
    return {name: figure(hits) for name, hits in right.items()}


def harmed(asker: Asker, asked: Sequence[Case]) -> dict[str, object]:
    """Returns how often wrong memories change an answer that stands in the prompt."""
    changed: dict[str, list[bool]] = defaultdict(list)
    for number, case in enumerate(asked):
        recall = recall_of(case.question, Random(number).sample(strangers(150), NOTES), NOTES)
        alone = asker.ask(case.question, words=case.notes)
        for name, loud in biases(recall).items():
            answer = asker.ask(case.question, words=case.notes, attended=recall.notes, bias=loud)
            changed[name].append(answer != alone)
    return {name: figure(hits) for name, hits in changed.items()}


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--questions", type=click.IntRange(min=1), default=40, help="Of each kind.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(questions: int, json_path: Path | None) -> None:
    """Asks with every temperature and prints the table."""
    torch.set_num_threads(1)
    asker = Asker(LocalModel(MINI, device="cpu"))
    every = cases(questions)
    console = Console(width=120)
    found: dict[str, dict[str, object]] = {}
    with console.status("asking") as status:
        for kind in KINDS:
            asked = [case for case in every if case.kind == kind]
            for size in SIZES:
                found[f"{kind}, {size}"] = crowded(asker, asked, size, status.update)
        found["changed by wrong ones"] = harmed(asker, [case for case in every if case.kind == "one hop"])
    table = Table(box=SIMPLE_HEAD, title=f"{questions} questions of a kind: right among so many memories")
    table.add_column("")
    for name in found["changed by wrong ones"]:
        table.add_column(name, justify="right")
    for name, row in found.items():
        table.add_row(name, *map(_told, row.values()))
    console.print(table)
    path = json_path or ROOT / "benchmarks" / "results" / "memory_bias.json"
    path.write_text(json.dumps({"benchmark": "memory_bias", "machine": machine(), "right": found}, indent=2) + "\n")


def _told(found: object) -> str:
    one = cast("dict[str, float]", found)
    return f"{one['share']:.2f} [{one['low']:.2f}, {one['high']:.2f}]"


if __name__ == "__main__":
    main()
