"""Forgetting everything that fits: by speaker, source, thread, origin or scope, and never more than that."""

import time
from collections.abc import Callable

import pytest
from factories import Memories  # type: ignore[import-not-found]

from tercet.sdk import Memory
from tercet.store.errors import InvalidInput, InvalidScope, NoteNotFound
from tercet.store.note import Note

FILTERS = {
    "speaker": {"speaker": "Mia"},
    "source": {"source": "mail:3"},
    "thread": {"thread": "chat"},
    "origin": {"origin": "web"},
    "speaker and source": {"speaker": "Mia", "source": "mail:3"},
}


def _filled(ada: Memory) -> list[Note]:
    return ada.write_many(
        [
            {"text": "Mia likes rivers.", "speaker": "Mia", "source": "mail:3", "thread": "chat", "origin": "web"},
            {"text": "Mia likes lakes.", "speaker": "Mia", "source": "mail:4"},
            {"text": "Ada likes rivers.", "speaker": "Ada", "source": "mail:3"},
            {
                "text": "Ada lives in Porto.",
                "speaker": "Ada",
                "thread": "chat",
                "facts": [("Ada", "lives in", "Porto")],
            },
            {"text": "A page says so.", "origin": "web"},
        ]
    )


@pytest.mark.parametrize("fields", FILTERS.values(), ids=FILTERS)
def test_all_that_fits_goes_and_nothing_else(memory: Memories, fields: dict[str, str]) -> None:
    ada = memory()
    notes = _filled(ada)
    fitting = [note for note in notes if all(getattr(note, name) == value for name, value in fields.items())]
    receipt = ada.forget(**fields)
    assert receipt.notes == tuple(note.id for note in fitting)
    assert {note.id for note in ada.notes()} == {note.id for note in notes if note not in fitting}
    for note in fitting:
        with pytest.raises(NoteNotFound):
            ada.get(note.id)


def test_a_scope_alone_means_all_in_it_and_below_and_nobody_else(memory: Memories) -> None:
    ada, other = memory("ada"), memory("ada0")
    kept = ada.write("in ada")
    gone = [ada.write("in work", scope="ada/work"), ada.write("below work", scope="ada/work/x")]
    near = ada.write("beside work", scope="ada/works")
    strangers = other.write("in ada0")
    assert ada.forget(scope="ada/work").notes == tuple(note.id for note in gone)
    assert {note.id for note in ada.notes()} == {kept.id, near.id}
    assert ada.forget(scope="ada").notes == (kept.id, near.id)
    assert ada.notes() == []
    assert [note.id for note in other.notes()] == [strangers.id]


def test_a_scope_narrows_a_filter(memory: Memories) -> None:
    ada = memory()
    ada.write("at home", speaker="Mia")
    work = ada.write("at work", speaker="Mia", scope="ada/work")
    assert ada.forget(speaker="Mia", scope="ada/work").notes == (work.id,)
    assert [note.text for note in ada.notes()] == ["at home"]


def test_one_fitting_version_takes_all_versions(memory: Memories) -> None:
    ada = memory()
    first = ada.write("Mia lives in Faro.", speaker="Mia", metadata={"n": 1})
    second = ada.revise(first.id, "Mia lives in Porto.")
    taken_back = ada.write("Mia lives in Lisbon.", speaker="Mia")
    ada.undo(taken_back.change)
    assert set(ada.forget(speaker="Mia").notes) == {first.id, second.id, taken_back.id}
    assert ada.notes(known_at=second.change) == []


def test_it_never_means_all_by_accident(memory: Memories) -> None:
    ada = memory()
    note = ada.write("one", speaker="Mia")
    attempts: list[tuple[Callable[[], object], str]] = [
        (lambda: ada.forget(), "never means all"),
        (lambda: ada.forget(speaker=None), "never means all"),
        (lambda: ada.forget(speaker=""), "speaker is empty"),
        (lambda: ada.forget(thread="  "), "thread is empty"),
        (lambda: ada.forget(note.id, speaker="Mia"), "not both"),
        (lambda: ada.forget(note.id, scope="ada"), "not both"),
        (lambda: ada.forget(origin="somewhere"), "origin 'somewhere' is unknown"),
    ]
    for call, says in attempts:
        with pytest.raises(InvalidInput, match=says):
            call()
    for scope in ("", "bob", "ada0", "ad", "*", "ada/%"):
        with pytest.raises(InvalidScope):
            ada.forget(scope=scope)
    assert [found.id for found in ada.notes()] == [note.id]


def test_a_filter_that_nothing_fits_changes_nothing_and_says_so(memory: Memories) -> None:
    ada = memory()
    ada.write("one", speaker="Mia")
    ada.forget(speaker="Mia")
    before = ada.stats().change
    receipt = ada.forget(speaker="Mia", erase=True)
    assert (receipt.notes, receipt.erased, receipt.change) == ((), False, before)
    assert "nothing was changed" in receipt.steps[0].proof
    assert ada.stats().change == before


@pytest.mark.sqlite
def test_what_a_filter_erased_is_in_no_file(memory: Memories) -> None:
    ada = memory()
    ada.write_many([{"text": f"zanzibar{n} cellar", "speaker": "Mia"} for n in range(20)])
    ada.write("stays", speaker="Ada")
    receipt = ada.forget(speaker="Mia", erase=True)
    assert receipt.erased
    assert len(receipt.notes) == 20
    ada.close()
    assert not any(b"zanzib" in path.read_bytes() for path in (memory.home / "memory").iterdir())


def test_forgotten_by_filter_is_as_never_written(memory: Memories) -> None:
    kept = [{"text": f"Ada likes apple {n} of Porto", "speaker": "Ada", "thread": "t"} for n in range(6)]
    poison = [{"text": f"Mia hates apple {n} of Faro", "speaker": "Mia", "thread": "t"} for n in range(6)]
    with_mia, without = memory("ada", "with"), memory("ada", "without")
    with_mia.write_many([draft for pair in zip(kept, poison, strict=True) for draft in pair])
    without.write_many(kept)
    with_mia.forget(speaker="Mia")
    for question in ("apple of Porto", "who likes apples", "Faro", "Mia", "Ada"):
        found, expected = with_mia.read(question, k=20), without.read(question, k=20)
        assert [(r.note.text, r.score, dict(r.why.votes)) for r in found] == [
            (r.note.text, r.score, dict(r.why.votes)) for r in expected
        ]
    assert [note.previous for note in with_mia.notes()] == [note.previous for note in without.notes()]


@pytest.mark.sqlite
def test_ten_thousand_notes_go_in_one_transaction(memory: Memories) -> None:
    ada = memory()
    ada.write_many([{"text": f"note {n} of Mia", "speaker": "Mia", "thread": "t"} for n in range(10_000)])
    kept = ada.write("of Ada", speaker="Ada", thread="t")
    begun = time.perf_counter()
    receipt = ada.forget(speaker="Mia")
    assert time.perf_counter() - begun < 20, "seconds; it takes two on two old cores"
    assert len(receipt.notes) == 10_000
    assert [note.id for note in ada.notes()] == [kept.id]
    assert ada.notes()[0].previous == ""
