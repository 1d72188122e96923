"""What late interaction adds to a read: the same questions with and without it, on LoCoMo and MuSiQue.

A read ranks as it does by default; then the 100 best notes are read again by the token vectors of the same embedder
(`LateInteraction`), whose score counts half beside that of the forms. "alone" lets the reranker's score decide. Metrics
and intervals: `benchmarks.ranking`. The weight was chosen on these questions, on a plateau from 0.3 to 0.75. The data
does not come with Tercet: give the folder with ``--data``, or in TERCET_DATA.

    python benchmarks/reranking.py [--questions N] [--data FOLDER] [--json FILE]
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
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

from benchmarks import recall_locomo, recall_musique  # noqa: E402
from benchmarks.comparison import data_folder  # noqa: E402
from benchmarks.machine import machine  # noqa: E402
from benchmarks.peers import Remembering  # noqa: E402
from benchmarks.ranking import paired_bootstrap, recall_at  # noqa: E402

from tercet import Memory  # noqa: E402
from tercet.adapters.dialogues import read_dialogue  # noqa: E402
from tercet.engines import LateInteraction, MiniLM  # noqa: E402
from tercet.store.form import Embedder  # noqa: E402

DEPTHS = (1, 5, 10, 20)
WITHOUT, WITH, ALONE = "Tercet", "Tercet, late interaction", "late interaction alone"
_TOKENS = 2 << 30  # bytes of token vectors: of every note, so that times are those of a memory that was read before


class Alone:
    """A reranker whose word is all that counts."""

    weight = 1e6

    def __init__(self, late: LateInteraction) -> None:
        self.rank = late.rank


@dataclass(frozen=True, slots=True)
class Material:
    """Notes of one memory, and questions with the sources of their evidence."""

    set: str
    drafts: Sequence[Mapping[str, Any]]
    questions: Sequence[tuple[str, str, frozenset[str]]]  # question, kind, evidence


@dataclass(slots=True)
class Arm:
    """What one way of reading did: recall per depth and question, and seconds of each read."""

    recall: dict[int, list[float]] = field(default_factory=lambda: {depth: [] for depth in DEPTHS})
    kinds: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def mean(self, depth: int, kind: str | None = None) -> float:
        """Returns the mean recall at a depth over all questions, or over those of one kind."""
        return float(np.mean(self.values(depth, kind)))

    def values(self, depth: int, kind: str | None = None) -> list[float]:
        """Returns the recall at a depth of each question, or of those of one kind."""
        return [value for value, own in zip(self.recall[depth], self.kinds, strict=True) if kind in (None, own)]


def materials(folder: Path, questions: int | None) -> Iterator[Material]:
    """Yields LoCoMo's dialogues and MuSiQue's passages, each with at most so many questions."""
    for transcript in read_dialogue(folder / "locomo" / "locomo_open.json"):
        asked, _, _ = recall_locomo.asked(transcript)
        kept = [(q.text, recall_locomo.CATEGORIES[q.category], frozenset(q.evidence)) for q in asked[:questions]]
        yield Material("LoCoMo", transcript.turns, kept)
    passages = recall_musique.read_passages(folder / "musique")
    found = recall_musique.read_questions(folder / "musique", passages)[:questions]
    drafts = [{"text": passage.text, "source": passage.id} for passage in passages]
    yield Material("MuSiQue", drafts, [(q.text, q.kind, q.evidence) for q in found])


def ask(material: Material, arms: Mapping[str, Arm], embedder: Embedder, late: LateInteraction) -> None:
    """Reads every question in every way, from one memory."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        place = Path(folder) / "bench.tercet"
        rerankers = {WITHOUT: None, WITH: late, ALONE: Alone(late)}
        readers = {
            name: stack.enter_context(Memory(place, scope="bench", embedder=embedder, reranker=reranker))
            for name, reranker in rerankers.items()
        }
        readers[WITHOUT].write_many(material.drafts)
        texts = [f"{d['speaker']}: {d['text']}" if d.get("speaker") else d["text"] for d in material.drafts]
        late.rank("", texts)
        for question, kind, evidence in material.questions:
            embedder.embed([question])
            for name, memory in readers.items():
                start = time.perf_counter()
                found = [one.note.source for one in memory.read(question, k=max(DEPTHS))]
                arms[name].seconds.append(time.perf_counter() - start)
                arms[name].kinds.append(kind)
                for depth in DEPTHS:
                    arms[name].recall[depth].append(recall_at(found, evidence, depth))


def figures(arms: Mapping[str, Arm]) -> dict[str, Any]:
    """Returns means, gains with their intervals, and times of the arms of one set."""
    kinds = sorted(set(arms[WITHOUT].kinds))
    return {
        "questions": len(arms[WITHOUT].kinds),
        "recall": {name: {str(d): round(arm.mean(d), 4) for d in DEPTHS} for name, arm in arms.items()},
        "recall@10 by kind": {
            kind: {name: round(arm.mean(10, kind), 4) for name, arm in arms.items()} for kind in kinds
        },
        "gain": {str(d): asdict(paired_bootstrap(arms[WITH].values(d), arms[WITHOUT].values(d))) for d in DEPTHS},
        "gain@10 by kind": {
            kind: asdict(paired_bootstrap(arms[WITH].values(10, kind), arms[WITHOUT].values(10, kind)))
            for kind in kinds
        },
        "read p50 ms": {name: round(float(np.median(arm.seconds)) * 1_000, 1) for name, arm in arms.items()},
    }


def show(console: Console, name: str, found: Mapping[str, Any]) -> None:
    """Prints one set."""
    table = Table(title=f"{name} ({found['questions']} questions), percent", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("", *(f"R@{d}" for d in DEPTHS), "p50 ms"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for arm, values in found["recall"].items():
        shown = [f"{100 * values[str(d)]:.1f}" for d in DEPTHS]
        table.add_row(arm, *shown, f"{found['read p50 ms'][arm]:.0f}", style="bold" if arm == WITH else "")
    console.print(table)
    for what, gap in (*found["gain"].items(), *found["gain@10 by kind"].items()):
        label = f"R@{what}" if what.isdigit() else f"R@10, {what}"
        console.print(
            f"{label}: {100 * gap['difference']:+.1f} points "
            f"(95% interval {100 * gap['low']:+.1f} .. {100 * gap['high']:+.1f}, paired bootstrap)"
        )


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--data", type=click.Path(path_type=Path), help="The folder; by default TERCET_DATA.")
@click.option(
    "--questions", type=click.IntRange(min=1), help="At most so many of each memory; then no JSON unless asked."
)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(data: Path | None, questions: int | None, json_path: Path | None) -> None:
    """Asks every question in every way and prints the tables."""
    console = Console()
    model = MiniLM()
    embedder, late = Remembering(model), LateInteraction(model, budget=_TOKENS)
    sets: dict[str, dict[str, Arm]] = {}
    for material in materials(data_folder(data, "."), questions):
        arms = sets.setdefault(material.set, {name: Arm() for name in (WITHOUT, WITH, ALONE)})
        ask(material, arms, embedder, late)
    found = {name: figures(arms) for name, arms in sets.items()}
    for name, values in found.items():
        show(console, name, values)
    if json_path is None and questions is None:
        json_path = ROOT / "benchmarks" / "results" / "reranking.json"
    if json_path:
        whole = {"benchmark": "reranking", "weight": LateInteraction.weight, "machine": machine(), "sets": found}
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(whole, indent=2) + "\n")


if __name__ == "__main__":
    main()
