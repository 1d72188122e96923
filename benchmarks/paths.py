"""Finds the entity that answers a question over two or three facts: whose nationality has the spouse of the mother?

PathQuestion (Zhou et al., 2018): every fact of the small knowledge base is one note that says it and states it as the
caller's fact, all in one store; questions word relations freely ("other half" for spouse). What is ranked is
entities: those of the recalled notes' facts, in order, without those that the question names. "Tercet" has
`Recall.answers` before them, as they are; "Tercet, notes" has not. "nearest" is a
breadth-first walk from the entity in the question that ranks nothing; "nearest, words" takes the facts of the walk
whose relations share words with the question first. A hit is any of the answers that the file allows. A second table
ranks notes: a hit is one that states the last fact of the chain. The data does
not come with Tercet: give it with ``--data``, or in ``pathquestion`` of the folder TERCET_DATA.

    python benchmarks/paths.py [--limit QUESTIONS] [--data FOLDER] [--json FILE]
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click
from rich.console import Console

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.comparison import TERCET, Asked, Comparison, Metrics, data_folder, save  # noqa: E402
from benchmarks.peers import Reader, Remembering, peers  # noqa: E402
from benchmarks.ranking import hit_at, reciprocal_rank  # noqa: E402

from tercet import Memory  # noqa: E402
from tercet.engines.embedder import MiniLM  # noqa: E402

METRICS: Metrics = {
    "hit@1": lambda found, wanted: hit_at(found, wanted, 1),
    "hit@5": lambda found, wanted: hit_at(found, wanted, 5),
    "hit@10": lambda found, wanted: hit_at(found, wanted, 10),
    "MRR": reciprocal_rank,
}
HOPS = ("2", "3")
QUESTIONS = 300
NOTES = f"{TERCET}, notes"
READ = 50  # notes that are read to name entities
Fact = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Base:
    """The facts of one knowledge base, and questions over it: which entity answers, and which fact is the last."""

    facts: list[Fact]
    questions: list[Asked]
    last: list[Asked]


def read_base(folder: Path, hops: str, *, limit: int) -> Base:
    """Reads one knowledge base and questions spread over its whole file."""
    lines = (folder / f"{hops}H-kb.txt").read_text().splitlines()
    facts = [(s, r, o) for s, r, o in (map(spelled, line.split("\t")) for line in dict.fromkeys(lines))]
    rows = [line.split("\t") for line in (folder / f"PQ-{hops}H.txt").read_text().splitlines()]
    questions, last = [], []
    for words, answer, path in rows[:: max(1, len(rows) // limit)][:limit]:
        allowed = re.fullmatch(r".*?\((.*)/\)", answer)
        answers = allowed[1].split("/") if allowed else [answer]
        question = spelled(words).replace(" 's", "'s").replace(" ?", "?")
        questions.append(Asked(question, f"{hops} hops", frozenset(map(spelled, answers))))
        start, *relations = map(spelled, path.split("#<end>")[0].split("#")[: 2 * int(hops)])
        if stating := last_facts(facts, start, relations[::2]):
            last.append(Asked(question, f"{hops} hops", stating))
    return Base(facts, questions, last)


def last_facts(facts: Sequence[Fact], start: str, relations: Sequence[str]) -> frozenset[str]:
    """Returns the places of the facts that the last of some relations stands for, walked from one entity."""
    ends, places = {start}, list[int]()
    for relation in relations:
        places = [place for place, (s, r, _) in enumerate(facts) if s in ends and r == relation]
        ends = {facts[place][2] for place in places}
    return frozenset(map(str, places))


def spelled(name: str) -> str:
    """Returns a name of the knowledge base as one writes it."""
    return name.strip().replace("_", " ")


def entities(facts: Iterable[Fact], question: str) -> list[str]:
    """Returns the ends of facts in order, each once, without those that the question names."""
    ends = [end for subject, _, target in facts for end in (subject, target)]
    return [end for end in dict.fromkeys(ends) if not _names(question, end)]


def nearest(facts: Sequence[Fact], *, by_words: bool) -> Reader:
    """A breadth-first walk from the entities that the question names; see the top of this file."""
    around: Mapping[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        around[fact[0]].append(fact)
        around[fact[2]].append(fact)

    def read(question: str, k: int) -> list[str]:
        asked = set(re.findall(r"\w+", question))
        starts = sorted((name for name in around if _names(question, name)), key=len, reverse=True)[:1]
        walked: list[Fact] = []
        seen, queue = set(starts), deque((start, 0) for start in starts)
        while queue:
            name, steps = queue.popleft()
            for fact in around[name]:
                walked.append(fact)
                other = fact[2] if fact[0] == name else fact[0]
                if other not in seen and steps < 2:
                    seen.add(other)
                    queue.append((other, steps + 1))
        if by_words:
            walked.sort(key=lambda fact: -len(asked & set(fact[1].split())))
        return entities(walked, question)[:k]

    return read


def by_facts(reader: Reader, facts: Sequence[Fact]) -> Reader:
    """Turns a reader of facts, by number, into one of entities."""
    return lambda question, k: entities((facts[int(id)] for id in reader(question, READ)), question)[:k]


@contextmanager
def tercet(facts: Sequence[Fact], embedder: Remembering) -> Iterator[Memory]:
    """A memory of all facts, each in a note of its own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Memory(Path(folder) / "bench.tercet", scope="bench", embedder=embedder) as memory,
    ):
        memory.write_many(
            {"text": " ".join(fact), "source": str(place), "facts": [fact]} for place, fact in enumerate(facts)
        )
        yield memory


