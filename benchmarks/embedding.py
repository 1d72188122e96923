"""Turns texts into vectors: how fast, how near to float32, and whether recall notices; sentence-transformers beside it.

The same model for every arm (all-MiniLM-L6-v2, cut at 256 tokens), the same texts and the same threads, in interleaved
rounds: turns of LoCoMo (CC BY-NC 4.0) and long messages of BEAM. Rates are medians; a ratio is the median over the
rounds of the ratio within a round, and is given for processor time too, which other work on the machine hardly disturbs
(with one thread; more threads wait for each other, and that counts). Recall is that of the vectors alone, by exact
cosine. The data does not come with Tercet: it is in the folder TERCET_DATA.

    python benchmarks/embedding.py [--threads N] [--rounds N] [--limit-dialogues N] [--json FILE]
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path.insert(0, str(ROOT))

from benchmarks.machine import machine  # noqa: E402
from benchmarks.ranking import paired_bootstrap, recall_at  # noqa: E402

from tercet.adapters.dialogues import Transcript, read_dialogue  # noqa: E402
from tercet.engines.embedder import MiniLM  # noqa: E402
from tercet.engines.encoder_files import minilm_folder  # noqa: E402
from tercet.store.form import Vector  # noqa: E402

PEER, EXACT, DEFAULT = "sentence-transformers", "Tercet, float32", "Tercet"
ARMS = (PEER, EXACT, DEFAULT)
LONG = 800  # characters: a message of about 200 tokens
TOP = 10
Embed = Callable[[Sequence[str]], Vector]


@dataclass(slots=True)
class Speed:
    """Seconds of each round, by what was embedded; the first use in a process of its own."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    cpu_seconds: dict[str, list[float]] = field(default_factory=dict)
    first_seconds: float = 0.0
    first_cpu_seconds: float = 0.0
    mebibytes: float = 0.0

    def time(self, title: str, embed: Embed, texts: Sequence[str]) -> None:
        """Embeds texts once and keeps how long it took."""
        start, cpu = time.perf_counter(), time.process_time()
        embed(texts)
        self.seconds.setdefault(title, []).append(time.perf_counter() - start)
        self.cpu_seconds.setdefault(title, []).append(time.process_time() - cpu)


@dataclass(frozen=True, slots=True)
class Nearness:
    """The cosine of an arm's vectors to those of float32."""

    least: float
    mean: float


def arm(name: str) -> Embed:
    """Returns the function of an arm; what it loads, it loads at its first use."""
    if name == EXACT:
        return MiniLM(precision="float32").embed
    if name == DEFAULT:
        return MiniLM().embed
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(minilm_folder()), device="cpu")
    model.max_seq_length = 256

    def embed(texts: Sequence[str]) -> Vector:
        made: Vector = model.encode(list(texts), batch_size=64, normalize_embeddings=True, show_progress_bar=False)
        return made

    return embed


def first_use(name: str, threads: int) -> tuple[float, float, float]:
    """Returns seconds and processor seconds to the first vector, and the process's mebibytes after a batch."""
    os.environ["OMP_NUM_THREADS"] = str(threads)  # torch is not loaded yet
    start, cpu = time.perf_counter(), time.process_time()
    embed = arm(name)
    embed(["Where does Ada live now?"])
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    embed([f"Ada moved to house number {i}." for i in range(256)])
    # kibibytes on Linux, bytes on macOS
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return seconds, cpu_seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def long_messages(folder: Path) -> Iterator[str]:
    """Yields the messages of BEAM's chats that are longer than `LONG`."""
    waiting: list[object] = [json.loads(path.read_bytes()) for path in sorted(folder.rglob("chat.json"))]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            content = value.get("content")
            if isinstance(content, str) and len(content) > LONG:
                yield content
            waiting.extend(inner for inner in value.values() if isinstance(inner, (dict, list)))


def spread(texts: Sequence[str], count: int) -> list[str]:
    """Returns texts taken at equal distances."""
    return [texts[int(i)] for i in np.linspace(0, len(texts) - 1, min(count, len(texts)))]


