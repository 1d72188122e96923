"""Limits of scopes: what would pass them is refused whole, and nobody else notices."""

from threading import Barrier, Thread

import pytest
from factories import Memories  # type: ignore[import-not-found]

from tercet.sdk import Limit
from tercet.store.errors import InvalidInput, InvalidScope, LimitExceeded


def test_a_write_that_would_pass_it_is_refused_whole(memory: Memories) -> None:
    ada = memory()
    ada.limit(notes=3)
    ada.write_many(["one", "two"])
    with pytest.raises(
        LimitExceeded, match=r"may hold 3 notes.*holds 2; 2 more are too many.*limit\(scope='ada', notes="
    ):
        ada.write_many(["three", "four"])
    assert len(ada.notes()) == 2
    three = ada.write("three")
    with pytest.raises(LimitExceeded):
        ada.write("four")
    with pytest.raises(LimitExceeded):
        ada.revise(three.id, "THREE")
    assert ada.limits() == {"ada": Limit(3, None, 3, 11)}
    assert [note.text for note in ada.notes()] == ["three", "two", "one"]
    ada.forget(three.id)
    assert ada.write("room again").text == "room again"
    ada.limit()
    assert ada.limits() == {}
    ada.write_many(["five", "six"])


def test_bytes_are_those_of_the_text(memory: Memories) -> None:
    ada = memory()
    ada.limit(bytes=10)
    ada.write("ééé")  # six bytes
    with pytest.raises(LimitExceeded, match="10 bytes of text"):
        ada.write("12345")
    ada.write("1234")
    assert ada.limits()["ada"] == Limit(None, 10, 2, 10)


def test_a_limit_holds_below_and_for_every_handle_and_nowhere_else(memory: Memories) -> None:
    ada, work, bob = memory("ada"), memory("ada/work"), memory("bob")
    ada.limit(notes=2)
    ada.limit(scope="ada/work", notes=5)
    work.write("one")
    ada.write("two")
    with pytest.raises(LimitExceeded, match="scope 'ada' may hold 2"):
        work.write("three")
    bob.write_many(["a", "b", "c"])
    assert set(ada.limits()) == {"ada", "ada/work"}
    assert work.limits() == {"ada/work": Limit(5, None, 1, 3)}
    assert bob.limits() == {}
    with pytest.raises(InvalidScope):
        work.limit(scope="ada", notes=100)


def test_only_the_caller_who_passes_it_fails_in_a_group(memory: Memories) -> None:
    ada, bob = memory("ada"), memory("bob")
    ada.limit(notes=4)
    barrier, failed, written = Barrier(16), [], []

    def write(n: int) -> None:
        barrier.wait()
        try:
            written.append((ada if n % 2 else bob).write(f"note {n}"))
        except LimitExceeded as error:
            failed.append(error)

    threads = [Thread(target=write, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(written), len(failed)) == (12, 4)
    assert (len(ada.notes()), len(bob.notes())) == (4, 8)


def test_another_handle_that_writes_and_forgets_is_counted(memory: Memories) -> None:
    here, there = memory(), memory()
    here.limit(notes=10)
    for _ in range(3):
        notes = there.write_many([str(n) for n in range(5)])
        here.write_many([str(n) for n in range(5)])
        with pytest.raises(LimitExceeded):
            here.write("too many")
        with pytest.raises(LimitExceeded):
            there.write("too many")
        there.forget(*(note.id for note in notes))
        here.write_many([str(n) for n in range(5)])
        there.forget(scope="ada")


def test_what_is_held_or_replaced_counts(memory: Memories) -> None:
    ada = memory()
    ada.limit(notes=3)
    note = ada.write("one")
    ada.quarantine(ada.revise(note.id, "ONE").id)
    assert ada.limits()["ada"].used_notes == 2
    ada.write("two")
    with pytest.raises(LimitExceeded):
        ada.write("three")


def test_an_import_that_would_pass_it_writes_nothing(memory: Memories) -> None:
    ada, copy = memory(), memory("ada", "copy")
    ada.write_many(["one", "two", "three"])
    copy.limit(notes=2)
    with pytest.raises(LimitExceeded):
        copy.import_(list(ada.export()))
    assert copy.notes() == []


@pytest.mark.parametrize("value", [-1, True, "3", 2.0, 2**63])
def test_a_limit_is_a_number(memory: Memories, value: object) -> None:
    with pytest.raises(InvalidInput):
        memory().limit(notes=value)


def test_without_limits_nothing_is_counted(memory: Memories) -> None:
    ada = memory()
    asked: list[str] = []
    original = ada._store.quotas._used
    ada._store.quotas._used = lambda *rest: asked.append("counted") or original(*rest)  # type: ignore[func-returns-value]
    ada.write_many(["one", "two"])
    assert asked == []
    ada.limit(scope="ada/work", notes=1)
    ada.write("three")
    assert asked == [], "a limit of another scope is not counted"
    ada.write("four", scope="ada/work")
    assert asked == ["counted"]
