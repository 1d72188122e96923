"""Receipts: they say the truth when they are made, and can be verified long after."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest
from factories import HashEncoder, Memories  # type: ignore[import-not-found]

from tercet.sdk import Memory, Receipt
from tercet.store.errors import InvalidInput, InvalidScope

SECRET = "The cellar code is zanzibar-quokka."


def _levels(ada: Memory, receipt: Receipt, *, look_for: Sequence[str] = ()) -> dict[str, str]:
    return {
        found.check: found.level for found in ada.verify(receipt, look_for=look_for) if found.check != "not reached"
    }


def _forgotten(ada: Memory, *, erase: bool = True) -> Receipt:
    note = ada.write(SECRET, speaker="Mia", thread="t", facts=[("cellar", "code", "zanzibar-quokka")])
    ada.write("it rains", thread="t")
    ada.write("a summary of zanzibar-quokka", derived_from=[note.id])
    ada._store.keys_values(HashEncoder()).records([note])
    ada.revise(note.id, SECRET + " Still.")
    return ada.forget(speaker="Mia", erase=erase)


@pytest.mark.sqlite
def test_a_receipt_survives_a_file_and_holds_no_words(memory: Memories) -> None:
    ada = memory()
    receipt = _forgotten(ada)
    kept = json.dumps(receipt.as_dict())
    assert Receipt.from_dict(json.loads(kept)) == receipt
    assert receipt.intact
    assert (len(receipt.notes), len(receipt.derived), receipt.erased) == (2, 1, True)
    for word in ("zanzibar", "quokka", "cellar", "Mia", "summary of"):
        assert word not in kept


@pytest.mark.sqlite
def test_what_is_gone_is_verified_later_in_another_handle(memory: Memories) -> None:
    receipt = _forgotten(memory())
    later = memory()
    later.write_many([f"written later {n}" for n in range(20)])
    levels = _levels(later, receipt, look_for=["zanzibar-quokka", "cellar code"])
    assert set(levels.values()) == {"ok"}
    assert set(levels) == {"receipt", "change log", "tables", "files", "write-ahead log", "erased", "bytes"}


@pytest.mark.sqlite
def test_what_was_not_erased_is_not_called_erased(memory: Memories) -> None:
    ada = memory()
    receipt = _forgotten(ada, erase=False)
    assert _levels(ada, receipt)["erased"] == "warn"
    assert _levels(ada, receipt, look_for=["zanzibar-quokka"])["bytes"] == "fail"


@pytest.mark.sqlite
def test_a_reader_that_is_open_is_told_of(memory: Memories) -> None:
    ada, other = memory(), memory()
    note = ada.write(SECRET)
    with other._store.database.reading() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM note").all()
        receipt = ada.forget(note.id, erase=True)
        assert not receipt.erased
        assert any("until the reader" in left for left in receipt.uncovered)
        assert _levels(ada, receipt)["erased"] == "warn"


@pytest.mark.sqlite
def test_copies_beside_the_store_are_named(memory: Memories) -> None:
    ada = memory()
    note = ada.write(SECRET)
    (memory.home / "export.jsonl").write_text("\n".join(ada.export()))
    (memory.home / "holiday.jsonl").write_text("nothing of it")
    (memory.home / "notes.md").write_text(SECRET)
    memory("ada", "backup").import_(list(ada.export()))
    receipt = ada.forget(note.id, erase=True)
    assert receipt.erased, "the store's own bytes are gone"
    told = [left for left in receipt.uncovered if "beside the store" in left]
    assert [left.split(" ")[0] for left in told] == ["backup", "export.jsonl"]


def test_a_receipt_that_was_changed_is_not_believed(memory: Memories) -> None:
    ada = memory()
    receipt = _forgotten(ada)
    for changed in (
        replace(receipt, notes=receipt.notes[:1]),
        replace(receipt, erased=not receipt.erased),
        replace(receipt, uncovered=()),
        replace(receipt, digest="0" * 64),
    ):
        found = ada.verify(changed)
        assert [(one.check, one.level) for one in found] == [("receipt", "fail")]
    stranger = memory("ada", "other")
    assert "another store" in stranger.verify(receipt)[0].detail


def test_what_came_back_is_found(memory: Memories) -> None:
    ada = memory()
    note = ada.write(SECRET)
    lines = list(ada.export())
    receipt = ada.forget(note.id)
    ada.import_(lines)
    assert _levels(ada, receipt)["notes"] == "fail"


@pytest.mark.sqlite
def test_rows_and_files_left_over_are_found(memory: Memories) -> None:
    ada = memory()
    receipt = _forgotten(ada)
    num = next(made.num for made in ada._store.notes.changes.select() if made.note == receipt.notes[0])
    with ada._store.database.writing() as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=on")
        connection.exec_driver_sql("UPDATE note SET previous = ?", (num,))
    (memory.home / "memory" / "records" / "left.safetensors").write_bytes(b"x")
    levels = _levels(ada, receipt)
    assert (levels["tables"], levels["files"]) == ("fail", "fail")


def test_a_forget_that_the_log_does_not_know_is_found(memory: Memories) -> None:
    ada = memory()
    receipt = _forgotten(ada)
    made_up = replace(receipt, notes=("0" * 16,)).sealed()
    assert _levels(ada, made_up)["change log"] == "fail"
    late = replace(receipt, change=receipt.change + 100).sealed()
    assert _levels(ada, late)["change log"] == "fail"


@pytest.mark.sqlite
def test_words_that_remain_prove_nothing(memory: Memories) -> None:
    ada = memory()
    receipt = _forgotten(ada)
    ada.write("zanzibar-quokka is a word")
    found = next(one for one in ada.verify(receipt, look_for=["zanzibar-quokka"]) if one.check == "bytes")
    assert found.level == "warn"
    assert "notes that remain" in found.detail


def test_who_may_ask_and_for_what(memory: Memories) -> None:
    receipt = _forgotten(memory("ada"))
    with pytest.raises(InvalidScope):
        memory("bob").verify(receipt)
    for words in ("zanzibar", ["abc"], [3]):
        with pytest.raises(InvalidInput):
            memory("ada").verify(receipt, look_for=words)


@pytest.mark.parametrize(
    "values", [{}, {"store": 1}, [], None, "x", {"extra": 1}], ids=["empty", "wrong", "list", "none", "text", "extra"]
)
def test_what_is_no_receipt_is_refused(memory: Memories, values: object) -> None:
    good = _forgotten(memory()).as_dict()
    with pytest.raises(InvalidInput, match="no receipt of Tercet"):
        Receipt.from_dict(good | values if isinstance(values, dict) and values else cast("dict[str, object]", values))


def test_a_receipt_of_nothing_is_true_too(memory: Memories) -> None:
    ada = memory()
    ada.write("one")
    levels = _levels(ada, ada.forget(speaker="nobody"))
    assert set(levels.values()) == {"ok"}
