"""Erased is erased: another process finds no byte of it in any file, and the receipt says only what is so."""

import re
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from factories import HashEmbedder, HashEncoder, Memories, disagreements  # type: ignore[import-not-found]

from tercet.sdk import Memory, Receipt
from tercet.store import scrub
from tercet.store.checks import empty_log
from tercet.store.errors import StoreError
from tercet.store.note import Note, spoken

# In another process, because opening the database's file in this one would drop SQLite's locks on it.
_COUNT = """
import pathlib, sys
needles = [bytes.fromhex(line) for line in sys.stdin.read().split()]
files = [path.read_bytes() for path in sorted(pathlib.Path(sys.argv[1]).rglob("*")) if path.is_file()]
print(*(sum(data.count(needle) for data in files) for needle in needles))
"""

SECRET = {
    "text": "Zanzibarian pomegranates hide underneath Quetzalcoatl's bandoneon; naïveté überflüssig.",
    "speaker": "Quillfeather Marmaduke",
    "source": "chat:Xylographer",
    "thread": "Thunderstruckness",
    "metadata": {"Rhododendron": ["Tangerineish", {"deep": "Velociraptors"}]},
    "facts": [
        ("Bartholomew", "outmanoeuvred", "Cobblestones"),
        ("Quillfeather Marmaduke", "likes", "Pumpernickel"),
    ],
    "happened": "1987-06-05",
    "key": "Kaleidoscopically",
}
STRINGS = [
    SECRET["text"], "Quillfeather", "Marmaduke", "Xylographer", "Thunderstruckness", "Rhododendron", "Tangerineish",
    "Velociraptors", "Bartholomew", "outmanoeuvred", "Cobblestones", "Pumpernickel", "Kaleidoscopically",
]  # fmt: skip


def hits(folder: Path, needles: Sequence[bytes]) -> list[int]:
    asked = " ".join(needle.hex() for needle in needles)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _COUNT, str(folder)], input=asked, capture_output=True, text=True, check=True
    )
    return [int(count) for count in done.stdout.split()]


