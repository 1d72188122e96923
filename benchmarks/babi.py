"""Finds the lines of a story that support an answer: the 20 tasks of bAbI.

A story is a memory of its own and its lines are notes of one thread; a question is asked of the lines before it, and
its evidence is its n supporting lines. Measured: the share of them among the best n and the best 2n. bAbI measures
reasoning over lines that all look alike: most need a chain (where is the ball: who took it, and where did they go),
and a line that no longer holds looks exactly like the one that does. Data: Weston et al. (2015), BSD. Give it with
``--data``, or in ``babi/train`` of the folder TERCET_DATA.

    python benchmarks/babi.py [--stories PER_TASK] [--data FOLDER] [--json FILE]
"""

from __future__ import annotations

import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.comparison import TERCET, Asked, Comparison, Metrics, data_folder, save  # noqa: E402
from benchmarks.peers import Reader, Remembering, peers  # noqa: E402
from benchmarks.ranking import all_at, recall_at  # noqa: E402

from tercet import Memory  # noqa: E402
from tercet.engines.embedder import MiniLM  # noqa: E402

METRICS: Metrics = {
    "R@n": lambda found, wanted: recall_at(found, wanted, len(wanted)),
    "R@2n": lambda found, wanted: recall_at(found, wanted, 2 * len(wanted)),
    "all@2n": lambda found, wanted: all_at(found, wanted, 2 * len(wanted)),
}
STORIES = 5
LATEST = "the latest lines"


@dataclass(frozen=True, slots=True)
class Story:
    """Lines with their ids, and questions with how many lines come before each."""

    lines: list[tuple[str, str]]
    questions: list[tuple[int, Asked]]


def read_stories(path: Path, *, kind: str, limit: int) -> list[Story]:
    """Returns the first stories of a task; numbering that begins anew begins a story."""
    stories: list[Story] = []
    for line in path.read_text().splitlines():
        number, _, words = line.strip().partition(" ")
        if number == "1":
            if len(stories) == limit:
                break
            stories.append(Story([], []))
        story = stories[-1]
        if "\t" in words:
            question, _, support = words.split("\t")
            asked = Asked(question.strip(), kind, frozenset(support.split()))
            story.questions.append((len(story.lines), asked))
        else:
            story.lines.append((number, words))
    return stories


def tasks(folder: Path) -> list[tuple[str, Path]]:
    """Returns the tasks by number, each named as in its file: "2 Where Is Object"."""
    found = []
    for path in folder.glob("qa*_*.txt"):
        number, _, name = path.stem.removeprefix("qa").partition("_")
        found.append((int(number), re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name), path))
    return [(f"{number:2} {name}", path) for number, name, path in sorted(found)]


def latest(ids: list[str]) -> Reader:
    """The lines told last, latest first: what a window over the end of the story would hold."""
    return lambda question, k: ids[::-1][:k]


def ask(comparison: Comparison, story: Story, embedder: Remembering) -> None:
    """Tells the story up to each question, and asks Tercet and the peers."""
    embedder.embed([words for _, words in story.lines])
    embedder.embed([question.text for _, question in story.questions])
    told = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        Memory(Path(folder) / "bench.tercet", scope="bench", embedder=embedder) as memory,
    ):
        for count, question in story.questions:
            new = story.lines[told:count]
            memory.write_many({"text": words, "source": number, "thread": "story"} for number, words in new)
            told = count
            ids, texts = [number for number, _ in story.lines[:count]], [words for _, words in story.lines[:count]]
            readers = peers(ids, texts, spoken=texts, embedder=embedder)
            readers[LATEST] = latest(ids)
            readers[TERCET] = lambda asked, k: [found.note.source for found in memory.read(asked, k=k)]
            comparison.ask(readers, [question])


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--data", type=click.Path(path_type=Path), help="The folder; by default the one in TERCET_DATA.")
@click.option("--stories", type=click.IntRange(1, 200), default=STORIES, help="Of each task; 5 by default.")
@click.option("--tasks", "most", type=click.IntRange(1, 20), default=20, help="Only the first so many tasks.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(data: Path | None, stories: int, most: int, json_path: Path | None) -> None:
    """Runs every arm over the stories of every task and prints the tables."""
    console = Console()
    comparison = Comparison(METRICS, depth=20)
    embedder = Remembering(MiniLM())
    chosen = tasks(data_folder(data, "babi/train"))[:most]
    with Progress(console=console, transient=True) as progress:
        for kind, path in progress.track(chosen, description="tasks"):
            for story in read_stories(path, kind=kind, limit=stories):
                ask(comparison, story, embedder)
    comparison.show(console, f"bAbI, {len(chosen)} tasks, {stories} stories each", by_kind="R@2n")
    if json_path is None and (stories, most) == (STORIES, 20):
        json_path = ROOT / "benchmarks" / "results" / "babi.json"
    gaps = [comparison.against_best(metric) for metric in METRICS]
    data_counts = {"tasks": len(chosen), "stories_per_task": stories}
    save("babi", comparison, gaps, console=console, data=data_counts, path=json_path)


if __name__ == "__main__":
    main()
