"""Every call to the disk fails once, verb by verb; what was told to the caller must be true of what is left.

Run behind faults.c: ``power_sweep.py FOLDER STRIDE VERB ...``; prints one line of JSON per run.
"""

import errno
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from factories import HashEncoder, on_disk  # type: ignore[import-not-found]
from power_judge import judge  # type: ignore[import-not-found]
from power_shim import Disk  # type: ignore[import-not-found]
from power_work import opened, same_again, state_of  # type: ignore[import-not-found]

from tercet.sdk import Memory, Receipt
from tercet.store import sqlite
from tercet.store.errors import StoreError

__all__ = ["DISKS", "OPERATIONS", "Run", "main"]

DISKS = {
    "one error": (errno.EIO, False),
    "dead": (errno.EIO, True),
    "full": (errno.ENOSPC, True),
    "a short write": (errno.ENOSPC, False),
}
_MOST = 2_000  # calls; a verb that makes more is not swept to its end


@dataclass(frozen=True, slots=True)
class Run:
    """One operation with one failing call.

    Attributes:
        operation: which.
        disk: how it fails, a key of `DISKS`.
        at: which call failed, counted from 1.
        told: what the caller got, an error's name or ``"ok"``.
        wrong: what is wrong; empty if nothing is.
    """

    operation: str
    disk: str
    at: int
    told: str
    wrong: list[str]


def _token(number: int) -> str:
    return f"zq{(number + 1) * 0x9E3779B97F4A7C15 % 2**48:012x}"


def _draft(number: int) -> dict[str, Any]:
    return {
        "text": f"Ada lives in town{number} apple {_token(number)} " + " ".join(f"w{number}x{n}" for n in range(40)),
        "thread": f"thread {number % 2}",
        "happened": "2024-03-09",
        "facts": [("Ada", "likes", f"fruit{number}")],
        "key": f"key {number}",
    }


def _template(folder: Path) -> None:
    """Six notes: a thread with a revision, explicit memories for half of them, and one forgotten."""
    with opened(folder) as memory:
        notes = memory.write_many([_draft(number) for number in range(6)])
        memory._store.keys_values(HashEncoder()).records(notes[:3])
        memory.revise(notes[5].id, "Ada lives in town55 now")
        memory.forget(memory.write(**_draft(6)).id)


def _by_key(memory: Memory, number: int) -> str:
    return next(note.id for note in memory.notes() if note.key == f"key {number}")


OPERATIONS: dict[str, Callable[[Memory], object]] = {
    "write": lambda memory: memory.write(**_draft(20)),
    "write, log full": lambda memory: memory.write(**_draft(20)),  # and moved into the file, see `Sweep`
    "batch": lambda memory: memory.write_many([_draft(number) for number in range(30, 60)]),
    "revise": lambda memory: memory.revise(_by_key(memory, 1), "Ada lives in Porto"),
    "forget": lambda memory: memory.forget(_by_key(memory, 0), _by_key(memory, 1)),
    "erase": lambda memory: memory.forget(_by_key(memory, 0), erase=True),
    "undo": lambda memory: memory.undo(7),
    "encode": lambda memory: memory._store.keys_values(HashEncoder()).records(memory.notes()),
    "rebuild": lambda memory: memory.rebuild(),
    "checkpoint": lambda memory: on_disk(memory._store).checkpoint(),
    "read": lambda memory: memory.read("Where does Ada live?"),
    "export": lambda memory: list(memory.export()),
    "open": lambda memory: opened(on_disk(memory._store).folder).close(),
    "create": lambda memory: opened(on_disk(memory._store).folder.parent / "other" / "new").close(),
}


