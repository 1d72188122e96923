"""What is left of a memory after ``kill -9``, after power cuts, and on a disk that fails? Tercet and a naive design.

    python benchmarks/crash.py [--part kill|cut|fault] [--cycles N] [--images N] [--stride N] [--json FILE]

**kill -9.** A process does random operations (write with a key, batches, revise, forget, erase, undo, explicit
memories, checkpoints, rebuilds) and is killed at some moment, again and again on the same files, ten times per store.
After each kill the store is opened and every row of every table is compared with what an undisturbed run of the same
operations had after the last acknowledged one, or after the one that was under way: nothing else is right. Every form
must agree with the notes, every row of a record must name a whole file, every file must have a row, and no erased word
may be in any file.

**Power cuts.** The same operations behind ``tests/store/faults.c``, which writes down every change to the disk. Images
of what the disk may hold after a power cut are made from that (``tests/store/power.py`` says how) and judged likewise.
The same with ``synchronous=NORMAL`` shows that the test can fail.

**Faults.** Each operation on a small store, with the first call to the disk failing, then the second, and so on to
the last: one I/O error, a disk that is dead from there on, a full disk, a short write. The caller must get an error of
ours, what it says must be so, the process must go on reading and writing, and what is left is judged as above.

Naive: commit with ``synchronous=NORMAL``, then write an index file anew and files for the records, unsynced.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing import forkserver, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
for _folder in (ROOT, ROOT / "tests", ROOT / "tests" / "store"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

import children  # type: ignore[import-not-found]  # noqa: E402
import power_sweep  # type: ignore[import-not-found]  # noqa: E402
import power_work  # type: ignore[import-not-found]  # noqa: E402
from benchmarks import crash_naive  # noqa: E402
from benchmarks.machine import machine  # noqa: E402
from power import entries  # type: ignore[import-not-found]  # noqa: E402
from power_judge import after_cuts, images, judge  # type: ignore[import-not-found]  # noqa: E402
from power_shim import build, run_behind, why_not  # type: ignore[import-not-found]  # noqa: E402

PER_STORE = 10  # kills
PER_LIFE = 250  # images
OPERATIONS = 60  # of one life
LIVES = 5  # different ones under kill -9
MOST = 45  # operations acknowledged until a kill
LONGEST = 0.03  # seconds from there to the kill: an operation takes about as long
NAIVE = "naive"
TERCET = "Tercet"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is asked for: kills, images, and which calls fail (every so many-th)."""

    cycles: int = 500
    images: int = 5_000
    stride: int = 1


@dataclass(slots=True)
class Outcome:
    """What was seen of one design in one kind of trouble."""

    times: int = 0
    clean: int = 0
    acknowledged: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def add(self, wrong: list[tuple[str, str]]) -> None:
        """Counts one more time, and each kind of what is wrong once."""
        self.times += 1
        self.clean += not wrong
        self.wrong.update({kind.split(":")[0] for kind, _ in wrong})
        self.examples += [f"{kind}: {detail}" for kind, detail in wrong][: 5 - len(self.examples)]

    def as_dict(self) -> dict[str, object]:
        """Returns it for JSON."""
        found: dict[str, object] = {"times": self.times, "clean": self.clean, "wrong": dict(sorted(self.wrong.items()))}
        return found | ({"acknowledged": self.acknowledged} if self.acknowledged else {})


