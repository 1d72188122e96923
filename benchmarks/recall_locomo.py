"""Finds the turns that answer a question in LoCoMo's long dialogues: Tercet and its peers, in one run.

Turns are notes, one memory per dialogue, and a question's evidence is the turns that its author named. No model
judges anything. Metrics: `benchmarks.ranking`. The data (CC BY-NC 4.0) does not come with Tercet: give it with
``--data``, or in ``locomo/locomo_open.json`` of the folder TERCET_DATA.

    python benchmarks/recall_locomo.py [--limit-dialogues N] [--data FILE] [--json FILE]
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

import click
import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path.insert(0, str(ROOT))

from benchmarks.machine import machine  # noqa: E402
from benchmarks.peers import Reader, Remembering, bm25, dense, full_text, fused  # noqa: E402
from benchmarks.ranking import all_at, ndcg_at, paired_bootstrap, recall_at, reciprocal_rank  # noqa: E402

from tercet import Memory  # noqa: E402
from tercet.adapters.dialogues import Transcript, read_dialogue  # noqa: E402
from tercet.engines.embedder import MiniLM  # noqa: E402

CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}
METRICS: dict[str, Callable[[Sequence[str], set[str]], float]] = {
    "R@1": lambda found, wanted: recall_at(found, wanted, 1),
    "R@5": lambda found, wanted: recall_at(found, wanted, 5),
    "R@10": lambda found, wanted: recall_at(found, wanted, 10),
    "R@20": lambda found, wanted: recall_at(found, wanted, 20),
    "R@50": lambda found, wanted: recall_at(found, wanted, 50),
    "all@5": lambda found, wanted: all_at(found, wanted, 5),
    "MRR": reciprocal_rank,
    "nDCG@10": lambda found, wanted: ndcg_at(found, wanted, 10),
}
DEPTH = 50
TERCET = "Tercet"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question whose evidence exists."""

    text: str
    category: int
    evidence: set[str]


@dataclass(slots=True)
class Arm:
    """What one way of recall did: one value per question and metric, and how long it took."""

    values: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in METRICS})
    read_seconds: list[float] = field(default_factory=list)
    import_seconds: float = 0.0

    def means(self, categories: Sequence[int], category: int | None = None) -> dict[str, float]:
        """Returns the mean of each metric over all questions, or over those of one category."""
        chosen = [i for i, own in enumerate(categories) if category in (None, own)]
        return {name: float(np.mean([values[i] for i in chosen])) for name, values in self.values.items()}

    def read_ms(self, percent: float) -> float:
        """Returns a percentile of the time of a read, in milliseconds."""
        return float(np.percentile(self.read_seconds, percent)) * 1_000


def asked(transcript: Transcript) -> tuple[list[Asked], int, int]:
    """Returns the questions with evidence, how many have none, and how many named turns do not exist."""
    known = {str(turn["source"]) for turn in transcript.turns}
    kept: list[Asked] = []
    missing = 0
    for question in transcript.questions:
        evidence = set(question.evidence)
        missing += len(evidence - known)
        if evidence & known:
            kept.append(Asked(question.text, question.category, evidence & known))
    return kept, len(transcript.questions) - len(kept), missing


def in_context(transcript: Transcript) -> list[str]:
    """Returns each turn as its date, its speaker and its words, followed by the turn before."""
    texts = []
    before = ""
    for turn in transcript.turns:
        spoken = f"{turn['speaker']}: {turn['text']}"
        happened = str(turn["happened"])
        day = f"{datetime.fromisoformat(happened):%d %B %Y} ".lstrip("0") if happened else ""
        texts.append(f"{day}{spoken}\n{before}".strip())
        before = spoken
    return texts


