"""A life of one memory, the same in every run, and told into the disk's diary.

Run behind faults.c: ``power_work.py FOLDER SEED OPERATIONS SYNCHRONOUS``.
"""

import hashlib
import json
import random
import secrets
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from factories import HashEmbedder, HashEncoder, PatternExtractor, on_disk  # type: ignore[import-not-found]
from power_shim import Disk  # type: ignore[import-not-found]

from tercet.sdk import Memory
from tercet.store import changes, sqlite
from tercet.store.errors import CannotUndo
from tercet.store.note import Note
from tercet.store.store import Store

__all__ = ["VERBS", "Life", "main", "opened", "same_again", "state_of"]

VERBS = ("write", "batch", "revise", "forget", "erase", "undo", "encode", "checkpoint", "rebuild", "reopen")
_WEIGHTS = (8, 4, 4, 3, 2, 3, 4, 3, 1, 1)


def opened(folder: Path) -> Memory:
    """Opens the memory of a life."""
    return Memory(folder, scope="ada", embedder=HashEmbedder(), extractor=PatternExtractor())


def state_of(store: Store) -> str:
    """Returns a digest of every row of every table, but for the inner tables of the full text."""
    digest = hashlib.sha256()
    with store.database.reading() as connection:
        found = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name")
        every = {str(name): str(sql) for name, sql in found}
        virtual = tuple(f"{name}_" for name, sql in every.items() if sql.startswith("CREATE VIRTUAL"))
        for name, sql in every.items():
            if sql.startswith("CREATE VIRTUAL") or name.startswith(virtual):
                continue
            # the store's name is made at random, and again where a power cut took the first moment of it
            but = " WHERE key <> 'store'" if name == "meta" else ""
            # a record that could not be read is made again, in another file; what it is worth goes by the wall clock
            columns = "note, fingerprint, sha256, bytes" if name == "record" else "*"
            rows = sorted(map(repr, connection.exec_driver_sql(f"SELECT {columns} FROM {name}{but}").all()))
            digest.update(f"{name}: {rows}\n".encode())
    return digest.hexdigest()


class _Still(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: Any = None) -> "_Still":  # noqa: ANN401
        return cls(2030, 1, 1, tzinfo=tz)


def same_again(seed: str) -> None:
    """From now on this process gives the same ids, names of files and times as any other after the same call."""
    choose = random.Random(seed)
    secrets.token_hex = lambda size=16: f"{choose.getrandbits(8 * size):0{2 * size}x}"  # type: ignore[assignment,operator]
    vars(changes)["datetime"] = _Still


class Life:
    """Verbs on one memory, numbered; the same seed and number do the same, whenever they are done.

    Args:
        memory: the memory.
        seed: of the choices.
    """

    def __init__(self, memory: Memory, seed: int) -> None:
        self.memory = memory
        self._seed = seed

    def verb(self, number: int) -> str:
        """Returns what is done at a number."""
        return random.Random(f"{self._seed} verb {number}").choices(VERBS, _WEIGHTS)[0]

    def do(self, number: int) -> list[str]:
        """Does it; returns what must not be found in any file any more."""
        same_again(f"{self._seed} names {number}")
        choose = random.Random(f"{self._seed} do {number}")
        store, memory, verb = self.memory._store, self.memory, self.verb(number)
        notes = memory.notes(limit=1_000)
        if verb == "write" or (verb in ("revise", "forget", "erase", "encode") and len(notes) < 4):
            memory.write(**_draft(number, 0, choose))
        elif verb == "batch":
            memory.write_many([_draft(number, place, choose) for place in range(choose.randint(2, 20))])
        elif verb == "revise":
            memory.revise(choose.choice(notes).id, **_words(number, 0, choose))
        elif verb in ("forget", "erase"):
            chosen = choose.sample(notes, choose.randint(1, 3))
            needles = _needles(store, chosen)
            receipt = memory.forget(*(note.id for note in chosen), erase=verb == "erase")
            return needles if receipt.erased else []
        elif verb == "undo":
            self._undo()
        elif verb == "encode":
            store.keys_values(HashEncoder()).records(choose.sample(notes, choose.randint(1, 4)))
        elif verb == "checkpoint":
            on_disk(memory._store).checkpoint()
        elif verb == "rebuild":
            memory.rebuild()
        elif verb == "reopen":
            memory.close()
            self.memory = opened(on_disk(memory._store).folder)
        return []

    def _undo(self) -> None:
        if last := self.memory._store.notes.changes.last():
            with suppress(CannotUndo):  # the last thing was a forget
                self.memory.undo(last)


def _words(number: int, place: int, choose: random.Random) -> dict[str, Any]:
    more = " ".join(f"w{choose.randrange(10_000)}" for _ in range(choose.randint(1, 60)))
    return {
        "text": f"Ada lives in town{number}x{place} apple zq{choose.getrandbits(48):012x} {more}",
        "facts": [("Ada", "likes", f"fruit{number}x{place}")],
    }


def _draft(number: int, place: int, choose: random.Random) -> dict[str, Any]:
    return {
        **_words(number, place, choose),
        "thread": f"thread {choose.randrange(3)}",
        "happened": "2024-03-09",
        "speaker": "Ada",
        "key": f"key {number} {place}",
        "metadata": {"n": number},
    }


def _needles(store: Store, chosen: Sequence[Note]) -> list[str]:
    """The endings of a word of every version that no other note has; full text keeps them whole."""
    versions = [item for note in chosen for item in store.notes.revisions(store.notes.lineage(note))]
    return [next(word for word in item.text.split() if word.startswith("zq"))[-8:] for item in versions]


def main(folder: Path, seed: int, operations: int, synchronous: str) -> None:
    """Lives, and tells the disk's diary before and after everything that is done."""
    if "synchronous=full" not in sqlite._PRAGMAS:
        raise RuntimeError("the store no longer says synchronous=full; this experiment must learn where it does")
    sqlite._PRAGMAS = tuple(  # type: ignore[assignment]
        f"synchronous={synchronous}" if pragma == "synchronous=full" else pragma for pragma in sqlite._PRAGMAS
    )
    disk = Disk()
    disk.mark(json.dumps({"begun": "open"}))
    life = Life(opened(folder), seed)
    disk.mark(json.dumps({"done": state_of(life.memory._store), "erased": []}))
    for number in range(operations):
        disk.mark(json.dumps({"begun": life.verb(number)}))
        erased = life.do(number)
        disk.mark(json.dumps({"done": state_of(life.memory._store), "erased": erased}))
    # killed here: closing would empty the log


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
