"""Revise, undo, history, forget: one current version, the others kept until they are forgotten together."""

from threading import Barrier, Thread
from typing import Any

import pytest
from factories import HashEncoder, Memories, disagreements  # type: ignore[import-not-found]

from tercet.sdk import Memory
from tercet.store.errors import CannotUndo, ChangeNotFound, InvalidInput, NoteNotFound, StoreError


def told(memory: Memory, id: str) -> list[tuple[str, str | None]]:
    return [(event.op, event.note.text if event.note else None) for event in memory.history(id)]


def test_a_revision_replaces_and_keeps(memory: Memories) -> None:
    ada = memory()
    old = ada.write(
        "I moved to Lisbon.",
        speaker="Ada",
        source="chat:1",
        thread="t",
        happened="2024-03-09",
        facts=[("Ada", "lives in", "Lisbon")],
        origin="tool",
        metadata={"a": 1},
        key="k",
    )
    follower = ada.write("Good luck!", thread="t")
    new = ada.revise(old.id, "I moved to Porto.", facts=[("Ada", "lives in", "Porto")])
    assert new.id != old.id
    assert (new.text, new.replaces, new.key, new.position) == ("I moved to Porto.", old.id, None, 0)
    for name in ("speaker", "source", "thread", "happened", "origin", "metadata", "scope"):
        assert getattr(new, name) == getattr(old, name)
    assert ada.get(old.id).retired == new.change
    assert (ada.get(follower.id).before, ada.get(follower.id).previous) == (new.num, "I moved to Porto.")
    assert ada.notes() == [ada.get(new.id), ada.get(follower.id)][::1] or len(ada.notes()) == 2
    assert [fact.object for fact in ada.facts()] == ["Porto"]
    assert old.id not in [note.id for note in ada.read("moved Lisbon").notes]
    assert told(ada, old.id) == told(ada, new.id) == [("write", old.text), ("revise", new.text)]
    assert disagreements(ada._store) == []


def test_a_revision_takes_what_it_is_given(memory: Memories) -> None:
    ada = memory()
    old = ada.write("old", happened="2024", metadata={"a": 1})
    new = ada.revise(old.id, "new", happened="2025", metadata={})
    assert (new.happened, new.metadata) == ("2025", {})
    assert ada.revise(new.id, "newer", happened="").happened == ""


def test_only_the_current_version_can_be_revised(memory: Memories) -> None:
    ada = memory()
    old = ada.write("one")
    new = ada.revise(old.id, "two")
    with pytest.raises(InvalidInput, match="not current"):
        ada.revise(old.id, "three")
    ada.undo(new.change)
    with pytest.raises(InvalidInput, match="not current"):
        ada.revise(new.id, "three")
    assert [note.text for note in ada.notes()] == ["one"]


@pytest.mark.parametrize("bad", ["", " ", "a\x00b", "\ud800", None, 5])
def test_a_revision_into_nothing_is_refused(memory: Memories, bad: Any) -> None:  # noqa: ANN401
    ada = memory()
    note = ada.write("one")
    with pytest.raises(InvalidInput):
        ada.revise(note.id, bad)
    assert ada.notes() == [note]


def test_undo_of_a_write_takes_it_back_but_keeps_its_history(memory: Memories) -> None:
    ada = memory()
    note = ada.write("one apple", facts=[("Ada", "likes", "apples")])
    assert ada.undo(note.change) is None
    assert ada.notes() == ada.facts() == []
    assert len(ada.read("apple")) == 0
    assert told(ada, note.id) == [("write", "one apple"), ("undo", None)]
    assert ada.notes(known_at=note.change) == [ada.get(note.id)]
    assert disagreements(ada._store) == []


def test_undo_of_a_revision_writes_the_words_before_again(memory: Memories) -> None:
    ada = memory()
    old = ada.write("one apple", facts=[("Ada", "likes", "apples")], metadata={"a": 1}, happened="2024")
    new = ada.revise(old.id, "two pears", facts=[("Ada", "likes", "pears")], metadata={"b": 2}, happened="2025")
    back = ada.undo(new.change)
    assert back
    assert back.id not in (old.id, new.id)
    assert (back.text, back.facts, back.metadata, back.happened) == (old.text, old.facts, old.metadata, old.happened)
    assert ada.notes() == [back]
    assert [fact.object for fact in ada.facts()] == ["apples"]