def measure(arms: dict[str, Embed], speeds: dict[str, Speed], batches: dict[str, list[str]], rounds: int) -> None:
    """Times every arm on every batch, and on the first 32 texts of the first batch one by one."""
    one_by_one = next(iter(batches.values()))[:32]
    for _ in range(rounds):
        for name, embed in arms.items():
            for title, texts in batches.items():
                speeds[name].time(title, embed, texts)
            for text in one_by_one:
                speeds[name].time("one", embed, [text])


def ratios(speed: Speed, peer: Speed, title: str) -> dict[str, float]:
    """Returns how many times as fast as the peer an arm was, round by round: by the clock and by processor time."""
    clock = np.array(peer.seconds[title]) / np.array(speed.seconds[title])
    processor = np.array(peer.cpu_seconds[title]) / np.array(speed.cpu_seconds[title])
    return {
        "times_the_peer": round(float(np.median(clock)), 2),
        "times_the_peer_cpu": round(float(np.median(processor)), 2),
    }


def found(embed: Embed, transcripts: Sequence[Transcript]) -> tuple[list[float], list[list[str]]]:
    """Returns recall among the first ten of every question that has evidence, and the ten themselves."""
    recalls, tops = [], []
    for transcript in transcripts:
        sources = [str(turn["source"]) for turn in transcript.turns]
        asked = [(one.text, set(one.evidence) & set(sources)) for one in transcript.questions]
        asked = [(text, evidence) for text, evidence in asked if evidence]
        turns = embed([f"{turn['speaker']}: {turn['text']}" for turn in transcript.turns])
        scores = embed([text for text, _ in asked]) @ turns.T
        for (_, evidence), row in zip(asked, scores, strict=True):
            top = [sources[i] for i in np.argsort(-row, kind="stable")[:TOP]]
            tops.append(top)
            recalls.append(recall_at(top, evidence, TOP))
    return recalls, tops


def overlap(ours: Sequence[list[str]], theirs: Sequence[list[str]]) -> float:
    """Returns the mean share of the first ten that two arms have in common."""
    return float(np.mean([len(set(a) & set(b)) / TOP for a, b in zip(ours, theirs, strict=True)]))


def figures(speed: Speed, peer: Speed, near: dict[str, Nearness], batches: dict[str, list[str]]) -> dict[str, object]:
    """Returns what was measured of one arm, for the table and for JSON."""
    rates = {
        title: {
            "texts_per_second": round(len(texts) / float(np.median(speed.seconds[title])), 1),
            **ratios(speed, peer, title),
            "least_cosine": round(near[title].least, 6),
            "mean_cosine": round(near[title].mean, 6),
        }
        for title, texts in batches.items()
    }
    alone = float(np.median(speed.seconds["one"]))
    single = {
        "texts_per_second": round(1 / alone, 1),
        **ratios(speed, peer, "one"),
        "p50_ms": round(alone * 1_000, 2),
        "p50_cpu_ms": round(float(np.median(speed.cpu_seconds["one"])) * 1_000, 2),
    }
    first = {"seconds": round(speed.first_seconds, 2), "cpu_seconds": round(speed.first_cpu_seconds, 2)}
    return {"batches": rates, "one_by_one": single, "first_vector": first, "mebibytes": round(speed.mebibytes)}


