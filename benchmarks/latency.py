"""Times reads and writes as a memory grows, beside FTS5 alone and faiss alone over the same texts and vectors.

Notes are made up: a name, two rarer names, and words drawn as natural language has them (Zipf), so that a question's
words are frequent and rare ones mixed. Vectors are random: time does not depend on what they mean, and no embedder
is timed. FTS5 alone and faiss flat alone are what the same machine can do without scopes, time, fusion or reasons:
physical limits, not rivals. The first read makes what is kept in memory, and is told apart.

    python benchmarks/latency.py [--notes N ...] [--largest] [--reads N] [--json FILE]
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path

import click
import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.machine import machine  # noqa: E402

from tercet import Memory  # noqa: E402
from tercet.store.form import Vector  # noqa: E402

NOTES = (1_000, 10_000, 100_000)
LARGEST = 1_000_000
READS = 200
BATCH = 5_000
K = 10
WORDS = 30_000  # different words
FORMS = {
    "Tercet, words": ("words",),
    "Tercet, vectors": ("vectors",),
    "Tercet, words + vectors": ("words", "vectors"),
    "Tercet, graph": ("graph",),
    "Tercet": ("words", "vectors", "triplets", "graph"),
}


@dataclass(frozen=True, slots=True)
class Read:
    """How long reads of 10 took.

    Attributes:
        notes: in the store.
        arm: who read.
        first_ms: milliseconds of the first read of all, which makes what is kept in memory.
        p50_ms: median of the others.
        p95_ms: their 95th percentile.
        cpu_p50_ms: median of their processor time, which other programs' load lengthens less.
        cpu_p95_ms: its 95th percentile.
    """

    notes: int
    arm: str
    first_ms: float
    p50_ms: float
    p95_ms: float
    cpu_p50_ms: float
    cpu_p95_ms: float


@dataclass(frozen=True, slots=True)
class Store:
    """What it took to fill a store.

    Attributes:
        notes: in the store.
        per_second: notes written per second, in batches, vectors ready.
        single_ms: median milliseconds of the write of one note, durable when it returns.
        next_read_ms: median milliseconds of processor time of the read after such a write, which takes the note in.
        bytes_per_note: on disk.
        peak_mb: the most memory that the process has used until then, in megabytes.
    """

    notes: int
    per_second: float
    single_ms: float
    next_read_ms: float
    bytes_per_note: float
    peak_mb: float


class Random:
    """Unit vectors drawn by the text, the same for the same text."""

    name = "random"
    dimensions = 384

    def embed(self, texts: Sequence[str]) -> Vector:
        """Returns unit vectors, shape (len(texts), 384)."""
        seeds = [int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) for text in texts]
        drawn = np.stack([np.random.default_rng(seed).standard_normal(384, dtype=np.float32) for seed in seeds])
        unit: Vector = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        return unit


class Writer:
    """Writes notes and questions; the same seed writes the same."""

    def __init__(self, *, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._words = _language()
        self._names = [word.capitalize() for word in self._words[: WORDS // 10]]

    def _drawn(self, words: Sequence[str], count: int) -> list[str]:
        """Returns words by Zipf's law: the second half as often as the first, and so on."""
        ranks = self._random.zipf(1.2, count) % len(words)
        return [words[rank] for rank in ranks]

    def notes(self, count: int) -> Iterator[dict[str, str]]:
        """Yields drafts of about 25 words; ten make one thread."""
        for place in range(count):
            who, whom, where = self._drawn(self._names, 3)
            body = self._drawn(self._words, 20)
            day = f"{2000 + place % 24}-{1 + place % 12:02}-{1 + place % 28:02}"
            text = f"{who} met {whom} in {where}. {' '.join(body)}."
            yield {"text": text, "speaker": who, "thread": f"thread-{place // 10}", "happened": day}

    def question(self) -> str:
        """Returns a question of a name and some words."""
        who = self._drawn(self._names, 1)[0]
        return f"What did {who} say about {' '.join(self._drawn(self._words, 5))}?"


@cache
def _language() -> list[str]:
    """Returns the words that everybody has, of two to four syllables, the most frequent first."""
    syllables = [first + vowel for first in "bdfgklmnprstvz" for vowel in "aeiou"]
    random = np.random.default_rng(0)
    sizes, drawn = random.integers(2, 5, WORDS), random.integers(0, len(syllables), (WORDS, 4))
    return ["".join(syllables[i] for i in row[:size]) for row, size in zip(drawn, sizes, strict=True)]


def timed(read: Callable[[str], object], questions: Sequence[str], *, notes: int, arm: str) -> Read:
    """Times every question, the first apart."""
    spent: list[tuple[float, float]] = []
    for question in questions:
        start, begun = time.perf_counter(), time.process_time()
        read(question)
        spent.append((time.perf_counter() - start, time.process_time() - begun))
    first, rest = spent[0][0] * 1_000, np.array(spent[1:]) * 1_000
    told = [round(float(np.percentile(rest[:, kind], percent)), 2) for kind in (0, 1) for percent in (50, 95)]
    return Read(notes, arm, round(first, 2), *told)


