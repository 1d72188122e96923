"""Explicit memories in RAM: within their budget, promoted at their second use, and gone when they are forgotten."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from factories import HashEncoder, Memories, on_disk  # type: ignore[import-not-found]
from hypothesis import given
from hypothesis import strategies as st

from tercet.sdk import Memory
from tercet.store.checks import check_store
from tercet.store.errors import InvalidInput
from tercet.store.form import Record
from tercet.store.near import Near, Tiers
from tercet.store.note import Note
from tercet.store.records import KeysValues


def copies_of(ada: Memory, encoder: HashEncoder | None = None) -> KeysValues:
    return ada._store.keys_values(encoder or HashEncoder())


def written(ada: Memory, count: int) -> list[Note]:
    return [ada.write(f"note number {number} of some") for number in range(count)]


def files_read(ada: Memory, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Returns the names of files, as they are read from now on."""
    names: list[str] = []
    files = type(ada._store.database.record_files())
    read = files.read

    def noted(self: object, name: str) -> bytes | None:
        names.append(name)
        return read(self, name)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "read", noted)
    return names


def equal(one: Record, other: Record) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def test_a_record_is_read_once_and_shared_by_every_handle(memory: Memories, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, again = memory("ada", embedder=None), memory("ada", embedder=None)
    notes = written(ada, 2)
    fresh = copies_of(ada).records(notes)
    ada._store.near.drop(list(names_near(ada._store.near)))
    names = files_read(ada, monkeypatch)
    for handle in (ada, again, ada):
        found = copies_of(handle).records(notes)
        assert all(equal(one, other) for one, other in zip(found, fresh, strict=True))
    assert len(names) == 2
    assert again._store.near is ada._store.near
    with pytest.raises(ValueError, match="read-only"):
        next(iter(found[0].values()))[...] = 0


def names_near(near: Near) -> list[str]:
    return list(near._tier)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40)), max_size=60), st.integers(0, 4_000))
