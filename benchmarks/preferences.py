"""Finds the stated preference that should change the answer to a question, among the preferences of everybody else.

PrefEval's explicit preferences (Zhao et al., 2025): each is one note of the user, all in one store; the question
does not mention the preference, and its evidence is that one note. The kinds are PrefEval's topics. The data (CC
BY-NC 4.0) does not come with Tercet: give it with ``--data``, or in ``prefeval`` of the folder TERCET_DATA.

    python benchmarks/preferences.py [--limit PREFERENCES] [--data FOLDER] [--json FILE]
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.comparison import TERCET, Asked, Comparison, Metrics, data_folder, save  # noqa: E402
from benchmarks.peers import Remembering, peers  # noqa: E402
from benchmarks.ranking import hit_at, reciprocal_rank  # noqa: E402

from tercet import Memory  # noqa: E402
from tercet.engines.embedder import MiniLM  # noqa: E402

METRICS: Metrics = {
    "hit@1": lambda found, wanted: hit_at(found, wanted, 1),
    "hit@5": lambda found, wanted: hit_at(found, wanted, 5),
    "hit@10": lambda found, wanted: hit_at(found, wanted, 10),
    "MRR": reciprocal_rank,
}


def read_preferences(folder: Path) -> tuple[dict[str, str], list[Asked]]:
    """Returns the preferences by id, and the questions; a preference that is stated twice is one."""
    ids: dict[str, str] = {}
    asked = []
    for path in sorted(folder.glob("explicit_preference/*.json")):
        for row in json.loads(path.read_text()):
            id = ids.setdefault(row["preference"], str(len(ids)))
            asked.append(Asked(row["question"], path.stem.replace("_", " "), frozenset({id})))
    return {id: text for text, id in ids.items()}, asked


def ask(comparison: Comparison, preferences: dict[str, str], questions: Sequence[Asked], embedder: Remembering) -> None:
    """Asks Tercet and the peers."""
    ids, texts = list(preferences), list(preferences.values())
    spoken = [f"user: {text}" for text in texts]
    embedder.embed(spoken)
    embedder.embed([question.text for question in questions])
    readers = peers(ids, texts, spoken=spoken, embedder=embedder)
    with (
        tempfile.TemporaryDirectory() as folder,
        Memory(Path(folder) / "bench.tercet", scope="bench", embedder=embedder) as memory,
    ):
        memory.write_many({"text": text, "speaker": "user", "source": id} for id, text in preferences.items())
        readers[TERCET] = lambda question, k: [found.note.source for found in memory.read(question, k=k)]
        comparison.ask(readers, questions)


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--data", type=click.Path(path_type=Path), help="The folder; by default the one in TERCET_DATA.")
@click.option("--limit", type=click.IntRange(min=1), help="Only so many preferences; writes no JSON unless asked.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(data: Path | None, limit: int | None, json_path: Path | None) -> None:
    """Runs every arm and prints the tables."""
    console = Console()
    preferences, questions = read_preferences(data_folder(data, "prefeval"))
    if limit:
        preferences = dict(list(preferences.items())[:limit])
        questions = [question for question in questions if question.evidence <= preferences.keys()]
    comparison = Comparison(METRICS, depth=10)
    embedder = Remembering(MiniLM())
    ask(comparison, preferences, questions, embedder)
    comparison.show(console, f"PrefEval, {len(preferences):,} preferences in one store", by_kind="hit@5")
    if json_path is None and limit is None:
        json_path = ROOT / "benchmarks" / "results" / "preferences.json"
    gaps = [comparison.against_best(metric) for metric in ("hit@1", "hit@5", "hit@10")]
    save("preferences", comparison, gaps, console=console, data={"preferences": len(preferences)}, path=json_path)


if __name__ == "__main__":
    main()
