"""Many processes over one PostgreSQL: nothing is lost, nobody waits for ever, a kill leaves old or new state."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from children import BATCH, counting, holding, living, opening, writing  # type: ignore[import-not-found]
from factories import HashEmbedder, Memories, PatternExtractor, disagreements  # type: ignore[import-not-found]
from servers import Server  # type: ignore[import-not-found]

from tercet.sdk import Memory
from tercet.store.errors import StoreBusy, StoreError
from tercet.store.postgres import Postgres

pytestmark = pytest.mark.postgres
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def shared(server: Server, tmp_path: Path) -> Iterator[Memories]:
    made = Memories(tmp_path, server)
    yield made
    made.close()


@pytest.mark.parametrize("times", [10, pytest.param(40, marks=pytest.mark.slow)])
def test_eight_writers_in_four_processes_lose_no_update(shared: Memories, times: int) -> None:
    ada = shared()
    ada.write("0", source="counter")
    pipes = [SPAWN.Pipe() for _ in range(4)]
    children = [SPAWN.Process(target=counting, args=(shared.place(), times, there)) for _, there in pipes]
    for child in children:
        child.start()
    assert [here.recv() for here, _ in pipes] == [[]] * 4
    for child in children:
        child.join(timeout=30)
    assert ada.notes(source="counter")[0].text == str(8 * times)
    assert ada.stats().change == 8 * times + 1
    assert disagreements(ada._store) == []


def test_what_another_process_writes_is_seen_at_the_next_read(shared: Memories) -> None:
    ada = shared()
    here, there = SPAWN.Pipe()
    child = SPAWN.Process(target=writing, args=(shared.place(), there))
    child.start()
    assert here.recv() == "ready"
    for turn in range(10):
        here.send(("write", f"zebra{turn} in the garden"))
        id = here.recv()
        for by in ("words", "vectors", "graph"):
            assert by == "graph" or ada.read(f"zebra{turn}", k=1, by=[by])[0].note.id == id
        if turn % 2:
            here.send(("forget", id))
            here.recv()
            assert id not in [one.note.id for one in ada.read(f"zebra{turn}", k=50)]
    here.send(None)
    child.join(timeout=30)


def test_processes_that_open_at_once_make_the_tables_once(shared: Memories) -> None:
    place = shared.place()
    pipes = [SPAWN.Pipe() for _ in range(3)]
    children = [SPAWN.Process(target=opening, args=(place, there)) for _, there in pipes]
    for child in children:
        child.start()
    assert [here.recv() for here, _ in pipes] == ["ready"] * 3
    for here, _ in pipes:
        here.send("go")
    assert [here.recv() for here, _ in pipes] == ["hello"] * 3
    for child in children:
        child.join(timeout=30)
    assert shared().stats().notes == 3


def test_a_writer_that_was_killed_holds_nobody_up(shared: Memories) -> None:
    ada = shared()
    ada.write("whole")
    here, there = SPAWN.Pipe()
    child = SPAWN.Process(target=holding, args=(shared.place(), there))
    child.start()
    assert here.recv() == "held"
    waiting = Postgres(str(shared.place()), timeout=0.3)
    with pytest.raises(StoreBusy, match="try again"), waiting.writing():
        pass
    assert [note.text for note in ada.notes()] == ["whole"]  # readers wait for nobody
    assert child.pid
    os.kill(child.pid, signal.SIGKILL)
    child.join(timeout=30)
    ada.write("goes on")
    assert [note.text for note in ada.notes()] == ["goes on", "whole"]
    waiting.close()


@pytest.mark.parametrize("cycles", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_what_was_acknowledged_survives_the_kill_of_a_client(shared: Memories, cycles: int) -> None:
    ada = shared()
    start = 0
    written: set[int] = set()
    gone: set[str] = set()
    for cycle in range(cycles):
        here, there = SPAWN.Pipe()
        child = SPAWN.Process(target=living, args=(shared.place(), start, cycle, there))
        child.start()
        there.close()
        told = [here.recv() for _ in range(3 + cycle % 5)]
        assert child.pid
        os.kill(child.pid, signal.SIGKILL)
        child.join(timeout=30)
        while here.poll(0.1):
            try:
                told.append(here.recv())
            except EOFError:
                break
        written |= {what for verb, what in told if verb == "written"}
        gone |= {id for verb, what in told if verb == "forgotten" for id in what}
        start += 1_000
        _look(ada, written, gone)


def _look(ada: Memory, written: set[int], gone: set[str]) -> None:
    """Every batch that was acknowledged is whole but for what was asked to be forgotten; what was forgotten is gone."""
    assert disagreements(ada._store) == []
    kept = ada.notes(limit=100_000)
    assert gone.isdisjoint(note.id for note in kept)
    for batch in written:
        of_batch = [note for note in kept if note.thread == f"thread {batch}"]
        assert BATCH - 4 <= len(of_batch) <= BATCH, batch


def test_what_was_acknowledged_survives_the_kill_of_the_server(tmp_path: Path) -> None:
    server = Server(durable=True)
    try:
        place = server.url("crash")
        ada = Memory(place, scope="ada", embedder=HashEmbedder(), extractor=PatternExtractor())
        acknowledged: list[str] = []
        refused: list[StoreError] = []
        for turn in range(3):
            thread = threading.Thread(target=_write_until_refused, args=(ada, turn, acknowledged, refused))
            thread.start()
            while len(acknowledged) < 20 * (turn + 1):
                time.sleep(0.01)
            server.kill()
            thread.join(timeout=60)
            assert len(refused) == turn + 1
            kept = {note.text for note in ada.notes(limit=100_000)}  # the same handle goes on
            assert kept >= set(acknowledged)
            assert disagreements(ada._store) == []
        assert all("connection" in str(error) for error in refused)
        assert len(kept) <= len(acknowledged) + len(refused)
        ada.close()
    finally:
        server.close()


def _write_until_refused(ada: Memory, turn: int, acknowledged: list[str], refused: list[StoreError]) -> None:
    for number in range(100_000):
        text = f"note {number} of turn {turn}"
        try:
            ada.write(text)
        except StoreError as error:
            refused.append(error)
            return
        acknowledged.append(text)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_takes_connections_of_its_own(shared: Memories) -> None:
    ada = shared()
    ada.write("before")
    child = os.fork()
    if not child:
        try:
            ada.write("of the child")
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    ada.write("of the parent")
    assert [note.text for note in ada.notes()] == ["of the parent", "of the child", "before"]
