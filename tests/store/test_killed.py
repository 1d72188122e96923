"""Several processes, and processes that are killed: what was acknowledged is there, what was not is not, whole."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import forkserver, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import children  # type: ignore[import-not-found]
import pytest
from factories import HashEncoder, Memories, disagreements  # type: ignore[import-not-found]

from tercet.sdk import Memory
from tercet.store.errors import StoreBusy
from tercet.store.sqlite import SQLite

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are killed with SIGKILL")

_processes = get_context("forkserver")


@pytest.fixture(scope="module", autouse=True)
def server() -> None:
    """Starts the server that children are forked from; it has the library loaded, and no threads."""
    _processes.set_forkserver_preload(["children"])
    with pytest.MonkeyPatch.context() as patch:  # before Python 3.13 it is not told where we find our modules
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        forkserver.ensure_running()


@contextmanager
def child(work: Callable[..., None], *arguments: Any) -> Iterator[Connection]:  # noqa: ANN401
    """Runs a function in another process, which is killed at the end."""
    mine, theirs = _processes.Pipe()
    process = _processes.Process(target=work, args=(*arguments, theirs))
    process.start()
    theirs.close()
    try:
        yield mine
    finally:
        process.kill()
        process.join()
        process.close()
        mine.close()


def told(mine: Connection) -> list[tuple[str, Any]]:
    """All that a child said before it was killed."""
    heard = []
    try:
        while mine.poll():
            heard.append(mine.recv())
    except EOFError:
        return heard
    return heard


def _kill_while_it_lives(memory: Memories, cycles: int, seed: int) -> None:
    choose = random.Random(seed)
    name = f"lived-{seed}"
    folder = memory.home / name
    written, revised, forgotten, maybe, start = set(), set(), set(), set(), 0
    for cycle in range(cycles):
        with child(children.living, folder, start, seed + cycle) as mine:
            mine.poll(30)  # until the first batch is there, so that the opening is not all that is killed
            time.sleep(choose.uniform(0, 0.5))
            heard = told(mine)
        for what, about in heard:
            if what == "written":
                written.add(about)
            elif what == "revised":
                revised.add(about)
            elif what == "forgetting":
                maybe = set(about)
            else:
                forgotten |= set(about)
                maybe = set()
        with memory(folder=name) as ada:
            assert disagreements(ada._store) == []
            start = _check(ada, written, revised, forgotten, maybe)
            gone = {id for id in maybe if ada._store.notes.find(id, "ada") is None}
            assert gone in (set(), maybe), "a forget is all or none"
            forgotten |= gone
            maybe = set()
            _check_records(ada, folder / "records")


def _check(ada: Memory, written: set[int], revised: set[str], forgotten: set[str], maybe: set[str]) -> int:
    """Every batch is there as a whole or not at all; returns the number of the next one."""
    every = ada._store.notes.select()
    ids = {note.id for note in every}
    assert not ids & forgotten, "what was forgotten does not come back"
    assert revised <= ids, "an acknowledged revision stays"
    seen: dict[int, int] = {}
    for note in every:
        if note.text.startswith("batch"):
            batch = int(note.text.split()[1])
            seen[batch] = seen.get(batch, 0) + 1
    assert written <= seen.keys(), "an acknowledged batch stays"
    for batch, count in seen.items():
        assert count in (children.BATCH, children.BATCH - 3), f"batch {batch} is half-written: {count}"
    return max(seen, default=-1) + 1


def _check_records(ada: Memory, folder: Path) -> None:
    encoder = HashEncoder()
    records = ada._store.keys_values(encoder)
    held = [note for note in ada._store.notes.select() if records.files([note.num])]
    records.records(held)
    assert encoder.encoded == 0, "a row names a file that is whole"
    records.collect()
    if folder.exists():
        assert len(list(folder.iterdir())) == records.count()


def test_a_killed_import_leaves_nothing_half_written(memory: Memories) -> None:
    _kill_while_it_lives(memory, cycles=10, seed=1)


@pytest.mark.slow
def test_a_hundred_killed_imports_leave_nothing_half_written(memory: Memories) -> None:
    for seed in range(1000, 2000, 100):
        _kill_while_it_lives(memory, cycles=10, seed=seed)


def test_a_killed_writer_leaves_the_lock_free_and_nothing_behind(memory: Memories) -> None:
    note = memory().write("whole")
    with child(children.holding, memory.home / "memory") as mine:
        assert mine.recv() == "held"
    begun = time.perf_counter()
    with memory() as ada:
        assert ada.notes() == [note]
        ada.write("next")
    assert time.perf_counter() - begun < 5


def test_readers_open_read_and_close_while_another_process_writes(memory: Memories) -> None:
    ada = memory()
    note = ada.write("whole apple")
    with child(children.holding, memory.home / "memory") as mine:
        assert mine.recv() == "held"
        begun = time.perf_counter()
        with memory() as other:
            assert other.read("apple").notes == ada.read("apple").notes == (note,)
            assert len(list(other.export())) == 2
        assert time.perf_counter() - begun < 5
        waiting = SQLite(memory.home / "memory", timeout=0.2)
        with pytest.raises(StoreBusy, match="try again"), waiting.writing():
            raise AssertionError("two writers at once")
        waiting.close()


def test_another_process_is_seen_at_the_next_search(memory: Memories) -> None:
    ada = memory()
    ada.read("warm up")
    with child(children.writing, memory.home / "memory") as other:
        assert other.recv() == "ready"
        for place in range(25):
            other.send(("write", f"Ada knows Word{place} apple"))
            id = other.recv()
            for by in (("words",), ("vectors",), ("triplets",), ("graph", "words")):
                assert id in [note.id for note in ada.read(f"Word{place}", k=3, by=by).notes]
            assert ada.notes(limit=1)[0].id == id
            if place % 3 == 0:
                other.send(("revise", (id, f"Ada knows Other{place} pear")))
                newer = other.recv()
                assert newer in [note.id for note in ada.read(f"Other{place} pear", k=3).notes]
                assert id not in [note.id for note in ada.read(f"Word{place}", k=100).notes]
                other.send(("forget", newer))
                other.recv()
                for by in (("words",), ("vectors",), ("triplets",), ("graph", "words")):
                    assert newer not in [note.id for note in ada.read(f"Other{place}", k=100, by=by).notes]
                assert ada._store.notes.find(newer, "ada") is None


def _count_together(memory: Memories, times: int) -> None:
    ada = memory()
    ada.write("0", source="counter")
    folder = memory.home / "memory"
    with (
        child(children.counting, folder, times) as one,
        child(children.counting, folder, times) as two,
        child(children.counting, folder, times) as three,
        child(children.counting, folder, times) as four,
    ):
        assert [each.recv() for each in (one, two, three, four)] == [[], [], [], []]
    assert [note.text for note in ada.notes(source="counter")] == [str(8 * times)]
    assert disagreements(ada._store) == []


def test_eight_writers_lose_no_update_and_meet_no_lock(memory: Memories) -> None:
    _count_together(memory, times=5)


@pytest.mark.slow
def test_eight_writers_lose_no_update_in_many_rounds(memory: Memories) -> None:
    _count_together(memory, times=60)


def test_a_store_can_be_opened_first_by_many_processes_at_once(memory: Memories) -> None:
    for round in range(4):
        folder = memory.home / f"new-{round}"
        with (
            child(children.opening, folder) as one,
            child(children.opening, folder) as two,
            child(children.opening, folder) as three,
            child(children.opening, folder) as four,
        ):
            every = (one, two, three, four)
            assert [each.recv() for each in every] == ["ready"] * 4
            for each in every:
                each.send("go")
            assert [each.recv() for each in every] == ["hello"] * 4
        with memory(folder=folder.name) as ada:
            assert len(ada.notes()) == 4
            assert disagreements(ada._store) == []


def test_a_second_handle_leaves_the_first_its_locks(memory: Memories) -> None:
    folder = memory.home / "shared"
    first, second = memory(folder=folder.name), memory(folder=folder.name)
    first.write("before")
    for _ in range(2):  # the last to close a database takes its log away, if it knows of nobody else
        with child(children.opening, folder) as other:
            assert other.recv() == "ready"
            other.send("go")
            assert other.recv() == "hello"
            other.poll(20)  # until it has closed the store and is gone
        first.write("after")
        second.write("after")
    with child(children.telling, folder) as other:
        assert other.recv() == ["before", *["hello", "after", "after"] * 2]
    assert disagreements(first._store) == []


_FORKED = """
import os, sys
from pathlib import Path
from children import opened
folder = Path(sys.argv[1])
memory = opened(folder)
memory.write("by the parent")
child = os.fork()
if child == 0:
    memory.write("by the child")
    os._exit(len(memory.notes()))
seen = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
memory.write("by the parent again")
print(seen, len(memory.notes()), memory._store.database.checkpoint())
"""


def test_a_forked_child_may_use_its_parents_handle(memory: Memories) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FORKED, str(memory.home / "memory")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.stderr == ""
    assert done.stdout.split()[:2] == ["2", "3"]
    with memory() as ada:
        assert len(ada.notes()) == 3
        assert disagreements(ada._store) == []