def needles_of(memory: Memory, notes: Sequence[Note]) -> list[bytes]:
    """The words whole and in pieces, in both cases, the vectors, and bytes from all over the records."""
    words = {word for string in STRINGS for word in re.findall(r"\w{8,}", str(string))}
    pieces = {word[start : start + 6] for word in words for start in range(len(word) - 5)}
    found = {str(string).encode() for string in STRINGS} | {p.encode() for p in pieces | {p.lower() for p in pieces}}
    vectors = HashEmbedder().embed([spoken(note) for note in notes])
    found |= {vector.astype("<f4").tobytes() for vector in vectors}
    for path in memory._store.keys_values().files([note.num for note in notes]):
        data = path.read_bytes()
        found |= {data[start : start + 48] for start in range(len(data) // 2, len(data) - 48, 48)}
    return sorted(found)


@pytest.fixture
def ada(memory: Memories) -> Memory:
    """A memory with two hundred notes around the secret, so that pages split and indexes have several segments."""
    opened: Memory = memory()
    opened.write_many([{"text": f"plain words {n} of nobody", "thread": f"t{n % 5}"} for n in range(100)])
    return opened


def tell(memory: Memory) -> list[Note]:
    """The secret, with everything made of it, and what follows it."""
    first = memory.write(**SECRET)  # type: ignore[arg-type]
    for n in range(40):
        memory.write(f"more plain words {n}", thread=f"t{n % 5}")
    memory.write("what follows it", thread=first.thread, speaker="Ben")
    memory.forget(memory.notes(limit=1)[0].id)  # a follower would keep the name of the thread
    second = memory.revise(first.id, f"{SECRET['text']} Again.", facts=SECRET["facts"])  # type: ignore[arg-type]
    third = memory.undo(second.change)
    assert third
    notes = [memory.get(note.id) for note in (first, second, third)]
    memory._store.keys_values(HashEncoder()).records(notes)
    memory.read("Zanzibarian pomegranates")
    return notes


def proofs(receipt: Receipt) -> dict[str, str]:
    return {step.store: step.action for step in receipt.steps}


def test_another_process_finds_nothing_of_what_was_erased(ada: Memory, memory: Memories) -> None:
    notes = tell(ada)
    needles = needles_of(ada, notes)
    before = hits(memory.home / "memory", needles)
    assert sum(1 for count in before if count) > len(needles) // 2, "the scan finds what is there"
    receipt = ada.forget(notes[0].id, erase=True)
    after = hits(memory.home / "memory", needles)
    assert [needle for needle, count in zip(needles, after, strict=True) if count] == []
    assert receipt.erased
    assert set(receipt.notes) == {note.id for note in notes}
    assert proofs(receipt)["scan"] == "nothing found"
    assert proofs(receipt)["write-ahead log"] == "emptied"
    assert proofs(receipt)["files"] == "deleted"
    assert all("copies" in line for line in receipt.uncovered)
    assert disagreements(ada._store) == []
    ada.close()
    with memory() as again:
        assert again.read("Zanzibarian pomegranates bandoneon", by=["words"]).notes == ()
    assert sum(hits(memory.home / "memory", needles)) == 0


def test_another_open_handle_that_is_not_reading_is_no_hindrance(ada: Memory, memory: Memories) -> None:
    other = memory()
    notes = tell(ada)
    needles = needles_of(ada, notes)
    assert other.read("Zanzibarian")[0].note.id == notes[2].id
    assert ada.forget(notes[0].id, erase=True).erased
    assert sum(hits(memory.home / "memory", needles)) == 0
    assert notes[2].id not in [note.id for note in other.read("Zanzibarian", k=50).notes]


def test_forgotten_but_not_erased_names_what_still_can_be_done(ada: Memory, memory: Memories) -> None:
    notes = tell(ada)
    needles = needles_of(ada, notes)
    receipt = ada.forget(notes[0].id)
    assert not receipt.erased
    assert "scan" not in proofs(receipt)
    assert any("`tercet doctor --erase`" in line for line in receipt.uncovered)
    assert sum(hits(memory.home / "memory", needles)) > 0
    assert empty_log(memory.home / "memory").level == "ok"  # what that command does
    assert sum(hits(memory.home / "memory", needles)) == 0


def test_while_a_reader_is_open_nothing_is_called_erased(ada: Memory, memory: Memories) -> None:
    notes = tell(ada)
    needles = needles_of(ada, notes)
    reader = sqlite3.connect(memory.home / "memory" / "memory.db")  # as a shell of another program would
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM note").fetchone()
    receipt = ada.forget(notes[0].id, erase=True)
    assert not receipt.erased
    assert proofs(receipt)["write-ahead log"] == "NOT emptied"
    assert proofs(receipt)["scan"] == "STILL FOUND"
    assert any("write-ahead log" in line for line in receipt.uncovered)
    assert ada.read("Zanzibarian", by=["words"]).notes == (), "forgotten it is all the same"
    reader.close()
    other = ada.forget(ada.write("Incontrovertibly something else").id, erase=True)
    assert other.erased
    assert sum(hits(memory.home / "memory", needles)) == 0, "what was left goes with the next one"


@pytest.mark.parametrize(
    "values",
    [
        {"text": "What happened in September? The previous relation of metadata, subject and object."},
        {"text": "September"},
        {"text": "porter unicode61 remove_diacritics AUTOINCREMENT"},
        {"text": "plain words 7 of nobody"},
        {"text": "plain words 7 of nobody", "speaker": "plain words 7 of nobody"},
        {"text": "nobody", "metadata": {"words": "plain"}},
        {"text": "x"},
        {"text": "日本に行きました。とても楽しかったです。"},
        {"text": "ÜBERFLÜSSIG ÉCOLE"},
        {"text": "lives in, married to, employed by"},
        {"text": "\U0001f600" * 50},
    ],
)
def test_what_others_hold_too_is_no_false_alarm(ada: Memory, values: dict[str, object]) -> None:
    ada.write("überflüssig école, lives in the previous month", metadata={"note": "nobody happened"})
    ada.single_valued("is employed by the previous")
    note = ada.write(**values)  # type: ignore[arg-type]
    receipt = ada.forget(note.id, erase=True)
    assert receipt.erased, receipt.steps


def test_the_same_words_of_another_note_keep_their_vector(ada: Memory) -> None:
    notes = ada.write_many(["Zanzibarian pomegranates"] * 2)
    assert ada.forget(notes[0].id, erase=True).erased
    assert ada.read("Zanzibarian")[0].note.id == notes[1].id


def test_a_receipt_is_never_better_than_the_scan(ada: Memory, memory: Memories) -> None:
    note = ada.write("Zanzibarian pomegranates")
    (memory.home / "memory" / "notes-to-self.txt").write_text("a copy: Zanzibarian pomegranates")
    receipt = ada.forget(note.id, erase=True)
    assert not receipt.erased
    assert proofs(receipt)["scan"] == "STILL FOUND"
    assert any("notes-to-self.txt" in line for line in receipt.uncovered)


def test_many_are_erased_at_once(ada: Memory, memory: Memories) -> None:
    secrets = ada.write_many([f"Zanzibarian pomegranate number{n}" for n in range(60)])
    needles = [note.text.encode() for note in secrets] + [b"anzibar", b"omegran"]
    assert ada.forget(*[note.id for note in secrets], erase=True).erased
    assert sum(hits(memory.home / "memory", needles)) == 0


def test_a_file_that_could_not_be_written_anew_is_said(ada: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    note = ada.write("Zanzibarian pomegranates")

    def full() -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(ada._store.database, "rewrite", full)
    monkeypatch.setattr(scrub, "scan", lambda folder, needles: {"memory.db": needles[:1]})  # in the free part of a page
    receipt = ada.forget(note.id, erase=True)
    assert not receipt.erased
    assert proofs(receipt)["database"] == "NOT written anew"
    assert any("the disk is full" in line for line in receipt.uncovered)
    assert ada.read("Zanzibarian", by=["words"]).notes == (), "forgotten it is all the same"


def test_words_of_others_that_cannot_be_read_prove_nothing(ada: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    note = ada.write("Zanzibarian pomegranates")

    def unreadable(connection: object, words: object) -> set[str]:
        raise StoreError("the disk gives an error")

    monkeypatch.setattr(scrub, "held_elsewhere", unreadable)
    receipt = ada.forget(note.id, erase=True)
    assert not receipt.erased
    assert proofs(receipt)["scan"] == "FAILED"
    assert any("the disk gives an error" in line for line in receipt.uncovered)
    assert ada.read("Zanzibarian", by=["words"]).notes == ()
