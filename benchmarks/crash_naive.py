"""The design that loses data, to show what the same tests say of it: commit to SQL, then write the other files anew.

``synchronous=NORMAL``, an index in a file of its own that is written anew after each commit, one file per record
written after the commit and not synced. Memory projects are built so.

Run behind tests/store/faults.c: ``crash_naive.py FOLDER SEED OPERATIONS``.
"""

from __future__ import annotations

import json
import random
import sqlite3
import sys
from collections.abc import Sequence
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

__all__ = ["Naive", "following", "judge", "main", "states"]


class Naive:
    """Texts by id, an index of their words, and a file for each."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "records").mkdir(exist_ok=True)
        self._folder, self._index = folder, folder / "index.json"
        self._sql = sqlite3.connect(folder / "notes.db")
        for statement in (
            "PRAGMA journal_mode=wal",
            "PRAGMA synchronous=normal",
            "CREATE TABLE IF NOT EXISTS note (id TEXT PRIMARY KEY, text TEXT)",
        ):
            self._sql.execute(statement)
        self._words: dict[str, list[str]] = json.loads(self._index.read_text()) if self._index.exists() else {}

    def change(self, written: dict[str, str], forgotten: Sequence[str]) -> None:
        """Writes notes and forgets others."""
        with self._sql:
            self._sql.executemany("INSERT INTO note VALUES (?, ?)", written.items())
            self._sql.executemany("DELETE FROM note WHERE id = ?", [(id,) for id in forgotten])
        for id, text in written.items():
            self._words[id] = text.split()
            (self._folder / "records" / id).write_text(text * 3)
        for id in forgotten:
            self._words.pop(id, None)
            (self._folder / "records" / id).unlink(missing_ok=True)
        self._index.write_text(json.dumps(self._words))

    def texts(self) -> dict[str, str]:
        """Returns every note."""
        return dict(self._sql.execute("SELECT id, text FROM note").fetchall())

    def close(self) -> None:
        """Closes the database."""
        self._sql.close()


def step(seed: int, number: int, now: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """Returns what is done at a number: what is written, and what is forgotten."""
    choose = random.Random(f"{seed} {number}")
    if now and choose.random() < 0.3:
        return {}, choose.sample(sorted(now), min(len(now), choose.randint(1, 3)))
    written = range(choose.choice((1, 1, 5, 20)))
    return {f"{number}-{place}": " ".join(f"w{choose.randrange(10_000)}" for _ in range(40)) for place in written}, []


def states(seed: int, operations: int) -> list[dict[str, str]]:
    """Returns what must be there before the first operation and after each."""
    now: dict[str, str] = {}
    found = [dict(now)]
    for number in range(operations):
        written, forgotten = step(seed, number, now)
        now = {id: text for id, text in (now | written).items() if id not in forgotten}
        found.append(dict(now))
    return found


def following(folder: Path, seed: int, start: int, told: Connection) -> None:
    """Lives on without end from a number on, and tells the numbers that were acknowledged. It is to be killed."""
    naive = Naive(folder)
    told.send(start - 1)
    for number in count(start):
        naive.change(*step(seed, number, naive.texts()))
        told.send(number)


def judge(folder: Path, allowed: Sequence[dict[str, str]]) -> tuple[list[str], dict[str, str]]:
    """Returns what is wrong with what is left, and the notes that are there."""
    try:
        naive = Naive(folder)
        texts = naive.texts()
        naive.close()
    except (sqlite3.Error, ValueError) as error:
        return [f"unusable: {error}"], {}
    wrong = []
    if texts not in allowed:
        wrong.append("lost" if any(state.keys() - texts.keys() for state in allowed[:1]) else "third state")
    if naive._words != {id: text.split() for id, text in texts.items()}:
        wrong.append("disagreement")
    files = {path.name: path.read_text(errors="replace") for path in (folder / "records").iterdir()}
    if any(files.get(id) != text * 3 for id, text in texts.items()):
        wrong.append("record")
    if files.keys() - texts.keys():
        wrong.append("resurrected")
    return wrong, texts


def main(folder: Path, seed: int, operations: int) -> None:
    """Lives, and tells the disk's diary before and after everything that is done."""
    from power_shim import Disk  # type: ignore[import-not-found]

    disk = Disk()
    naive = Naive(folder)
    disk.mark("done")
    for number in range(operations):
        naive.change(*step(seed, number, naive.texts()))
        disk.mark("done")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
