"""How fast notes are written durably, how big they are, and how soon a crashed store opens, beside other stores.

    python benchmarks/store.py [--rounds 3] [--json FILE]

Every call returns when the note is safe (synchronous=FULL) and in all forms. Rates are medians of rounds that take
turns between the stores, because machines are noisy; compare them only within one run. The callers' rate is of 64
threads that each write one note at a time, for stores that say they may be shared by threads.
"""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import click
import faiss
import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.machine import machine  # noqa: E402
from benchmarks.stores import STORES, Given, Notes, Write  # noqa: E402

from tercet import Memory  # noqa: E402

_BATCH = 100
_CALLERS = 64
_SHARED = ("Tercet", "Chroma")
_SLOWEST = 20.0  # seconds that one measurement may take before it is cut short

_CRASHING = """
import os, sys
sys.path[:0] = {paths!r}
from pathlib import Path
from benchmarks.stores import Notes, tercet
notes = Notes({count})
with tercet(Path({folder!r}), notes) as opened:
    for start in range(0, {count}, 1000):
        opened.write(range(start, start + 1000))
    os.kill(os.getpid(), 9)
"""


def rate(write: Write, calls: Sequence[Sequence[int]]) -> float:
    """Returns notes written a second, one call after the other, cut short after some seconds."""
    written, start = 0, time.perf_counter()
    for nums in calls:
        write(nums)
        written += len(nums)
        if time.perf_counter() - start > _SLOWEST:
            break
    return written / (time.perf_counter() - start)


def shared_rate(write: Write, nums: Sequence[int]) -> float:
    """Returns notes written a second by many threads, one note a call."""
    waiting, lock, failed = iter(nums), threading.Lock(), []

    def caller() -> None:
        try:
            while True:
                with lock:
                    num = next(waiting, None)
                if num is None:
                    return
                write([num])
        except Exception as error:  # noqa: BLE001  (raised below, in the thread that measures)
            failed.append(error)

    threads = [threading.Thread(target=caller) for _ in range(_CALLERS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return len(nums) / (time.perf_counter() - start)


def one_round(name: str, notes: Notes, sizes: tuple[int, int, int]) -> dict[str, float]:
    """Returns the rates and the size of one store in a fresh folder."""
    single, batched, shared = sizes
    with tempfile.TemporaryDirectory() as folder:
        with STORES[name](Path(folder), notes) as opened:
            write = opened.write
            write([0])  # opens files, compiles statements
            found = {"one by one": rate(write, [[i] for i in range(1, single)])}
            batches = [range(i, i + _BATCH) for i in range(single, single + batched, _BATCH)]
            found["batches of 100"] = rate(write, batches)
            done = single + batched
            if name.startswith(_SHARED):
                found["64 callers"] = shared_rate(write, range(done, done + shared))
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        if name.startswith("Tercet"):  # the others may have been cut short
            found["bytes a note"] = sum(path.stat().st_size for path in files) / (done + shared)
    return found


def opening(count: int) -> dict[str, float]:
    """Returns milliseconds to open a store whose writer was killed, and to read from it; faiss' own file beside it."""
    notes = Notes(count)
    with tempfile.TemporaryDirectory() as folder:
        script = _CRASHING.format(paths=[str(ROOT), str(ROOT / ".dev")], count=count, folder=folder)
        ended = subprocess.run([sys.executable, "-c", script], check=False).returncode
        if ended != -signal.SIGKILL:
            raise click.ClickException(f"the writer that was to be killed ended with {ended}")
        start = time.perf_counter()
        with Memory(Path(folder) / "bench.tercet", scope="bench", embedder=Given(notes), extractor=None) as memory:
            opened = time.perf_counter()
            kept = memory.stats().notes
            asked = time.perf_counter()
            memory.read(notes.texts[7], k=5, by=("vectors",))
            searched = time.perf_counter()
        if kept != count:
            raise click.ClickException(f"{count - kept} notes were lost by a kill")
        index = faiss.IndexIDMap2(faiss.IndexFlatIP(Notes.dimensions))
        index.add_with_ids(notes.vectors, np.arange(count))
        faiss.write_index(index, f"{folder}/snapshot")
        loading = time.perf_counter()
        faiss.read_index(f"{folder}/snapshot")
        loaded = time.perf_counter()
    milliseconds = {
        "open": opened - start,
        "first search, index made from the rows": searched - asked,
        "faiss.read_index of a snapshot": loaded - loading,
    }
    return {name: round(seconds * 1e3, 1) for name, seconds in milliseconds.items()}


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(min=1))
@click.option("--notes", "scale", default=5_000, show_default=True, type=click.IntRange(min=200), help="Notes a batch.")
@click.option("--open", "crashed", default=50_000, show_default=True, type=click.IntRange(min=1_000))
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(rounds: int, scale: int, crashed: int, json_path: Path | None) -> None:
    """Runs every store that is installed and prints the table."""
    console = Console()
    sizes = (max(100, scale // 10), scale // _BATCH * _BATCH, scale // 2)
    notes = Notes(sum(sizes) + 1)
    found: dict[str, list[dict[str, float]]] = {}
    missing = set()
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("rounds", total=rounds * len(STORES))
        for _ in range(rounds):
            for name in STORES:
                try:
                    found.setdefault(name, []).append(one_round(name, notes, sizes))
                except ImportError:
                    missing.add(name)
                progress.advance(task)
    medians = {
        name: {figure: round(statistics.median(one[figure] for one in runs)) for figure in runs[0]}
        for name, runs in found.items()
        if runs
    }
    table = Table(title=f"Notes written a second, median of {rounds} rounds")
    columns = ("one by one", "batches of 100", "64 callers", "bytes a note")
    for column in ("store", *columns):
        table.add_column(column, justify="left" if column == "store" else "right")
    for name, figures in medians.items():
        table.add_row(name, *(f"{figures[c]:,}" if c in figures else "–" for c in columns))
    console.print(table)
    for name in sorted(missing):
        console.print(f"{name}: not installed (pip install -e '.[peers]')")
    times = opening(crashed)
    console.print(f"A store of {crashed:,} notes whose writer was killed:", times, "(milliseconds)")
    json_path = json_path or (ROOT / "benchmarks" / "results" / "store.json" if crashed == 50_000 else None)
    if json_path:
        whole = {
            "benchmark": "store",
            "machine": machine(),
            "rounds": rounds,
            "sizes": {"one by one": sizes[0], "batches of 100": sizes[1], "64 callers": sizes[2]},
            "median_per_second": medians,
            "not_installed": sorted(missing),
            "open_after_kill": {"notes": crashed, "milliseconds": times},
        }
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(whole, indent=2) + "\n")


if __name__ == "__main__":
    main()