class Undisturbed:
    """A run that nobody kills: the digest of the state after each operation, as far as it was asked for."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._life = power_work.Life(power_work.opened(folder), seed)
        self.states = [power_work.state_of(self._life.memory._store)]
        self.erased: list[list[str]] = []

    def after(self, operations: int) -> list[str]:
        """Returns the states up to and with the one after so many operations."""
        while len(self.states) <= operations:
            self.erased.append(self._life.do(len(self.states) - 1))
            self.states.append(power_work.state_of(self._life.memory._store))
        return self.states[: operations + 1]

    def close(self) -> None:
        """Closes its memory."""
        self._life.memory.close()


@contextmanager
def killed(work: Callable[..., None], *arguments: Any) -> Iterator[Connection]:  # noqa: ANN401
    """Runs a function in another process, which is killed at the end."""
    mine, theirs = get_context("forkserver").Pipe()
    process = get_context("forkserver").Process(target=work, args=(*arguments, theirs))
    process.start()
    theirs.close()
    try:
        yield mine
    finally:
        process.kill()
        process.join()
        mine.close()


def live_and_die(work: Callable[..., None], folder: Path, seed: int, start: int, choose: random.Random) -> int:
    """Lets a process live on from an operation and kills it; returns how many were acknowledged in all."""
    last, wanted = start - 1, start - 1 + choose.randint(0, MOST)
    with killed(work, folder, seed, start) as mine:
        try:
            while last < wanted and mine.poll(60):
                last = mine.recv()
            time.sleep(choose.uniform(0, LONGEST))
            while mine.poll():
                last = mine.recv()
        except EOFError as error:
            raise RuntimeError("the process to be killed ended by itself") from error
    return last + 1


def kill_tercet(home: Path, cycles: int, step: Callable[[], None]) -> Outcome:
    """Kills Tercet again and again."""
    choose, outcome, start = random.Random(1), Outcome(), 0
    runs = {
        seed: Undisturbed(home / f"undisturbed-{seed}", seed) for seed in range(min(LIVES, -(-cycles // PER_STORE)))
    }
    for cycle in range(cycles):
        store, first = divmod(cycle, PER_STORE)
        folder, run = home / f"store-{store}", runs[store % LIVES]
        start = start if first else 0
        done = live_and_die(children.following, folder, store % LIVES, start, choose)
        outcome.acknowledged += done - start
        known = run.after(done + 1)
        erased = [needle for needles in run.erased[:done] for needle in needles]
        found, state = judge(folder, allowed=known[done:], known=known, erased=erased, doctor=cycle % 4 == 0)
        outcome.add([(one.kind, one.detail) for one in found])
        start = done + (state == known[-1] and state != known[-2])
        step()
    for run in runs.values():
        run.close()
    return outcome


def kill_naive(home: Path, cycles: int, step: Callable[[], None]) -> Outcome:
    """Kills the naive design again and again; what is wrong after a kill ends its store."""
    choose, outcome, start, store, died = random.Random(1), Outcome(), 0, 0, 0
    states = crash_naive.states(0, (MOST + 20) * PER_STORE)
    for _ in range(cycles):
        folder = home / f"naive-{store}"
        done = live_and_die(crash_naive.following, folder, 0, start, choose)
        outcome.acknowledged += done - start
        found, texts = crash_naive.judge(folder, states[done : done + 2])
        outcome.add([(kind, "") for kind in found])
        start, died = done + (texts == states[done + 1]), died + 1
        if found or died == PER_STORE:
            start, died, store = 0, 0, store + 1
        step()
    return outcome


def cut_tercet(home: Path, library: Path, count: int, synchronous: str, step: Callable[[], None]) -> Outcome:
    """Cuts the power in the lives of Tercet."""
    outcome = Outcome()
    for seed, start in enumerate(range(0, count, PER_LIFE)):
        with tempfile.TemporaryDirectory(dir=home) as place:
            folder = Path(place)
            (folder / "watched").mkdir()
            (folder / "images").mkdir()
            script = Path(power_work.__file__)
            arguments = (str(folder / "watched" / "memory"), str(seed), str(OPERATIONS), synchronous)
            run_behind(library, folder / "watched", script, arguments, diary=folder / "diary")
            diary = list(entries(folder / "diary"))
            outcome.acknowledged += OPERATIONS
            for found in after_cuts(diary, count=min(PER_LIFE, count - start), seed=seed, home=folder / "images"):
                outcome.add([(one.kind, one.detail) for one in found])
                step()
    return outcome


def cut_naive(home: Path, library: Path, count: int, step: Callable[[], None]) -> Outcome:
    """Cuts the power in the lives of the naive design."""
    outcome = Outcome()
    for seed, start in enumerate(range(0, count, PER_LIFE)):
        with tempfile.TemporaryDirectory(dir=home) as place:
            folder = Path(place)
            (folder / "watched").mkdir()
            (folder / "images").mkdir()
            arguments = (str(folder / "watched" / "memory"), str(seed), str(OPERATIONS))
            run_behind(library, folder / "watched", Path(crash_naive.__file__), arguments, diary=folder / "diary")
            diary, states = list(entries(folder / "diary")), crash_naive.states(seed, OPERATIONS)
            marks = [place for place, entry in enumerate(diary) if entry.kind == "m"]
            outcome.acknowledged += OPERATIONS
            for cut, _, image in images(diary, count=min(PER_LIFE, count - start), seed=seed, home=folder / "images"):
                done = max(0, sum(1 for mark in marks if mark < cut) - 1)
                found, _ = crash_naive.judge(image / "memory", states[done : done + 2])
                outcome.add([(kind, "") for kind in found])
                step()
    return outcome


def sweep(home: Path, library: Path, stride: int, step: Callable[[], None]) -> dict[str, Outcome]:
    """Lets every call to the disk fail, operation by operation; ``acknowledged`` counts those that still succeeded."""
    found: dict[str, Outcome] = {}
    for operation in power_sweep.OPERATIONS:
        with tempfile.TemporaryDirectory(dir=home) as place:
            script = Path(power_sweep.__file__)
            lines = run_behind(library, Path(place), script, (place, str(stride), operation)).splitlines()
        outcome = found[operation] = Outcome()
        for run in map(json.loads, lines):
            outcome.acknowledged += run["told"] == "ok"
            outcome.add([(words.split(":")[0], words) for words in run["wrong"]])
        step()
    return found


def table(title: str, unit: str, outcomes: dict[str, Outcome]) -> Table:
    """One line per design or operation."""
    shown = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    shown.add_column("", no_wrap=True)
    for name in (unit, "clean", "acknowledged"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("what was wrong, and how often")
    for name, one in outcomes.items():
        wrong = ", ".join(f"{kind} {count:,}" for kind, count in one.wrong.most_common()) or "nothing"
        shown.add_row(name, f"{one.times:,}", f"{one.clean:,}", f"{one.acknowledged:,}", wrong)
    return shown


Stepping = Callable[[str, int], Callable[[], None]]


def kills(home: Path, library: Path, sizes: Sizes, stepping: Stepping) -> dict[str, Outcome]:
    """Both designs, killed."""
    few = max(1, sizes.cycles // 5)
    return {
        TERCET: kill_tercet(home, sizes.cycles, stepping("kill -9", sizes.cycles)),
        NAIVE: kill_naive(home, few, stepping("kill -9, naive", few)),
    }


def cuts(home: Path, library: Path, sizes: Sizes, stepping: Stepping) -> dict[str, Outcome]:
    """Both designs and a careless setting of ours, without power."""
    tenth = max(1, sizes.images // 10)
    return {
        TERCET: cut_tercet(home, library, sizes.images, "full", stepping("power cuts", sizes.images)),
        f"{TERCET}, NORMAL": cut_tercet(home, library, tenth, "normal", stepping("power cuts, NORMAL", tenth)),
        NAIVE: cut_naive(home, library, tenth, stepping("power cuts, naive", tenth)),
    }


def faults(home: Path, library: Path, sizes: Sizes, stepping: Stepping) -> dict[str, Outcome]:
    """Every operation, on a disk that fails."""
    return sweep(home, library, sizes.stride, stepping("faults", len(power_sweep.OPERATIONS)))


PARTS = {
    "kill": (kills, "kill -9", "kills"),
    "cut": (cuts, "power cuts", "images"),
    "fault": (faults, "calls", "calls"),
}


def keep(target: Path, part: str, sizes: Sizes, found: dict[str, Outcome], seconds: int) -> None:
    """Puts one part into the file, beside the other parts that are in it already."""
    whole: dict[str, Any] = json.loads(target.read_text()) if target.exists() else {"benchmark": "crash"}
    outcomes = {name: one.as_dict() for name, one in found.items()}
    whole[part] = {"asked": asdict(sizes), "seconds": seconds, "machine": machine(), "found": outcomes}
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(whole, indent=2) + "\n")


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--part", "parts", type=click.Choice(list(PARTS)), multiple=True, help="Only this one; may be repeated.")
@click.option("--cycles", type=click.IntRange(min=1), default=500, help="Kills; the naive design gets a fifth.")
@click.option("--images", "count", type=click.IntRange(min=1), default=5_000, help="Power cuts; others get a tenth.")
@click.option("--stride", type=click.IntRange(min=1), default=1, help="Let only every so many-th call fail.")
@click.option("--json", "target", type=click.Path(dir_okay=False, path_type=Path), help="Where the figures go.")
def main(parts: tuple[str, ...], cycles: int, count: int, stride: int, target: Path | None) -> None:
    """Runs part after part; each is printed and kept when it ends, in full runs or where a file is named."""
    if reason := why_not():
        raise click.ClickException(reason)
    console, sizes = Console(), Sizes(cycles, count, stride)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))  # before Python 3.13 servers do not know it
    get_context("forkserver").set_forkserver_preload(["children", "benchmarks.crash"])
    forkserver.ensure_running()
    if target is None and sizes == Sizes():
        target = ROOT / "benchmarks" / "results" / "crash.json"
    memory = Path("/dev/shm")  # a kill does not care what the disk is, and a power cut is made here
    for part in parts or PARTS:
        run, title, unit = PARTS[part]
        started = time.perf_counter()
        with (
            Progress(console=console, transient=True) as progress,
            tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as place,
        ):
            home = Path(place).resolve()

            def stepping(name: str, total: int, progress: Progress = progress) -> Callable[[], None]:
                task = progress.add_task(name, total=total)
                return lambda: progress.advance(task)

            found = run(home, build(home), sizes, stepping)
        console.print(table(title, unit, found))
        for name, one in found.items():
            for example in one.examples if name != NAIVE and "NORMAL" not in name else ():
                console.print(f"{name}: {example}", markup=False)
        if target:
            keep(target, part, sizes, found, round(time.perf_counter() - started))


if __name__ == "__main__":
    main()