def noted(memory: Memory) -> Reader:
    """Reads notes."""
    return lambda question, k: [found.note.source for found in memory.read(question, k=k)]


def answered(memory: Memory, facts: Sequence[Fact]) -> Reader:
    """Reads answers, and behind them the entities of the notes of the same read."""

    def read(question: str, k: int) -> list[str]:
        recall = memory.read(question, k=READ)
        others = entities((facts[int(found.note.source)] for found in recall), question)
        return list(dict.fromkeys([*(answer.name for answer in recall.answers), *others]))[:k]

    return read


def ask(comparison: Comparison, notes: Comparison, base: Base, embedder: Remembering) -> None:
    """Asks Tercet and the peers for entities, and for notes."""
    ids, texts = [str(place) for place in range(len(base.facts))], [" ".join(fact) for fact in base.facts]
    embedder.embed(texts)
    embedder.embed([question.text for question in base.questions])
    by_note = peers(ids, texts, spoken=texts, embedder=embedder)
    readers = {name: by_facts(reader, base.facts) for name, reader in by_note.items()}
    readers["nearest"] = nearest(base.facts, by_words=False)
    readers["nearest, words"] = nearest(base.facts, by_words=True)
    with tercet(base.facts, embedder) as memory:
        by_note[TERCET] = noted(memory)
        readers[NOTES] = by_facts(by_note[TERCET], base.facts)
        readers[TERCET] = answered(memory, base.facts)
        comparison.ask(readers, base.questions)
        notes.ask(by_note, base.last)


def _names(question: str, entity: str) -> bool:
    """Whether a question names an entity, as whole words."""
    return _words(entity) in _words(question)


@cache
def _words(text: str) -> str:
    return " ".join(["", *re.findall(r"\w+", text), ""])


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--data", type=click.Path(path_type=Path), help="The folder; by default the one in TERCET_DATA.")
@click.option("--limit", type=click.IntRange(min=1), default=QUESTIONS, help="Questions per number of hops.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(data: Path | None, limit: int, json_path: Path | None) -> None:
    """Runs every arm over both knowledge bases and prints the tables."""
    console = Console()
    folder = data_folder(data, "pathquestion")
    comparison, notes = Comparison(METRICS, depth=10), Comparison(METRICS, depth=10)
    embedder = Remembering(MiniLM())
    facts = 0
    for hops in HOPS:
        base = read_base(folder, hops, limit=limit)
        facts += len(base.facts)
        ask(comparison, notes, base, embedder)
    comparison.show(console, f"PathQuestion, {facts:,} facts in two stores", by_kind="hit@1")
    notes.show(console, "The note of the last fact", by_kind="hit@1")
    if json_path is None and limit == QUESTIONS:
        json_path = ROOT / "benchmarks" / "results" / "paths.json"
    gaps = [comparison.against_best(metric) for metric in ("hit@1", "hit@5", "hit@10")]
    last = {"arms": notes.figures(), "against_best_peer": [notes.against_best(metric) for metric in ("hit@1", "hit@5")]}
    save("paths", comparison, gaps, console=console, data={"facts": facts, "last_facts": last}, path=json_path)


if __name__ == "__main__":
    main()
