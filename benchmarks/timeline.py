"""Finds the day that answers a question in a life log of thousands of short, dated entries that look alike.

The entries of TimelineQA's sparse logs (Tan et al., 2023) are notes with their dates, one memory per log. Atomic
questions name one entry as evidence. Of the questions that count ("how many times did I ... in 2012"), the evidence
is every entry that counts, found by pattern; one whose pattern does not give the gold answer is left out, and a
count of nothing has no evidence to find. The metric R@n asks for the n entries of the evidence in the best n. The data
(CC BY-NC 4.0) does not come with Tercet: give it with ``--data``, or in ``timelineqa`` of the folder TERCET_DATA.

    python benchmarks/timeline.py [--limit QUESTIONS] [--logs LOGS] [--data FOLDER] [--json FILE]
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.comparison import TERCET, Asked, Comparison, Metrics, data_folder, save  # noqa: E402
from benchmarks.peers import Remembering, peers  # noqa: E402
from benchmarks.ranking import hit_at, recall_at, reciprocal_rank  # noqa: E402

from tercet import Memory  # noqa: E402
from tercet.engines.embedder import MiniLM  # noqa: E402

ATOMIC: Metrics = {
    "hit@1": lambda found, wanted: hit_at(found, wanted, 1),
    "hit@5": lambda found, wanted: hit_at(found, wanted, 5),
    "hit@10": lambda found, wanted: hit_at(found, wanted, 10),
    "MRR": reciprocal_rank,
}
COUNTED: Metrics = {
    "R@n": lambda found, wanted: recall_at(found, wanted, len(wanted)),
    "R@50": lambda found, wanted: recall_at(found, wanted, 50),
    "R@200": lambda found, wanted: recall_at(found, wanted, 200),
}
QUESTIONS = 500
LOGS = 2
_MONTHS = ("January February March April May June July August September October November December").split()

# How the questions that count are worded, the kind of entry they count, and how far back they look
_COUNTING = (
    (re.compile(r"How many times did I talk to (?P<word>.+) in (?P<month>\w+) (?P<year>\d+)\?"), "chat"),
    (re.compile(r"How many times did I have (?P<word>.+) for \w+ in (?P<month>\w+) (?P<year>\d+)\?"), ""),
    (re.compile(r"How many times did I (?P<word>.+) in (?P<month>[A-Z]\w+) (?P<year>\d+)\?"), "exercise"),
    (re.compile(r"How many (?P<word>social media) did I read in (?P<year>\d+)\?"), "social"),
    (re.compile(r"How many times (?P<word>.+) have I watched in total since (?P<since>\d+)\?"), "watch"),
    (re.compile(r"How many times did I make\s+(?P<word>.+) after (?P<after>\d+)\?"), ""),
    (re.compile(r"How many times did I go (?P<word>)grocery shopping in (?P<year>\d+)\?"), "grocery"),
    (re.compile(r"How many times have I played (?P<word>.+) with (?P<with>\w+)\?"), "hobbies"),
    (re.compile(r"How many times did I visit (?P<word>.+)\?"), "places"),
    (re.compile(r"How many times did I travel to (?P<word>.+) in year (?P<year>\d+)\?"), "travel"),
    (re.compile(r"How many times did I travel to (?P<word>[^?]+)\?"), "travel"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a life log; the date is as in the file: 2012/03/09."""

    id: str
    kind: str
    date: str
    text: str


@dataclass(frozen=True, slots=True)
class Log:
    """A life log with its questions."""

    name: str
    entries: list[Entry]
    atomic: list[Asked]
    counted: list[Asked]
    left_out: int


def read_log(path: Path, *, limit: int) -> Log:
    """Reads one log with at most so many atomic questions; their kind is the first word."""
    data = json.loads(path.read_text())
    entries = [Entry(row["eid"], row["kind"], row["date"], row["text"]) for row in data["episodes"]]
    known = {entry.id for entry in entries}
    atomic = [
        Asked(row["question"], _kind(row["question"]), frozenset({row["evidence_eid"]}))
        for row in data["atomic_questions"][:limit]
        if row["evidence_eid"] in known
    ]
    counted, left_out = [], 0
    for row in data["multihop_questions"]:
        if not row["question"].startswith("How many "):
            continue
        evidence = counted_by(row["question"], entries)
        if evidence and row["answer_rows"] == [[str(len(evidence))]]:
            counted.append(Asked(row["question"], "count", evidence))
        else:
            left_out += 1
    return Log(path.stem, entries, atomic, counted, left_out)


