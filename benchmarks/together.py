"""Eight writers in four processes count on the same notes beside a reader: lost updates, lock errors, waiting.

    python benchmarks/together.py [--turns 50] [--json FILE]

Every writer reads a counter, adds one and puts it back, again and again; what counts in the end must equal what was
acknowledged. Tercet's arm revises notes and, when somebody was quicker, reads again. The naive arm does the same on a
table with SQLAlchemy's and SQLite's own settings. A reader in its own process reads all the while.
"""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.machine import machine  # noqa: E402

from tercet import Memory, TercetError  # noqa: E402
from tercet.store.errors import InvalidInput  # noqa: E402

_PROCESSES, _THREADS, _COUNTERS = 4, 2, 4


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to count: all functions take the folder.

    Attributes:
        prepare: puts the counters at zero.
        add: returns a function that adds one to a counter and says whether it was acknowledged.
        read: returns a function that reads once.
        total: the counters' sum.
    """

    prepare: Callable[[Path], None]
    add: Callable[[Path], Callable[[int], bool]]
    read: Callable[[Path], Callable[[], object]]
    total: Callable[[Path], int]


def _memory(folder: Path) -> Memory:
    return Memory(folder / "m.tercet", scope="bench", embedder=None, extractor=None)


def _value(memory: Memory, counter: int) -> tuple[str, int]:
    newest = memory.notes(thread=f"counter {counter}", limit=1)[0]
    return newest.id, int(newest.text.rpartition(" ")[2])


def _prepare_tercet(folder: Path) -> None:
    with _memory(folder) as memory:
        for counter in range(_COUNTERS):
            memory.write(f"counter {counter} stands at 0", thread=f"counter {counter}")


def _add_tercet(folder: Path) -> Callable[[int], bool]:
    memory = _memory(folder)

    def add(counter: int) -> bool:
        while True:
            id, value = _value(memory, counter)
            try:
                memory.revise(id, f"counter {counter} stands at {value + 1}")
                return True
            except InvalidInput:
                continue  # somebody was quicker: nothing was written, so read again
            except TercetError:
                return False

    return add


def _read_tercet(folder: Path) -> Callable[[], object]:
    memory = _memory(folder)
    return lambda: memory.read("where does counter 1 stand?", k=3)


def _total_tercet(folder: Path) -> int:
    with _memory(folder) as memory:
        return sum(_value(memory, counter)[1] for counter in range(_COUNTERS))


def _prepare_naive(folder: Path) -> None:
    with create_engine(f"sqlite:///{folder}/naive.db").begin() as connection:
        connection.execute(text("CREATE TABLE counter (num INTEGER PRIMARY KEY, value INTEGER)"))
        connection.execute(text("INSERT INTO counter VALUES (:num, 0)"), [{"num": i} for i in range(_COUNTERS)])


def _add_naive(folder: Path) -> Callable[[int], bool]:
    engine = create_engine(f"sqlite:///{folder}/naive.db")

    def add(counter: int) -> bool:
        try:
            with engine.begin() as connection:
                value = connection.scalar(text("SELECT value FROM counter WHERE num = :num"), {"num": counter})
                update = text("UPDATE counter SET value = :value WHERE num = :num")
                connection.execute(update, {"num": counter, "value": (value or 0) + 1})
            return True
        except DBAPIError:
            return False

    return add


def _read_naive(folder: Path) -> Callable[[], object]:
    engine = create_engine(f"sqlite:///{folder}/naive.db")

    def read() -> object:
        with engine.connect() as connection:
            return connection.execute(text("SELECT * FROM counter")).all()

    return read


def _total_naive(folder: Path) -> int:
    with create_engine(f"sqlite:///{folder}/naive.db").connect() as connection:
        return int(connection.scalar(text("SELECT sum(value) FROM counter")) or 0)


ARMS = {
    "Tercet": Arm(_prepare_tercet, _add_tercet, _read_tercet, _total_tercet),
    "naive: SQLAlchemy's defaults": Arm(_prepare_naive, _add_naive, _read_naive, _total_naive),
}


def _writer(name: str, folder: Path, turns: int, answers: multiprocessing.Queue[tuple[int, int]]) -> None:
    done: list[bool] = []

    def work(seed: int) -> None:
        add = ARMS[name].add(folder)
        done.extend(add((seed + turn) % _COUNTERS) for turn in range(turns))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers.put((sum(done), _THREADS * turns - sum(done)))


def _reader(name: str, folder: Path, over: Event, answers: multiprocessing.Queue[list[float]]) -> None:
    read, times = ARMS[name].read(folder), []
    while not over.is_set():
        start = time.perf_counter()
        try:
            read()
        except (DBAPIError, sqlite3.Error):
            times.append(float("inf"))  # a read that failed was never answered
            continue
        times.append((time.perf_counter() - start) * 1e3)
    answers.put(times)


def counted(name: str, turns: int) -> dict[str, float]:
    """Returns what became of one arm's counts, and how long its reader waited in milliseconds."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        ARMS[name].prepare(folder)
        answers, times, over = context.Queue(), context.Queue(), context.Event()
        reader = context.Process(target=_reader, args=(name, folder, over, times))
        writers = [context.Process(target=_writer, args=(name, folder, turns, answers)) for _ in range(_PROCESSES)]
        reader.start()
        start = time.perf_counter()
        for writer in writers:
            writer.start()
        told = [answers.get() for _ in writers]
        seconds = time.perf_counter() - start
        over.set()
        waited = sorted(times.get())
        for process in (*writers, reader):
            process.join()
        acknowledged = sum(good for good, _ in told)
        return {
            "acknowledged": acknowledged,
            "errors": sum(bad for _, bad in told),
            "lost": acknowledged - ARMS[name].total(folder),
            "per second": round(acknowledged / seconds, 1),
            "reads": len(waited),
            "read p50 ms": round(statistics.median(waited), 2),
            "read p99 ms": round(waited[int(len(waited) * 0.99)], 2),
        }


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--turns", default=100, show_default=True, type=click.IntRange(min=1), help="Counts per writer.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(turns: int, json_path: Path | None) -> None:
    """Runs both arms and prints the table."""
    console = Console()
    found = {name: counted(name, turns) for name in ARMS}
    table = Table(title=f"{_PROCESSES * _THREADS} writers in {_PROCESSES} processes, {turns} counts each, one reader")
    table.add_column("")
    for name in found:
        table.add_column(name, justify="right")
    for figure in next(iter(found.values())):
        table.add_row(figure, *(f"{figures[figure]:,}" for figures in found.values()))
    console.print(table)
    json_path = json_path or (ROOT / "benchmarks" / "results" / "together.json" if turns == 100 else None)
    if json_path:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        whole = {"benchmark": "together", "machine": machine(), "turns": turns, "arms": found}
        json_path.write_text(json.dumps(whole, indent=2) + "\n")


if __name__ == "__main__":
    main()
