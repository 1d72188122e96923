"""What maximal marginal relevance does where notes repeat each other, and what it costs where they do not.

LoCoMo's dialogues as notes, as they are, and "repeated": every turn that some question needs was written three more
times, each with a word before it ("Yes, …"). A question's evidence is found if any of its copies is; copies of one turn
crowd out the others. Arms: diversity 0 (a plain read, the base), others, and a read that penalises likeness to every
candidate instead of to those chosen ("all", as one published system has it). No model judges anything. The data does
not come with Tercet: give it with ``--data``, or in ``locomo/locomo_open.json`` of the folder TERCET_DATA.

    python benchmarks/diversity.py [--dialogues N] [--questions N] [--data FILE] [--json FILE]
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks import recall_locomo  # noqa: E402
from benchmarks.comparison import data_folder  # noqa: E402
from benchmarks.machine import machine  # noqa: E402
from benchmarks.peers import Remembering  # noqa: E402
from benchmarks.ranking import paired_bootstrap  # noqa: E402

from tercet import Memory, Recall  # noqa: E402
from tercet.adapters.dialogues import read_dialogue  # noqa: E402
from tercet.engines import MiniLM  # noqa: E402

SHARES = (0.0, 0.1, 0.3, 0.5, 0.7)
ALL = "all, 0.5"
BEFORE = ("Yes,", "Well,", "As I said,")
_K, _POOL = 10, 100


def repeated(turns: Sequence[Mapping[str, Any]], wanted: set[str]) -> list[dict[str, Any]]:
    """Returns the turns, and behind them three more copies of each that is wanted."""
    copies = [
        {**turn, "text": f"{word} {turn['text']}", "thread": ""}
        for turn in turns
        if str(turn["source"]) in wanted
        for word in BEFORE
    ]
    return [dict(turn) for turn in turns] + copies


def against_all(recall: Recall, embedder: Remembering) -> list[str]:
    """Returns sources by relevance less the likeness to every other candidate, half and half."""
    vectors = embedder.embed([f"{one.note.speaker}: {one.note.text}" for one in recall])
    like = vectors @ vectors.T
    np.fill_diagonal(like, -1.0)
    best = recall[0].score
    worth = [0.5 * one.score / best - 0.5 * float(row.max()) for one, row in zip(recall, like, strict=True)]
    return [recall[place].note.source for place in sorted(range(len(recall)), key=lambda place: -worth[place])]


def found_of(sources: Sequence[str], evidence: set[str]) -> tuple[float, float]:
    """Returns the share of the evidence among the first ten, and how many different turns those are."""
    first = set(sources[:_K])
    return len(first & evidence) / len(evidence), float(len(first))


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--data", type=click.Path(path_type=Path), help="A LoCoMo file; by default the one in TERCET_DATA.")
@click.option("--dialogues", type=click.IntRange(min=1), default=4, show_default=True, help="Only the first so many.")
@click.option("--questions", type=click.IntRange(min=1), default=100, show_default=True, help="About so many of each.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(data: Path | None, dialogues: int, questions: int, json_path: Path | None) -> None:
    """Asks both memories in every way and prints a table."""
    console = Console()
    embedder = Remembering(MiniLM())
    values: dict[str, dict[str, list[tuple[float, float]]]] = {"as they are": {}, "repeated": {}}
    for transcript in read_dialogue(data_folder(data, "locomo/locomo_open.json"))[:dialogues]:
        every, _, _ = recall_locomo.asked(transcript)
        asked = every[:: max(1, len(every) // questions)]
        wanted = {source for question in asked for source in question.evidence}
        for name, turns in (("as they are", transcript.turns), ("repeated", repeated(transcript.turns, wanted))):
            with (
                tempfile.TemporaryDirectory() as home,
                Memory(Path(home) / "bench.tercet", scope="bench", embedder=embedder) as memory,
            ):
                memory.write_many(turns)
                for question in asked:
                    for share in SHARES:
                        recall = memory.read(question.text, k=_K, diversity=share)
                        one = found_of([found.note.source for found in recall], question.evidence)
                        values[name].setdefault(f"{share}", []).append(one)
                    other = against_all(memory.read(question.text, k=_POOL), embedder)
                    values[name].setdefault(ALL, []).append(found_of(other, question.evidence))
    found: dict[str, Any] = {}
    for name, arms in values.items():
        table = Table(title=f"LoCoMo, {name} ({len(arms['0.0'])} questions)", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for heading in ("diversity", "R@10", "different turns of 10", "gain (95 %)"):
            table.add_column(heading, justify="right", no_wrap=True)
        found[name] = {}
        base = [recall for recall, _ in arms["0.0"]]
        for arm, pairs in arms.items():
            gap = paired_bootstrap([recall for recall, _ in pairs], base)
            means = [float(np.mean([pair[i] for pair in pairs])) for i in (0, 1)]
            found[name][arm] = {"R@10": round(means[0], 4), "different": round(means[1], 2), "gain": asdict(gap)}
            shown = f"{100 * gap.difference:+.1f} ({100 * gap.low:+.1f} .. {100 * gap.high:+.1f})"
            table.add_row(arm, f"{100 * means[0]:.1f}", f"{means[1]:.1f}", "" if arm == "0.0" else shown)
        console.print(table)
    if json_path is None and (dialogues, questions) == (4, 100):
        json_path = ROOT / "benchmarks" / "results" / "diversity.json"
    if json_path:
        counts = {"dialogues": dialogues, "questions": len(values["repeated"]["0.0"])}
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(
            json.dumps({"benchmark": "diversity", "data": counts, "machine": machine(), "sets": found}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