def table(rows: dict[str, dict[str, object]], title: str) -> Table:
    """One line per arm."""
    drawn = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    drawn.add_column("arm", no_wrap=True)
    names = (
        "turns /s",
        "x",
        "x cpu",
        "long /s",
        "x",
        "x cpu",
        "p50 ms",
        "cpu ms",
        "first s",
        "MiB",
        "least",
        "mean cos",
    )
    for name in names:
        drawn.add_column(name, justify="right", no_wrap=True)
    for name, row in rows.items():
        whole = json.loads(json.dumps(row))
        turns, long = whole["batches"].values()
        one, keys = whole["one_by_one"], ("texts_per_second", "times_the_peer", "times_the_peer_cpu")
        cells = [batch[key] for batch in (turns, long) for key in keys]
        cells += [one["p50_ms"], one["p50_cpu_ms"], whole["first_vector"]["seconds"], whole["mebibytes"]]
        cells += [min(turns["least_cosine"], long["least_cosine"]), turns["mean_cosine"]]
        drawn.add_row(name, *map(str, cells), style="bold" if name == DEFAULT else "")
    return drawn


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--threads", default=2, show_default=True, type=click.IntRange(min=1), help="Threads of every arm.")
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(min=1), help="How often each is timed.")
@click.option("--turns", default=256, show_default=True, type=click.IntRange(min=1), help="How many turns are timed.")
@click.option("--long", default=32, show_default=True, type=click.IntRange(min=1), help="How many long messages.")
@click.option("--limit-dialogues", type=click.IntRange(min=1), help="Recall over the first so many dialogues only.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(threads: int, rounds: int, turns: int, long: int, limit_dialogues: int | None, json_path: Path | None) -> None:
    """Times every arm and compares the vectors."""
    import torch

    torch.set_num_threads(threads)
    console = Console(width=140)
    folder = Path(os.environ.get("TERCET_DATA", ROOT.parent / "shared" / "data"))
    for path in (folder / "locomo" / "locomo_open.json", folder / "beam"):
        if not path.exists():
            raise click.ClickException(f"no data at {path}; set TERCET_DATA")
    transcripts = read_dialogue(folder / "locomo" / "locomo_open.json")
    spoken = [f"{turn['speaker']}: {turn['text']}" for transcript in transcripts for turn in transcript.turns]
    batches = {"turns": spread(spoken, turns), "long": spread(list(long_messages(folder / "beam")), long)}
    arms = {name: arm(name) for name in ARMS}
    speeds = {name: Speed() for name in ARMS}
    fresh = multiprocessing.get_context("spawn")
    for name, speed in speeds.items():
        with fresh.Pool(1) as pool:
            speed.first_seconds, speed.first_cpu_seconds, speed.mebibytes = pool.apply(first_use, (name, threads))
            pool.close()  # left to end by itself: what is killed leaves its semaphores behind
            pool.join()
    vectors = {name: {title: embed(texts) for title, texts in batches.items()} for name, embed in arms.items()}
    near: dict[str, dict[str, Nearness]] = {name: {} for name in ARMS}
    for name in ARMS:
        for title in batches:
            cosines = (vectors[name][title] * vectors[EXACT][title]).sum(1)
            near[name][title] = Nearness(float(cosines.min()), float(cosines.mean()))
    measure(arms, speeds, batches, rounds)
    rows = {name: figures(speeds[name], speeds[PEER], near[name], batches) for name in ARMS}
    console.print(
        table(rows, f"all-MiniLM-L6-v2: {turns} turns, {long} long messages, {rounds} rounds, {threads} threads")
    )
    chosen = transcripts[:limit_dialogues]
    (exact, exact_tops), (default, default_tops) = found(arms[EXACT], chosen), found(arms[DEFAULT], chosen)
    gap = paired_bootstrap(default, exact)
    recall = {
        "questions": len(exact),
        "R@10": {EXACT: round(float(np.mean(exact)), 4), DEFAULT: round(float(np.mean(default)), 4)},
        "difference": {"mean": gap.difference, "low": gap.low, "high": gap.high},
        "top_10_in_common": round(overlap(default_tops, exact_tops), 4),
    }
    console.print(
        f"LoCoMo, {len(exact):,} questions, vectors alone: R@10 {np.mean(exact):.4f} in float32, "
        f"{np.mean(default):.4f} by default ({gap.difference:+.4f}, 95% interval {gap.low:+.4f} .. {gap.high:+.4f}, "
        f"paired bootstrap); {recall['top_10_in_common']:.1%} of the first ten in common"
    )
    if json_path is None and limit_dialogues is None:
        json_path = ROOT / "benchmarks" / "results" / "embedding.json"
    if json_path:
        whole = {
            "benchmark": "embedding",
            "data": {"turns": turns, "long_messages": long, "rounds": rounds, "threads": threads},
            "machine": machine(),
            "arms": rows,
            "recall": recall,
        }
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(whole, indent=2) + "\n")


if __name__ == "__main__":
    main()
