"""Should memories that fit the question better be louder in attention? tercet-mini among 5 to 100 memories.

By default N memories get the same bias, minus the logarithm of N. Here each gets the logarithm of its part of one: the
softmax of its recall scores (cosines of the default embedder) over a temperature; at an infinite one that is the
default again. Questions of one hop from made-up worlds that training did not have, the notes that hold the answer among
others; and the same with none of them, where the answer stands in the prompt: what harm do wrong memories do then?

    python benchmarks/memory_bias.py [--questions N] [--json FILE]
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

import click
import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.explicit_memory import NOTES, Case, bare, cases, figure, strangers  # noqa: E402
from benchmarks.machine import machine  # noqa: E402
from benchmarks.mini.documents import SYSTEM_WORDS  # noqa: E402

from tercet.engines.embedder import MiniLM  # noqa: E402
from tercet.engines.local_model import LocalModel  # noqa: E402
from tercet.engines.mini import MINI  # noqa: E402
from tercet.engines.prompt import compose, render  # noqa: E402
from tercet.store.form import Record  # noqa: E402
from tercet.store.note import Note, spoken  # noqa: E402

SIZES = (5, 20, 50, 100)
TEMPERATURES = (math.inf, 0.2, 0.1, 0.05, 0.02)


class Asker:
    """Asks tercet-mini, with some memories in its attention and some in its prompt."""

    def __init__(self) -> None:
        self._model = LocalModel(MINI)
        self._embedder = MiniLM()
        self._records: dict[str, Record] = {}

    def bias(self, question: str, notes: Sequence[Note], temperature: float) -> list[float]:
        """Returns the logarithm of each note's part."""
        vectors = self._embedder.embed([*(spoken(note) for note in notes), question])
        scores = vectors[:-1] @ vectors[-1] / temperature
        return [float(score) for score in scores - np.logaddexp.reduce(scores)]

    def ask(self, question: str, notes: Sequence[Note], bias: Sequence[float], *, words: Sequence[Note] = ()) -> str:
        """Returns the answer, in plain lower-case words."""
        engine = self._model.attention
        for text in {spoken(note) for note in notes} - self._records.keys():
            (self._records[text],) = engine.encode([text])
        block = render(words) if words else ""
        messages = compose(SYSTEM_WORDS, [], question, block)
        with engine.attend([self._records[spoken(note)] for note in notes], bias=bias, watch=False):
            return bare(self._model.generate(messages, max_tokens=12))


def crowded(asker: Asker, asked: Sequence[Case], size: int, temperature: float) -> dict[str, object]:
    """Returns how many answers are right with the right notes among so many."""
    right = []
    for number, case in enumerate(asked):
        notes = [*case.notes, *Random(number).sample(strangers(150), size - NOTES)]
        answer = asker.ask(case.question, notes, asker.bias(case.question, notes, temperature))
        right.append(answer == bare(case.answer))
    return figure(right)


def harmed(asker: Asker, asked: Sequence[Case], temperature: float) -> dict[str, object]:
    """Returns how often wrong memories change an answer that stands in the prompt."""
    changed = []
    for number, case in enumerate(asked):
        others = Random(number).sample(strangers(150), NOTES)
        alone = asker.ask(case.question, [], [], words=case.notes)
        bias = asker.bias(case.question, others, temperature)
        changed.append(asker.ask(case.question, others, bias, words=case.notes) != alone)
    return figure(changed)


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--questions", type=click.IntRange(min=1), default=50, help="Of one hop, for each figure.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(questions: int, json_path: Path | None) -> None:
    """Asks with every temperature and prints the table."""
    asker = Asker()
    asked = [case for case in cases(questions) if case.kind == "one hop"]
    found: dict[str, dict[str, dict[str, object]]] = {}
    for temperature in track(TEMPERATURES, description="asking", transient=True):
        row = {str(size): crowded(asker, asked, size, temperature) for size in SIZES}
        found["the same for all" if temperature == math.inf else f"softmax(cosine / {temperature})"] = {
            **row,
            "changed by wrong ones": harmed(asker, asked, temperature),
        }
    table = Table(box=SIMPLE_HEAD, title=f"{questions} questions of one hop: right among so many memories")
    table.add_column("bias", no_wrap=True)
    for heading in (*map(str, SIZES), "changed by wrong ones"):
        table.add_column(heading, justify="right")
    for name, row in found.items():
        table.add_row(name, *(f"{one['share']:.2f} [{one['low']:.2f}, {one['high']:.2f}]" for one in row.values()))
    Console(width=120).print(table)
    path = json_path or ROOT / "benchmarks" / "results" / "memory_bias.json"
    path.write_text(json.dumps({"benchmark": "memory_bias", "machine": machine(), "bias": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