def test_undo_of_an_undo_brings_the_revision_back(memory: Memories) -> None:
    ada = memory()
    new = ada.revise(ada.write("one").id, "two")
    for words in ("one", "two", "one"):
        back = ada.undo(ada.notes()[0].change)
        assert back
        assert back.text == words
    assert told(ada, new.id) == [
        ("write", "one"),
        ("revise", "two"),
        ("undo", "one"),
        ("undo", "two"),
        ("undo", "one"),
    ]
    assert disagreements(ada._store) == []


def test_undo_says_why_it_cannot(memory: Memories) -> None:
    ada = memory()
    first = ada.write("one")
    second = ada.revise(first.id, "two")
    with pytest.raises(CannotUndo, match=f"change {first.change} is no longer the last .* undo change {second.change}"):
        ada.undo(first.change)
    taken = ada.write("taken back")
    ada.undo(taken.change)
    with pytest.raises(CannotUndo, match="taken back already"):
        ada.undo(taken.change)
    with pytest.raises(CannotUndo, match=f"change {taken.change + 1} took a note back"):
        ada.undo(taken.change + 1)
    gone = ada.write("gone")
    forgotten = ada.forget(gone.id)
    for change in (gone.change, forgotten.change):
        with pytest.raises(CannotUndo, match="forgotten"):
            ada.undo(change)
    with pytest.raises(ChangeNotFound):
        ada.undo(forgotten.change + 1)
    assert [note.text for note in ada.notes()] == ["two"]


@pytest.mark.parametrize("bad", [0, -1, 2**63, pytest.param(10**5000, id="huge"), "1", 1.0, None, True])
def test_a_change_is_a_number(memory: Memories, bad: Any) -> None:  # noqa: ANN401
    ada = memory()
    ada.write("one")
    with pytest.raises(InvalidInput, match="change must be"):
        ada.undo(bad)
    assert len(ada.notes()) == 1


@pytest.mark.sqlite
def test_forget_takes_every_version_and_everything_made_of_them(memory: Memories) -> None:
    ada = memory()
    first = ada.write("Ada lives in Lisbon", facts=[("Ada", "likes", "apples")], thread="t")
    kept = ada.write("Mia lives in Porto", thread="t")
    second = ada.revise(first.id, "Ada lives in Faro", facts=[("Ada", "likes", "pears")])
    third = ada.undo(second.change)
    assert third
    records = ada._store.keys_values(HashEncoder())
    records.records([first, kept, third])
    receipt = ada.forget(second.id)
    assert set(receipt.notes) == {first.id, second.id, third.id}
    assert (receipt.scope, receipt.erased, receipt.change) == ("ada", False, 7)
    removed = {step.store: step.proof.split()[0] for step in receipt.steps if step.action == "deleted"}
    assert removed["notes"] == removed["words"] == removed["vectors"] == "3"
    assert removed["triplets"] == "6"
    assert removed["keys-values"] == removed["files"] == "2"
    assert any("tercet doctor --erase" in line for line in receipt.uncovered)
    assert receipt.as_dict()["notes"] == receipt.notes
    for id in (first.id, second.id, third.id):
        for ask in (ada.get, ada.history, ada.forget, lambda id: ada.revise(id, "again")):
            with pytest.raises(NoteNotFound):
                ask(id)
    assert [note.text for note in ada.notes(known_at=5)] == ["Mia lives in Porto"]
    assert [(fact.subject, fact.object) for fact in ada.facts(superseded=True)] == [("Mia", "Porto")]
    assert {n.text for q in ("Ada", "Lisbon", "Faro", "apples") for n in ada.read(q, k=50, known_at=3).notes} <= {
        kept.text
    }
    assert (ada.get(kept.id).before, ada.get(kept.id).previous) == (None, "")
    assert len(list((memory.home / "memory" / "records").iterdir())) == 1
    assert disagreements(ada._store) == []