class Sweep:
    """Runs one operation again and again on copies of one store, each time with another call that fails.

    Args:
        home: an empty folder below the one that is watched.
        operation: a key of `OPERATIONS`.
    """

    def __init__(self, home: Path, operation: str) -> None:
        self._home, self._operation, self._disk = home, operation, Disk()
        if operation == "write, log full":
            sqlite._CHECKPOINT_BYTES = 1
        same_again("template")
        _template(home / "template")
        memory = self._fresh()
        self._before = state_of(memory._store)
        OPERATIONS[operation](memory)
        self._after = state_of(memory._store)
        memory.close()

    def runs(self, disk: str, stride: int) -> Iterator[Run]:
        """Yields a run for every ``stride``-th call, until the operation is done before a call fails."""
        for at in range(1, _MOST, stride):
            run = self._run(disk, at)
            if run is None:
                return
            yield run

    def _fresh(self) -> Memory:
        shutil.rmtree(self._home / "live", ignore_errors=True)
        shutil.copytree(self._home / "template", self._home / "live" / "memory")
        memory: Memory = opened(self._home / "live" / "memory")
        same_again("operation")
        return memory

    def _run(self, disk: str, at: int) -> Run | None:
        error, onwards = DISKS[disk]
        memory = self._fresh()
        wrong: list[str] = []
        told, given = "ok", None
        self._disk.fail(at, error=error, onwards=onwards)
        try:
            given = OPERATIONS[self._operation](memory)
        except StoreError as caught:
            told = f"{type(caught).__name__}: {caught}"
        except Exception as caught:  # noqa: BLE001  (whatever else comes is what we look for)
            told = repr(caught)
            wrong.append(f"the caller got {told[:300]}")
        if not self._disk.failed():
            self._disk.stop()
            memory.close()
            return None
        if disk == "full":
            wrong += self._reads(memory, "on the full disk")
        self._disk.stop()
        wrong += self._reads(memory, "afterwards")
        wrong += self._judged(memory, told, given)
        return Run(self._operation, disk, at, told, wrong)

    def _reads(self, memory: Memory, when: str) -> list[str]:
        try:
            if not memory.notes() or not memory.read("Where does Ada live?").notes:
                return [f"nothing is read {when}"]
        except Exception as error:  # noqa: BLE001
            return [f"reading {when}: {error!r}"[:300]]
        return []

    def _judged(self, memory: Memory, told: str, given: object) -> list[str]:
        if told == "ok":
            allowed = [self._after]
        elif "nothing was changed" in told:
            allowed = [self._before]
        else:
            allowed = [self._before, self._after]
        known = [self._before, self._after]
        wrong = []
        state = state_of(memory._store)
        if state not in allowed:
            seen = "done" if state == self._after else "not done" if state == self._before else "in a third state"
            wrong.append(f"{seen}, after the caller was told {told[:200]!r}")
        killed = self._home / "live" / "killed"
        folder = self._home / "live" / "memory"
        shutil.copytree(folder, killed, ignore=shutil.ignore_patterns("*-shm"))
        erased = [_token(0)[-8:]] if isinstance(given, Receipt) and given.erased else []
        left, _ = judge(killed, allowed=known, known=known, doctor=False)
        wrong += [f"killed then: {one.kind}: {one.detail}" for one in left]
        try:
            kept = memory.write("Ada lives in town99 afterwards")
            memory.forget(kept.id)
        except Exception as error:  # noqa: BLE001
            wrong.append(f"it cannot be written to afterwards: {error!r}"[:300])
        last = state_of(memory._store)
        memory.close()
        left, _ = judge(folder, allowed=[last], known=[*known, last], erased=erased, doctor=told != "ok")
        return wrong + [f"{one.kind}: {one.detail}" for one in left]


def main(home: Path, stride: int, operations: list[str]) -> None:
    """Sweeps operations over every disk; prints runs."""
    for operation in operations:
        folder = home / operation.replace(" ", "-")
        folder.mkdir()
        sweep = Sweep(folder, operation)
        for disk in DISKS:
            for run in sweep.runs(disk, stride):
                print(json.dumps(asdict(run)), flush=True)  # noqa: T201
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
