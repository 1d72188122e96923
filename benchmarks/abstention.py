"""Does a recall know when the memory holds nothing on a question? Confidence beside the best BM25 score.

Every question of LoCoMo's dialogues and BEAM's chats is asked of the memory it belongs to and of the next one, which
knows nothing of it. AUROC: how often a question asked at home has the higher score of the two kinds; 0.5 is chance,
which is where a memory without any score stands. The curve of the confidence was fitted to samples of these sets with
MuSiQue, TimelineQA and PrefEval among them, each left out in turn (docs/recall.md). The data does not come with
Tercet: give it with ``--data``, or the folder in TERCET_DATA.

    python benchmarks/abstention.py [--data FOLDER] [--questions N] [--json FILE]
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks import recall_beam, recall_locomo  # noqa: E402
from benchmarks.comparison import data_folder  # noqa: E402
from benchmarks.machine import machine  # noqa: E402

from tercet import Memory  # noqa: E402
from tercet.adapters.dialogues import read_dialogue  # noqa: E402

_LEAST = 0.5


@dataclass(frozen=True, slots=True)
class Told:
    """Drafts of one memory, and questions on them."""

    drafts: Sequence[Mapping[str, Any]]
    questions: Sequence[str]


@dataclass(slots=True)
class Scores:
    """What questions got in the memory they belong to, and in another."""

    home: list[float] = field(default_factory=list)
    abroad: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """Returns the area under the ROC curve, and how many of each kind lie at or over the threshold."""
        home, abroad = np.array(self.home), np.array(self.abroad)
        above = (home[:, None] > abroad).mean() + (home[:, None] == abroad).mean() / 2
        figures = {"AUROC": above, "kept": (home >= _LEAST).mean(), "passed": (abroad >= _LEAST).mean()}
        return {name: round(float(value), 4) for name, value in figures.items()}


def locomo(folder: Path | None) -> list[Told]:
    """Returns the dialogues."""
    path = data_folder(folder and folder / "locomo", "locomo") / "locomo_open.json"
    return [Told(one.turns, [question.text for question in recall_locomo.asked(one)[0]]) for one in read_dialogue(path)]


def beam(folder: Path | None) -> list[Told]:
    """Returns the chats; questions without evidence are left out."""
    chats_folder = data_folder(folder and folder / "beam", "beam") / "100K"
    places = sorted(chats_folder.iterdir(), key=lambda place: int(place.name))
    chats = [recall_beam.read_chat(place) for place in places]
    return [Told(chat.drafts, [question.text for question in chat.questions if question.evidence]) for chat in chats]


def measure(console: Console, name: str, every: Sequence[Told], most: int) -> dict[str, dict[str, float]]:
    """Asks the questions of one set at home and abroad."""
    choose = random.Random(1)
    sure, words = Scores(), Scores()
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        memories, indexes = [], []
        for number, told in enumerate(track(every, f"{name}: writing", console=console, transient=True)):
            memory = stack.enter_context(Memory(Path(place) / str(number), scope="bench"))
            memory.write_many(told.drafts)
            memories.append(memory)
            texts = [f"{draft.get('speaker', '')}: {draft['text']}" for draft in told.drafts]
            indexes.append(best_of(texts))
        for number, told in enumerate(track(every, f"{name}: asking", console=console, transient=True)):
            asked = choose.sample(list(told.questions), min(most, len(told.questions)))
            for other, kind in ((number, "home"), ((number + 1) % len(every), "abroad")):
                for question in asked:
                    getattr(sure, kind).append(memories[other].read(question, k=1).confidence)
                    getattr(words, kind).append(indexes[other](question))
    return {"confidence": sure.figures(), "best BM25 score": {"AUROC": words.figures()["AUROC"]}}


def best_of(texts: Sequence[str]) -> Any:  # noqa: ANN401
    """Returns the score of the best text for a question, by bm25s."""
    import bm25s

    index = bm25s.BM25()
    index.index(bm25s.tokenize(list(texts), stopwords="en", show_progress=False), show_progress=False)

    def best(question: str) -> float:
        tokens = bm25s.tokenize([question], stopwords="en", show_progress=False)
        return float(index.retrieve(tokens, k=1, show_progress=False)[1][0, 0])

    return best


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--data", type=click.Path(path_type=Path), help="The folder; by default the one in TERCET_DATA.")
@click.option("--questions", type=click.IntRange(min=1), default=60, show_default=True, help="Most of each memory.")
@click.option("--json", "target", type=click.Path(dir_okay=False, path_type=Path), help="Where the figures go.")
def main(data: Path | None, questions: int, target: Path | None) -> None:
    """Measures both sets, prints a table, writes JSON."""
    console = Console()
    found = {name: measure(console, name, read(data), questions) for name, read in (("LoCoMo", locomo), ("BEAM", beam))}
    table = Table(title=f"Asked at home or of another memory; kept and passed at {_LEAST}")
    for column in ("set", "score", "AUROC", "kept at home", "passed abroad"):
        table.add_column(column, justify="left" if column in ("set", "score") else "right")
    for name, scores in found.items():
        for score, figures in scores.items():
            shares = (f"{figures[key]:.1%}" if key in figures else "–" for key in ("kept", "passed"))
            table.add_row(name, score, f"{figures['AUROC']:.3f}", *shares)
    console.print(table)
    target = target or ROOT / "benchmarks" / "results" / "abstention.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    whole = {"benchmark": "abstention", "questions": questions, "machine": machine(), "found": found}
    target.write_text(json.dumps(whole, indent=2) + "\n")


if __name__ == "__main__":
    main()
