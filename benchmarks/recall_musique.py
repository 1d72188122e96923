"""Finds the passages that a multi-hop question needs, with an LLM's triples, with rules, and with neither.

100 questions of MuSiQue over one store of 1,890 passages (title and text), each a note; a question's evidence is its
supporting paragraphs. "given" has the triples that GPT-3.5 extracted from exactly these passages, as the caller's
facts; "names" has the rules' names but no triples; "bare" has neither. Protocol: Gutiérrez et al., HippoRAG (2024),
arXiv 2405.14831; data: Trivedi et al. (2022), CC BY 4.0. It does not come with Tercet: give it with ``--data``, or in
``musique`` of the folder TERCET_DATA.

    python benchmarks/recall_musique.py [--limit QUESTIONS] [--data FOLDER] [--json FILE]
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.comparison import TERCET, Asked, Comparison, Metrics, data_folder, save  # noqa: E402
from benchmarks.peers import Reader, Remembering, peers  # noqa: E402
from benchmarks.ranking import all_at, recall_at  # noqa: E402

from tercet import Memory  # noqa: E402
from tercet.engines.embedder import MiniLM  # noqa: E402
from tercet.engines.rules import RuleExtractor  # noqa: E402
from tercet.store.form import Extractor  # noqa: E402
from tercet.store.note import Note, Triplet  # noqa: E402

METRICS: Metrics = {
    "R@2": lambda found, wanted: recall_at(found, wanted, 2),
    "R@5": lambda found, wanted: recall_at(found, wanted, 5),
    "R@10": lambda found, wanted: recall_at(found, wanted, 10),
    "R@20": lambda found, wanted: recall_at(found, wanted, 20),
    "all@5": lambda found, wanted: all_at(found, wanted, 5),
}
GIVEN, BARE, NAMES, BOTH = (f"{TERCET}, {what}" for what in ("given", "bare", "names", "given + rules"))


@dataclass(frozen=True, slots=True)
class Passage:
    """One passage with the triples that an LLM extracted from it."""

    id: str
    text: str
    triples: tuple[tuple[str, str, str], ...]


class Names(RuleExtractor):
    """The rules' names without their triples."""

    name = "names"

    def triplets(self, note: Note) -> list[Triplet]:
        """Returns none."""
        return []


def read_passages(folder: Path) -> list[Passage]:
    """Returns the passages, each with the triples of its own that have three sides."""
    triples = {
        f"{row['title']}\n{row['text']}": row["extracted_triples"]
        for path in sorted(folder.glob("openie_*.json"))
        for row in json.loads(path.read_text())["docs"]
    }
    passages = []
    for place, row in enumerate(json.loads((folder / "musique_train_corpus.json").read_text())):
        text = f"{row['title']}\n{row['text']}"
        whole = [(str(t[0]), str(t[1]), str(t[2])) for t in triples.get(text, ()) if len(t) == 3]
        passages.append(Passage(str(place), text, tuple(t for t in dict.fromkeys(whole) if all(map(_sayable, t)))))
    return passages


def read_questions(folder: Path, passages: Sequence[Passage]) -> list[Asked]:
    """Returns the questions; a kind is the number of hops."""
    ids = {passage.text: passage.id for passage in passages}
    asked = []
    for row in json.loads((folder / "musique_train.json").read_text()):
        supporting = [part for part in row["paragraphs"] if part["is_supporting"]]
        evidence = frozenset(ids[f"{part['title']}\n{part['paragraph_text']}"] for part in supporting)
        asked.append(Asked(row["question"], f"{row['id'][0]} hops", evidence))
    return asked


@contextmanager
def tercet(
    passages: Sequence[Passage], embedder: Remembering, *, extractor: Extractor | None, given: bool
) -> Iterator[Reader]:
    """A memory of the passages, with or without the LLM's triples."""
    drafts = [
        {"text": passage.text, "source": passage.id, "facts": passage.triples if given else ()} for passage in passages
    ]
    with (
        tempfile.TemporaryDirectory() as folder,
        Memory(Path(folder) / "bench.tercet", scope="bench", embedder=embedder, extractor=extractor) as memory,
    ):
        memory.write_many(drafts)
        yield lambda question, k: [found.note.source for found in memory.read(question, k=k)]


def ask(comparison: Comparison, passages: Sequence[Passage], questions: Sequence[Asked], embedder: Remembering) -> None:
    """Asks every variant of Tercet and every peer."""
    ids, texts = [passage.id for passage in passages], [passage.text for passage in passages]
    embedder.embed(texts)
    embedder.embed([question.text for question in questions])
    readers = peers(ids, texts, spoken=texts, embedder=embedder)
    with ExitStack() as stack:

        def add(name: str, extractor: Extractor | None, *, given: bool) -> None:
            readers[name] = stack.enter_context(tercet(passages, embedder, extractor=extractor, given=given))

        add(BARE, None, given=False)
        add(NAMES, Names(), given=False)
        add(TERCET, RuleExtractor(), given=False)
        add(GIVEN, None, given=True)
        add(BOTH, RuleExtractor(), given=True)
        comparison.ask(readers, questions)


def _sayable(side: str) -> bool:
    """Whether a side of a triple has a letter or digit, as facts must."""
    return any(character.isalnum() for character in side)


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--data", type=click.Path(path_type=Path), help="The folder; by default the one in TERCET_DATA.")
@click.option("--limit", type=click.IntRange(min=1), help="Only so many questions, and only their passages.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(data: Path | None, limit: int | None, json_path: Path | None) -> None:
    """Runs every arm and prints the tables."""
    console = Console()
    folder = data_folder(data, "musique")
    passages = read_passages(folder)
    questions = read_questions(folder, passages)[:limit]
    if limit:
        wanted = {id for question in questions for id in question.evidence}
        passages = [passage for passage in passages if passage.id in wanted]
    comparison = Comparison(METRICS, depth=20)
    embedder = Remembering(MiniLM())
    ask(comparison, passages, questions, embedder)
    comparison.show(console, f"MuSiQue, {len(passages):,} passages", by_kind="R@5")
    if json_path is None and limit is None:
        json_path = ROOT / "benchmarks" / "results" / "recall_musique.json"
    gaps = [
        comparison.against_best(metric, arm=arm)
        for arm in (BARE, NAMES, TERCET, GIVEN, BOTH)
        for metric in ("R@5", "R@10")
    ]
    triples = sum(len(passage.triples) for passage in passages)
    counts = {"passages": len(passages), "triples": triples}
    save("recall_musique", comparison, gaps, console=console, data=counts, path=json_path)


if __name__ == "__main__":
    main()
