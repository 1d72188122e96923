"""Should memories that fit the question better be louder in attention? tercet-mini among 5 to 100 memories.

All alike, N memories get the same bias, minus the logarithm of N. Else each gets the logarithm of its part of one: by
its score, the softmax of scores of which the best is 1, over a temperature; or by its rank, one over a power of it, as
`Recall.bias` has it, times the recall's confidence. Questions from made-up worlds that training did not have, the notes
that hold the answer among others; and the same with none of them, where the answer stands in the prompt: what harm do
wrong memories do then?

    python benchmarks/memory_bias.py [--questions N] [--json FILE]
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import cast

import click
import numpy as np
import torch
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from scipy.stats import rankdata

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
TEMPERATURES = (0.5, 0.25, 0.15)
POWERS = (1.0, 1.5, 2.0)


def biases(recall: Recall) -> dict[str, Sequence[float]]:
    """Returns the ways to be loud, by name."""
    scores = np.array([found.score for found in recall])
    ways: dict[str, Sequence[float]] = {"alike": _parts(0 * scores)}
    ways |= {f"score / {temperature}": _parts(scores / scores.max() / temperature) for temperature in TEMPERATURES}
    ways |= {f"rank ^ -{power}": _parts(-power * np.log(rankdata(-scores, "min"))) for power in POWERS}
    return ways | {"Recall.bias": recall.bias}


def _parts(logits: NDArray[np.float64]) -> list[float]:
    """Returns the logarithm of each memory's part of one."""
    return [float(one) for one in logits - np.logaddexp.reduce(logits)]


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
    """Asks in every way and prints the table."""
    torch.set_num_threads(1)
    asker = Asker(LocalModel(MINI, device="cpu"))
    every = cases(questions)
    console = Console(width=150)
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