@contextmanager
def tercet(transcript: Transcript, embedder: Remembering) -> Iterator[Reader]:
    """A memory of one dialogue; every form votes, as by default."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Memory(Path(folder) / "bench.tercet", scope="bench", embedder=embedder) as memory,
    ):
        memory.write_many(transcript.turns)
        yield lambda question, k: [found.note.source for found in memory.read(question, k=k)]


@contextmanager
def readers(transcript: Transcript, embedder: Remembering, model: MiniLM) -> Iterator[dict[str, tuple[Reader, float]]]:
    """Every arm over one dialogue, by name, with the seconds its import took without the embedding of turns."""
    ids = [str(turn["source"]) for turn in transcript.turns]
    plain = [str(turn["text"]) for turn in transcript.turns]
    spoken = [f"{turn['speaker']}: {turn['text']}" for turn in transcript.turns]
    context = in_context(transcript)
    embedder.embed(spoken + context)
    made: dict[str, tuple[Reader, float]] = {}

    def add(name: str, make: Callable[[], Reader]) -> Reader:
        start, embedding = time.perf_counter(), embedder.seconds
        reader = make()
        made[name] = (reader, time.perf_counter() - start - (embedder.seconds - embedding))
        return reader

    add("FTS5, text", lambda: full_text(ids, plain))
    words = add("FTS5, in context", lambda: full_text(ids, context))
    add("bm25s, text", lambda: bm25(ids, plain))
    add("bm25s, in context", lambda: bm25(ids, context))
    add("MiniLM, text", lambda: dense(ids, spoken, turns=embedder, questions=model))
    vectors = add("MiniLM, in context", lambda: dense(ids, context, turns=embedder, questions=model))
    add("FTS5 + MiniLM, RRF", lambda: fused(words, vectors))
    start, embedding = time.perf_counter(), embedder.seconds
    with tercet(transcript, embedder) as reader:
        made[TERCET] = (reader, time.perf_counter() - start - (embedder.seconds - embedding))
        yield made


def measure(arm: Arm, reader: Reader, questions: Sequence[Asked]) -> None:
    """Reads every question once and keeps what came of it."""
    for question in questions:
        start = time.perf_counter()
        found = reader(question.text, DEPTH)
        arm.read_seconds.append(time.perf_counter() - start)
        for name, metric in METRICS.items():
            arm.values[name].append(metric(found, question.evidence))


def quality(arms: dict[str, Arm], title: str, categories: Sequence[int], category: int | None = None) -> Table:
    """One line per arm: the means in percent over all questions, or over those of one category."""
    count = len(categories) if category is None else categories.count(category)
    table = Table(title=f"{title} (n = {count}), percent", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("arm", no_wrap=True)
    for name in METRICS:
        table.add_column(name, justify="right", no_wrap=True)
    for name, arm in arms.items():
        figures = [f"{100 * mean:.1f}" for mean in arm.means(categories, category).values()]
        table.add_row(name, *figures, style="bold" if name == TERCET else "")
    return table


def speed(arms: dict[str, Arm]) -> Table:
    """One line per arm: seconds of the imports together, and milliseconds of a read of 50."""
    table = Table(title="time", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("arm", no_wrap=True)
    for name in ("import s", "read p50 ms", "read p95 ms"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, arm in arms.items():
        times = f"{arm.import_seconds:.2f}", f"{arm.read_ms(50):.1f}", f"{arm.read_ms(95):.1f}"
        table.add_row(name, *times, style="bold" if name == TERCET else "")
    return table


def against_best(arms: dict[str, Arm], metric: str) -> dict[str, object]:
    """Compares Tercet with the peer that is best in a metric, question by question."""
    best = max((name for name in arms if name != TERCET), key=lambda name: sum(arms[name].values[metric]))
    found = paired_bootstrap(arms[TERCET].values[metric], arms[best].values[metric])
    return {"metric": metric, "peer": best, **asdict(found)}


def figures(arms: dict[str, Arm], categories: Sequence[int]) -> dict[str, object]:
    """Returns every arm's means and times, for JSON."""
    return {
        name: {
            "all": _rounded(arm.means(categories)),
            "by_category": {
                label: _rounded(arm.means(categories, number))
                for number, label in CATEGORIES.items()
                if number in categories
            },
            "import_seconds": round(arm.import_seconds, 3),
            "read_ms": {"p50": round(arm.read_ms(50), 2), "p95": round(arm.read_ms(95), 2)},
        }
        for name, arm in arms.items()
    }


def _rounded(means: dict[str, float]) -> dict[str, float]:
    return {name: round(mean, 4) for name, mean in means.items()}


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--data", type=click.Path(path_type=Path), help="A LoCoMo file; by default the one in TERCET_DATA.")
@click.option(
    "--limit-dialogues",
    type=click.IntRange(min=1),
    help="Only the first so many dialogues; writes no JSON unless asked.",
)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(data: Path | None, limit_dialogues: int | None, json_path: Path | None) -> None:
    """Runs every arm over every dialogue and prints the tables."""
    console = Console()
    folder = Path(os.environ.get("TERCET_DATA", ROOT.parent / "shared" / "data"))
    data = data or folder / "locomo" / "locomo_open.json"
    if not data.exists():
        raise click.ClickException(f"no data at {data}; give --data FILE or set TERCET_DATA")
    transcripts = read_dialogue(data)[:limit_dialogues]
    model = MiniLM()
    embedder = Remembering(model)
    arms: dict[str, Arm] = {}
    categories: list[int] = []
    skipped = missing = 0
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("dialogues", total=len(transcripts))
        for transcript in transcripts:
            questions, without, lost = asked(transcript)
            categories += [question.category for question in questions]
            skipped, missing = skipped + without, missing + lost
            with readers(transcript, embedder, model) as made:
                for name, (reader, seconds) in made.items():
                    arm = arms.setdefault(name, Arm())
                    arm.import_seconds += seconds
                    measure(arm, reader, questions)
            progress.advance(task)
    turns = sum(len(transcript.turns) for transcript in transcripts)
    console.print(quality(arms, f"LoCoMo, {len(transcripts)} dialogues, {turns:,} turns", categories))
    for number, label in CATEGORIES.items():
        if number in categories:
            console.print(quality(arms, label, categories, number))
    console.print(speed(arms))
    console.print(
        f"{skipped} questions have no evidence that exists and were skipped; {missing} named turns do not exist. "
        f"Import times leave out the embedding, which is shared: {embedder.texts:,} texts in {embedder.seconds:.1f} s."
    )
    gaps = [against_best(arms, metric) for metric in ("R@5", "R@10")]
    for gap in gaps:
        console.print(
            f"{gap['metric']}: Tercet {gap['difference']:+.3f} against {gap['peer']} "
            f"(95% interval {gap['low']:+.3f} .. {gap['high']:+.3f}, paired bootstrap)"
        )
    if json_path is None and limit_dialogues is None:
        json_path = ROOT / "benchmarks" / "results" / "recall_locomo.json"
    if json_path:
        counts = {"dialogues": len(transcripts), "turns": turns, "questions": len(categories)}
        whole = {
            "benchmark": "recall_locomo",
            "data": {**counts, "questions_skipped": skipped, "evidence_missing": missing},
            "machine": machine(),
            "arms": figures(arms, categories),
            "tercet_against_best_peer": gaps,
        }
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(whole, indent=2) + "\n")


if __name__ == "__main__":
    main()
