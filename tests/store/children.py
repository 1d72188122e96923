"""What tests let other processes do; imported there by name, so nothing here may touch a test's own state."""

import random
import sys
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread

from factories import HashEncoder  # type: ignore[import-not-found]
from power_work import Life, opened  # type: ignore[import-not-found]

from tercet.store.errors import InvalidInput

__all__ = ["BATCH", "counting", "following", "holding", "living", "opening", "telling", "writing"]

BATCH = 60


def living(folder: Path, start: int, seed: int, told: Connection) -> None:
    """Imports batches, revises, encodes and forgets without end; tells what was acknowledged. It is to be killed."""
    choose = random.Random(seed)
    memory = opened(folder)
    records = memory._store.keys_values(HashEncoder())
    batch = start
    while True:
        notes = memory.write_many(
            {
                "text": f"batch {batch} place {place} Ada lives in town{place} apple",
                "thread": f"thread {batch}",
                "facts": [("Ada", "likes", f"fruit {batch} {place}")],
                "key": f"{batch}-{place}",
            }
            for place in range(BATCH)
        )
        told.send(("written", batch))
        records.records(notes[:5])
        chosen = choose.sample(notes, 4)
        revised = memory.revise(chosen[0].id, f"revised batch {batch}")
        told.send(("revised", revised.id))
        told.send(("forgetting", [note.id for note in chosen[1:]]))
        memory.forget(*[note.id for note in chosen[1:]])
        told.send(("forgotten", [note.id for note in chosen[1:]]))
        batch += 1


def following(folder: Path, seed: int, start: int, told: Connection) -> None:
    """Lives on without end from a number on, and tells the numbers that were acknowledged. It is to be killed."""
    life = Life(opened(folder), seed)
    told.send(start - 1)
    for number in count(start):
        life.do(number)
        told.send(number)


def writing(folder: Path, orders: Connection) -> None:
    """Writes, revises or forgets when it is told to, and says when it is done."""
    memory = opened(folder)
    orders.send("ready")
    while order := orders.recv():
        verb, argument = order
        if verb == "write":
            orders.send(memory.write(argument).id)
        elif verb == "revise":
            orders.send(memory.revise(*argument).id)
        else:
            memory.forget(argument)
            orders.send(argument)


def counting(folder: Path, times: int, told: Connection) -> None:
    """Two threads that each add one to the newest number, many times; whoever comes too late reads again."""
    memory = opened(folder)
    errors: list[str] = []

    def add_up() -> None:
        for _ in range(times):
            while True:
                newest = memory.notes(source="counter", limit=1)[0]
                try:
                    memory.revise(newest.id, str(int(newest.text) + 1))
                    break
                except InvalidInput:  # another one was quicker
                    continue
                except Exception as error:  # noqa: BLE001  (told to the test, which fails)
                    errors.append(repr(error))
                    return

    threads = [Thread(target=add_up) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told.send(errors)


def holding(folder: Path, told: Connection) -> None:
    """Holds the writer's lock until it is killed."""
    memory = opened(folder)
    with memory._store.database.writing() as connection:
        connection.exec_driver_sql("UPDATE note SET text = 'half-written'")
        told.send("held")
        told.recv()


def opening(folder: Path, told: Connection) -> None:
    """Opens a store at the same moment as others, and writes one note."""
    told.send("ready")
    told.recv()
    try:
        with opened(folder) as memory:
            told.send(memory.write("hello").text)
    except Exception as error:  # noqa: BLE001  (told to the test, which fails)
        told.send(repr(error))
    sys.exit()


def telling(folder: Path, told: Connection) -> None:
    """Tells what another process reads: the text of every note, oldest first."""
    with opened(folder) as memory:
        told.send([note.text for note in reversed(memory.notes())])
