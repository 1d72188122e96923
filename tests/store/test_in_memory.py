"""What was forgotten is in none of the things that the handles of this process keep in memory."""

import sys
import threading
from collections.abc import Iterator

from factories import Memories, PatternExtractor  # type: ignore[import-not-found]

from tercet.store import in_memory

SECRET = "qwortholm"


def words_in(root: object) -> Iterator[str]:
    """Yields every text that can be reached from an object of the library."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, str | bytes):
            yield one.decode(errors="replace") if isinstance(one, bytes) else one
        elif isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple | set | frozenset):
            waiting += one
        elif type(one).__module__.startswith("tercet"):
            waiting += getattr(one, "__dict__", {}).values()
            waiting += [getattr(one, name) for name in getattr(type(one), "__slots__", ()) if hasattr(one, name)]


def holds(root: object) -> bool:
    return any(SECRET in words.lower() for words in words_in(root))


def test_a_forget_leaves_no_word_in_memory(memory: Memories) -> None:
    one, other = (memory("ada", extractor=PatternExtractor()) for _ in range(2))
    one.write_many(["tea in the harbour", "a lantern"])
    for each in (one, other):
        each.read("tea")  # what comes after is followed
    secret = one.write("Ben lives in Qwortholm")
    for each in (one, other):
        assert each.read("Who lives in Qwortholm?", by=["words", "triplets", "graph"]).notes
        each.read("tea")
        assert holds(each._store)
    one.forget(secret.id, erase=True)
    assert not holds(one._store)
    assert not holds(other._store)


class Kept:
    """Something that keeps words of a store."""

    place = "here"

    def __init__(self) -> None:
        self.words = [SECRET]

    def drop(self) -> None:
        self.words.clear()


def test_all_is_dropped_while_other_threads_open_more() -> None:
    interval = sys.getswitchinterval()
    stop = threading.Event()

    def opens() -> None:
        some: list[Kept] = []
        while not stop.is_set():
            some = [*some[-100:], Kept()]
            in_memory.watch(some[-1])

    threads = [threading.Thread(target=opens) for _ in range(2)]
    first, others = Kept(), [Kept() for _ in range(100)]
    for one in (*others, first):
        in_memory.watch(one)
    try:
        sys.setswitchinterval(1e-6)
        for thread in threads:
            thread.start()
        for _ in range(1_000):
            first.words.append(SECRET)
            in_memory.drop("here")
            assert not first.words
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval)
    assert not any(one.words for one in others)