def full_text_alone(path: Path, texts: Sequence[str]) -> Callable[[str], object]:
    """FTS5 in a file, porter stems, the OR of a question's words."""
    database = sqlite3.connect(path)
    database.execute("CREATE VIRTUAL TABLE words USING fts5(text, tokenize='porter unicode61')")
    with database:
        database.executemany("INSERT INTO words(text) VALUES (?)", ((text,) for text in texts))

    def read(question: str) -> object:
        terms = " OR ".join(f'"{word}"' for word in dict.fromkeys(re.findall(r"\w+", question.lower())))
        return database.execute(
            "SELECT rowid FROM words WHERE words MATCH ? ORDER BY bm25(words) LIMIT ?", (terms, K)
        ).fetchall()

    return read


def faiss_alone(vectors: Vector, questions: dict[str, Vector]) -> Callable[[str], object]:
    """An exact index in memory; the question's vector is given."""
    import faiss

    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return lambda question: index.search(questions[question][None], K)


def measure(notes: int, *, reads: int, console: Console) -> tuple[Store, list[Read]]:
    """Fills one store and times every arm."""
    embedder = Random()
    drafts = list(Writer(seed=1).notes(notes))
    asking = Writer(seed=2)
    questions = list(dict.fromkeys(asking.question() for _ in range(reads)))
    rows: list[Read] = []
    with tempfile.TemporaryDirectory() as folder:
        with Memory(Path(folder) / "bench.tercet", scope="bench", embedder=embedder) as memory:
            start = time.perf_counter()
            for place in range(0, notes, BATCH):
                memory.write_many(drafts[place : place + BATCH])
            filled = time.perf_counter() - start
            singles = []
            for draft in Writer(seed=3).notes(50):
                start = time.perf_counter()
                memory.write_many([draft])
                singles.append(time.perf_counter() - start)
            for arm, forms in FORMS.items():
                read = partial(memory.read, k=K, by=forms)
                rows.append(timed(read, questions, notes=notes, arm=arm))
            taken = [next_read(memory, draft, asking.question()) for draft in Writer(seed=4).notes(20)]
            size = memory.stats().bytes
        alone = full_text_alone(Path(folder) / "alone.sqlite", [draft["text"] for draft in drafts])
        rows.append(timed(alone, questions, notes=notes, arm="FTS5 alone"))
    spoken = [f"{draft['speaker']}: {draft['text']}" for draft in drafts]
    vectors = np.concatenate([embedder.embed(spoken[i : i + BATCH]) for i in range(0, notes, BATCH)])
    asked = {question: embedder.embed([question])[0] for question in questions}
    rows.append(timed(faiss_alone(vectors, asked), questions, notes=notes, arm="faiss flat alone"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    store = Store(
        notes,
        round(notes / filled, 1),
        round(float(np.median(singles)) * 1_000, 2),
        round(float(np.median(taken)) * 1_000, 2),
        round(size / (notes + len(singles) + len(taken)), 1),
        round(peak, 1),
    )
    console.print(f"{notes:,} notes: {store.per_second:,.0f} notes/s in batches, one at a time {store.single_ms} ms")
    return store, rows


def next_read(memory: Memory, draft: dict[str, str], question: str) -> float:
    """Writes a note; returns the seconds of processor time of the next read, which takes it in."""
    memory.write_many([draft])
    begun = time.process_time()
    memory.read(question, k=K)
    return time.process_time() - begun


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--notes", type=click.IntRange(min=10), multiple=True, help="Sizes; by default 1,000 to 100,000.")
@click.option("--largest", is_flag=True, help="Also 1,000,000 notes; needs an hour and several gigabytes.")
@click.option("--reads", type=click.IntRange(min=3), default=READS, help="Questions of each arm.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(notes: tuple[int, ...], largest: bool, reads: int, json_path: Path | None) -> None:
    """Times every size and prints the tables."""
    console = Console()
    sizes = (notes or NOTES) + ((LARGEST,) if largest else ())
    measured = [measure(size, reads=reads, console=console) for size in sizes]
    table = Table(title=f"reads of {K}, question's vector given", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("notes", "arm", "first ms", "p50", "p95", "cpu p50", "cpu p95"):
        table.add_column(heading, justify="left" if heading == "arm" else "right", no_wrap=True)
    for row in (row for _, rows in measured for row in rows):
        told = row.first_ms, row.p50_ms, row.p95_ms, row.cpu_p50_ms, row.cpu_p95_ms
        figures = [f"{milliseconds:,.1f}" for milliseconds in told]
        table.add_row(f"{row.notes:,}", row.arm, *figures, style="bold" if row.arm == "Tercet" else "")
    console.print(table)
    filled = Table(title="writes", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("notes", "notes/s in batches", "one, ms", "next read, cpu ms", "bytes per note", "peak MB"):
        filled.add_column(heading, justify="right", no_wrap=True)
    for store, _ in measured:
        spent = f"{store.per_second:,.0f}", f"{store.single_ms:.1f}", f"{store.next_read_ms:.1f}"
        filled.add_row(f"{store.notes:,}", *spent, f"{store.bytes_per_note:,.0f}", f"{store.peak_mb:,.0f}")
    console.print(filled)
    if json_path is None and not notes:
        json_path = ROOT / "benchmarks" / "results" / "latency.json"
    if json_path:
        whole = {
            "benchmark": "latency",
            "machine": machine(),
            "load": [round(load, 2) for load in os.getloadavg()],
            "reads": [asdict(row) for _, rows in measured for row in rows],
            "writes": [asdict(store) for store, _ in measured],
        }
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(whole, indent=2) + "\n")


if __name__ == "__main__":
    main()