def test_the_budget_is_never_exceeded(steps: list[tuple[int, int]], budget: int) -> None:
    near = Near(budget)
    for file, size in steps:
        near.get(str(file))
        near.put(str(file), {"a": np.zeros(10 * size, np.uint8)}, age=0)
        assert near.nbytes <= budget
        assert near.nbytes >= len(near) * 256
    near.limit(budget // 2)
    assert near.nbytes <= budget // 2


def test_a_memory_keeps_to_the_room_it_was_given(memory: Memories) -> None:
    ada = memory("ada", embedder=None)
    notes = written(ada, 12)
    copies_of(ada).records(notes)
    size = ada._store.near.nbytes // 12
    with Memory(memory.place(), scope="ada", embedder=None, tiers=Tiers(ram=4 * size + size // 2)) as small:
        assert len(small._store.near) == 4, "the last one opened says"
        for note in [*notes, *reversed(notes)]:
            copies_of(small).records([note])
            assert small._store.near.nbytes <= small._store.tiers.ram
        assert len(small._store.near) == 4
    with Memory(memory.place(), scope="ada", embedder=None, tiers=Tiers(ram=0)) as none:
        assert len(copies_of(none).records(notes)) == 12
        assert len(none._store.near) == 0
        with Memory(memory.place(), scope="ada", embedder=None) as other:
            copies_of(other).records(notes)
            assert len(none._store.near) == 0, "only who was given tiers says"
    with pytest.raises(InvalidInput, match="ram=-1"):
        Tiers(ram=-1)


@pytest.mark.parametrize("way", ["forget", "erase", "revise", "undo"])
def test_what_is_forgotten_or_replaced_is_dropped_at_once_by_every_handle(memory: Memories, way: str) -> None:
    ada, again = memory("ada", embedder=None), memory("ada", embedder=None)
    gone, stays = written(ada, 2)
    copies_of(again).records([gone, stays])
    assert len(again._store.near) == 2
    if way == "revise":
        ada.revise(gone.id, "something else")
    elif way == "undo":
        ada.undo(gone.change)
    else:
        ada.forget(gone.id, erase=way == "erase")
    assert len(again._store.near) == 1
    copies_of(again).records([stays])
    assert len(again._store.near) == 1


def test_what_another_process_forgets_is_seen_before_anything_is_used(memory: Memories, tmp_path: Path) -> None:
    ada = memory("ada", embedder=None)
    gone, stays = written(ada, 2)
    copies_of(ada).records([gone, stays])
    code = (
        "import sys; from tercet import Memory\n"
        "with Memory(sys.argv[1], scope='ada', embedder=None) as ada: ada.forget(sys.argv[2])"
    )
    root = Path(__file__).resolve().parents[2] / ".dev"
    command = [sys.executable, "-c", code, str(memory.place()), gone.id]
    subprocess.run(command, check=True, cwd=tmp_path, env={"PYTHONPATH": str(root)})
    assert len(ada._store.near) == 2, "nobody has told this process"
    copies_of(ada).records([stays])
    assert len(ada._store.near) == 1
    assert copies_of(ada, encoder := HashEncoder()).records([gone])[0]  # a note somebody still holds: its words alone
    assert encoder.encoded == 1
    assert len(ada._store.near) == 1, "and nothing of it is kept"


def test_nothing_is_kept_of_a_note_that_is_forgotten_while_it_is_encoded(memory: Memories) -> None:
    ada = memory("ada", embedder=None)
    gone, stays = written(ada, 2)

    class Slow(HashEncoder):  # type: ignore[misc]
        def encode(self, texts: Sequence[str]) -> list[Record]:
            ada.forget(gone.id)
            made: list[Record] = super().encode(texts)
            return made

    for at_once in (True, False):
        assert len(copies_of(ada, Slow()).records([gone, stays], at_once=at_once)) == 2
        assert len(ada._store.near) <= 1
        if at_once:
            gone = ada.write("note number 0 of some")
            stays = ada.write("note number 3 of some")


def test_a_memory_becomes_keys_and_values_at_its_second_use(memory: Memories) -> None:
    ada = memory("ada", embedder=None)
    notes = written(ada, 2)
    encoder = HashEncoder()
    (first,) = copies_of(ada, encoder).records(notes[:1], at_once=False)
    form = ada.stats().forms["keys-values"]
    assert form.count == 0
    assert copies_of(ada).files([notes[0].num]) == []
    (second,) = copies_of(ada, encoder).records(notes[:1], at_once=False)
    assert equal(first, second)
    assert encoder.encoded == 1, "the copy in RAM was kept"
    assert ada.stats().forms["keys-values"].count == 1
    copies_of(ada, encoder).records(notes[:1], at_once=False)
    assert encoder.encoded == 1
    copies_of(ada, encoder).records(notes, at_once=False)
    assert ada.stats().forms["keys-values"].count == 1
    copies_of(ada, encoder).records(notes[1:])  # asked for
    assert ada.stats().forms["keys-values"].count == 2
    assert encoder.encoded == 2


def test_the_second_use_counts_also_in_another_process(memory: Memories) -> None:
    ada = memory("ada", embedder=None)
    notes = written(ada, 1)
    encoder = HashEncoder()
    copies_of(ada, encoder).records(notes, at_once=False)
    ada.close()
    with memory("ada", embedder=None) as again:
        assert len(again._store.near) == 0
        copies_of(again, encoder).records(notes, at_once=False)
        assert again.stats().forms["keys-values"].count == 1
        assert encoder.encoded == 2
        receipt = again.forget(notes[0].id)
        assert receipt.notes == (notes[0].id,)
        assert len(again._store.near) == 0


@pytest.mark.sqlite
def test_doctor_does_not_miss_files_that_were_never_made(memory: Memories) -> None:
    ada = memory("ada", embedder=None)
    copies_of(ada).records(written(ada, 2), at_once=False)
    folder = on_disk(ada._store).folder
    found = {finding.check: finding for finding in check_store(folder)}
    assert found["keys-values"].level == "ok", found["keys-values"].detail
    assert not (folder / "records").exists()