def test_forget_is_all_or_none(memory: Memories) -> None:
    ada = memory()
    notes = ada.write_many(["one", "two"])
    with pytest.raises(NoteNotFound):
        ada.forget(notes[0].id, "0" * 16, notes[1].id)
    assert len(ada.notes()) == 2
    receipt = ada.forget(notes[0].id, notes[1].id, notes[0].id)
    assert receipt.notes == tuple(note.id for note in notes)
    assert ada.notes() == []


def test_forget_needs_to_be_told_what(memory: Memories) -> None:
    ada = memory()
    ada.write("one")
    with pytest.raises(InvalidInput, match="never means all"):
        ada.forget()
    assert len(ada.notes()) == 1


def test_only_one_of_many_revisions_at_once_wins(memory: Memories) -> None:
    ada = memory()
    note = ada.write("start")
    barrier = Barrier(6)
    won: list[str] = []
    lost: list[StoreError] = []

    def revise(name: str) -> None:
        barrier.wait()
        try:
            won.append(ada.revise(note.id, name).text)
        except InvalidInput as error:
            lost.append(error)

    threads = [Thread(target=revise, args=(f"by {n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 5)
    assert [item.text for item in ada.notes()] == won
    assert disagreements(ada._store) == []


def test_only_one_of_many_undos_at_once_wins(memory: Memories) -> None:
    ada = memory()
    note = ada.write("start")
    barrier = Barrier(6)
    done: list[object] = []
    refused: list[StoreError] = []

    def undo() -> None:
        barrier.wait()
        try:
            done.append(ada.undo(note.change))
        except CannotUndo as error:
            refused.append(error)

    threads = [Thread(target=undo) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(done), len(refused)) == (1, 5)
    assert [event.op for event in ada.history(note.id)] == ["write", "undo"]


@pytest.mark.sqlite
def test_a_record_of_a_note_forgotten_meanwhile_is_not_kept(memory: Memories) -> None:
    ada = memory()
    kept, gone = ada.write_many(["kept words", "words that go"])

    class Slow(HashEncoder):  # type: ignore[misc]
        def encode(self, texts: Any) -> Any:  # noqa: ANN401
            ada.forget(gone.id)
            return super().encode(texts)

    records = ada._store.keys_values(Slow())
    assert len(records.records([kept, gone])) == 2
    assert records.count() == 1
    assert len(list((memory.home / "memory" / "records").iterdir())) == 1


@pytest.mark.sqlite
def test_damaged_and_missing_records_are_made_again(memory: Memories) -> None:
    ada = memory()
    notes = ada.write_many([f"apple {n}" for n in range(4)])
    encoder = HashEncoder()
    records = ada._store.keys_values(encoder)
    whole = records.records(notes)
    files = sorted((memory.home / "memory" / "records").iterdir())
    data = bytearray(files[0].read_bytes())
    data[len(data) // 2] ^= 1
    files[0].write_bytes(data)
    files[1].write_bytes(b"")
    files[2].unlink()
    assert encoder.encoded == 4
    ada._store.near.limit(0)  # whose copies are whole
    again = records.records(notes)
    assert encoder.encoded == 7
    assert all((one[name] == other[name]).all() for one, other in zip(whole, again, strict=True) for name in one)
    assert len(list((memory.home / "memory" / "records").iterdir())) == records.count() == 4
    assert records.records(notes)
    assert encoder.encoded == 7


@pytest.mark.sqlite
def test_records_of_another_model_are_not_used(memory: Memories) -> None:
    ada = memory()
    notes = ada.write_many(["apple"])
    one, other = HashEncoder(fingerprint="one"), HashEncoder(fingerprint="other")
    ada._store.keys_values(one).records(notes)
    ada._store.keys_values(other).records(notes)
    assert (one.encoded, other.encoded) == (1, 1)
    ada.forget(notes[0].id)
    assert list((memory.home / "memory" / "records").iterdir()) == []
