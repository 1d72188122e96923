"""A child that was forked while other threads of its parent were in the middle of something reads as if alone."""

import os
import signal
import threading
import warnings
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from factories import Memories  # type: ignore[import-not-found]

from tercet.sdk import Memory
from tercet.store.fulltext import FullText

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

_PATIENCE = 20  # seconds until a child that waits for a lock of nobody is ended


def in_child(does: Callable[[], bool]) -> bool:
    """Returns whether a child, forked from this thread, came to an end and found what it should."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of every fork beside threads
        child = os.fork()
    if not child:
        signal.alarm(_PATIENCE)
        os._exit(0 if does() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.sqlite
def test_a_child_waits_for_no_thread_of_its_parent(memory: Memories) -> None:
    ada: Memory = memory("ada")
    ada.write("Ben lives in Lisbon")
    wanted = [one.id for one in ada.read("Where does Ben live?").notes]
    store, index = ada._store, ada._store.words.index
    assert isinstance(index, FullText)
    held, go_on = threading.Event(), threading.Event()

    def be_in_the_middle() -> None:
        with ExitStack() as stack:
            for owner in (index, index._tokenizer, store.triplets.index, store.notes._sight, store.vectors):
                stack.enter_context(owner._lock)  # type: ignore[union-attr]
            stack.enter_context(store._writes._queue)
            held.set()
            go_on.wait()

    thread = threading.Thread(target=be_in_the_middle)
    thread.start()
    held.wait()
    try:
        assert in_child(lambda: [one.id for one in ada.read("Where does Ben live?").notes] == wanted)
        assert in_child(lambda: ada.write("Ben moved to Porto").id in {one.id for one in ada.read("Ben Porto").notes})
    finally:
        go_on.set()
        thread.join()