def counted_by(question: str, entries: list[Entry]) -> frozenset[str]:
    """Returns the ids of the entries that a counting question counts; none for a wording that is not known."""
    for pattern, kind in _COUNTING:
        if found := pattern.fullmatch(question.strip()):
            parts = {name: part for name, part in found.groupdict().items() if part}
            return frozenset(entry.id for entry in entries if entry.kind.startswith(kind) and _fits(entry, parts))
    return frozenset()


def _fits(entry: Entry, parts: dict[str, str]) -> bool:
    """Whether an entry holds the words and lies in the time that a question names."""
    year, month = int(entry.date[:4]), int(entry.date[5:7])
    words = entry.text.casefold()
    return (
        all(parts[name].casefold() in words for name in ("word", "with") if name in parts)
        and year == int(parts.get("year", year))
        and year >= int(parts.get("since", year))
        and year > int(parts.get("after", year - 1))
        and ("month" not in parts or (parts["month"] in _MONTHS and month == _MONTHS.index(parts["month"]) + 1))
    )


def _kind(question: str) -> str:
    """Returns the question word, wherever it stands."""
    words = re.findall(r"[a-z]+", question.casefold())
    return next((word for word in words if word in {"when", "where", "who", "what", "how", "which", "did"}), "other")


def ask(atomic: Comparison, counted: Comparison, log: Log, embedder: Remembering) -> None:
    """Asks Tercet and the peers both kinds of question about one log."""
    ids, spoken = [entry.id for entry in log.entries], [entry.text for entry in log.entries]
    embedder.embed(spoken)
    embedder.embed([question.text for question in (*log.atomic, *log.counted)])
    readers = peers(ids, [f"{entry.date} {entry.text}" for entry in log.entries], spoken=spoken, embedder=embedder)
    with (
        tempfile.TemporaryDirectory() as folder,
        Memory(Path(folder) / "bench.tercet", scope="bench", embedder=embedder) as memory,
    ):
        memory.write_many(
            {"text": entry.text, "source": entry.id, "happened": entry.date.replace("/", "-")} for entry in log.entries
        )
        readers[TERCET] = lambda question, k: [found.note.source for found in memory.read(question, k=k)]
        atomic.ask(readers, log.atomic)
        counted.ask(readers, log.counted)


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--data", type=click.Path(path_type=Path), help="The folder; by default the one in TERCET_DATA.")
@click.option("--logs", type=click.IntRange(min=1), default=LOGS, help="Only so many logs.")
@click.option("--limit", type=click.IntRange(min=1), default=QUESTIONS, help="Atomic questions of each log.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(data: Path | None, logs: int, limit: int, json_path: Path | None) -> None:
    """Runs every arm over every log and prints the tables."""
    console = Console()
    paths = sorted(data_folder(data, "timelineqa").glob("*.json"))[:logs]
    atomic, counted = Comparison(ATOMIC, depth=10), Comparison(COUNTED, depth=200)
    embedder = Remembering(MiniLM())
    entries = left_out = 0
    for path in paths:
        log = read_log(path, limit=limit)
        entries, left_out = entries + len(log.entries), left_out + log.left_out
        ask(atomic, counted, log, embedder)
    atomic.show(console, f"TimelineQA, atomic, {len(paths)} logs, {entries:,} entries", by_kind="hit@5")
    counted.show(console, "TimelineQA, counting: the entries that count")
    console.print(f"{left_out} counting questions count nothing, or are worded in a way that no pattern follows")
    full = (logs, limit) == (LOGS, QUESTIONS)
    results = ROOT / "benchmarks" / "results"
    gaps = [atomic.against_best(metric) for metric in ("hit@1", "hit@5")]
    counts = {
        "logs": len(paths),
        "entries": entries,
        "counting": {
            "questions": len(counted.kinds),
            "left_out": left_out,
            "arms": counted.figures(),
            "against_best_peer": [counted.against_best("R@n")],
        },
    }
    path_out = json_path or (results / "timeline.json" if full else None)
    save("timeline", atomic, gaps, console=console, data=counts, path=path_out)


if __name__ == "__main__":
    main()
