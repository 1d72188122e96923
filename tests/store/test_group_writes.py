"""Writes of many threads are committed in groups: each gets its own answer, and all that was acknowledged is there."""

import threading
from collections.abc import Callable, Sequence

import pytest
from factories import HashEmbedder, Memories, PatternExtractor, disagreements  # type: ignore[import-not-found]

from tercet.sdk import Memory
from tercet.store.errors import KeyReused
from tercet.store.form import Vector
from tercet.store.note import Note, Triplet


def together(works: Sequence[Callable[[], object]]) -> list[object]:
    """Begins all at the same moment; returns what each returned or raised."""
    answers: list[object] = [None] * len(works)
    begin = threading.Barrier(len(works))

    def run(place: int) -> None:
        begin.wait()
        try:
            answers[place] = works[place]()
        except Exception as error:  # noqa: BLE001  (the test looks at it)
            answers[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)
    return answers


def test_every_thread_gets_its_own_notes(memory: Memories) -> None:
    ada = memory()

    def writing(name: int) -> Callable[[], list[Note]]:
        return lambda: [
            note
            for turn in range(10)
            for note in ada.write_many(
                [{"text": f"by {name} turn {turn} part {part}", "thread": f"t{name}"} for part in range(1 + turn % 3)]
            )
        ]

    answers = together([writing(name) for name in range(12)])
    for name, notes in enumerate(answers):
        assert isinstance(notes, list)
        assert [note.text.split()[1] for note in notes] == [str(name)] * 19
        assert [note.position for note in notes] == list(range(19))
        assert [note.previous for note in notes] == ["", *(note.text for note in notes[:-1])]
        assert all(ada.get(note.id) == note for note in notes)
    assert ada.stats().notes == ada.stats().change == 12 * 19
    assert disagreements(ada._store) == []


def test_a_mistake_of_one_is_the_error_of_one(memory: Memories) -> None:
    ada = memory()
    ada.write("taken", key="taken")

    def good(name: str) -> Callable[[], object]:
        return lambda: [ada.write(f"{name} {turn}", thread="t", key=f"{name} {turn}") for turn in range(8)]

    def bad() -> object:
        return [_error(lambda: ada.write_many(["never", {"text": "other words", "key": "taken"}])) for _ in range(8)]

    answers = together([work for n in range(5) for work in (good(f"good{n}"), bad)])
    for place, answer in enumerate(answers):
        assert isinstance(answer, list)
        kind = KeyReused if place % 2 else Note
        assert [type(one) for one in answer] == [kind] * 8
    assert ada.stats().notes == 1 + 5 * 8
    assert [note.position for note in reversed(ada.notes(thread="t", limit=1000))] == list(range(40))
    assert disagreements(ada._store) == []


def _error(work: Callable[[], object]) -> object:
    try:
        return work()
    except Exception as error:  # noqa: BLE001  (the test looks at it)
        return error


class Choosy:
    """An extractor of somebody else's, with a mistake in it."""

    name = "choosy"
    _good = PatternExtractor()

    def triplets(self, note: Note) -> list[Triplet]:
        if "poison" in note.text:
            raise ZeroDivisionError(note.text)
        found: list[Triplet] = self._good.triplets(note)
        return found

    def entities(self, note: Note) -> list[str]:
        found: list[str] = self._good.entities(note)
        return found

    def entities_of(self, question: str) -> list[str]:
        return []


def test_an_extractor_that_breaks_on_one_note_breaks_no_other(memory: Memories) -> None:
    ada = memory(extractor=Choosy())

    def writing(text: str) -> Callable[[], object]:
        return lambda: [_error(lambda: ada.write(text)) for _ in range(8)]

    answers = together([writing(text) for text in ("apple", "poison", "pear", "plum", "poison")])
    for text, answer in zip(("apple", "poison", "pear", "plum", "poison"), answers, strict=True):
        assert isinstance(answer, list)
        assert [type(one) for one in answer] == [ZeroDivisionError if text == "poison" else Note] * 8
    assert ada.stats().notes == 24
    assert disagreements(ada._store) == []


class Slow:
    """An embedder that counts how many of its calls ran inside the writer's lock of another thread."""

    name, dimensions = "hash", 48

    def __init__(self) -> None:
        self.memory: Memory | None = None
        self.inside = 0

    def embed(self, texts: Sequence[str]) -> Vector:
        if self.memory and getattr(self.memory._store.database._current, "connection", None) is not None:
            self.inside += 1
        vectors: Vector = HashEmbedder().embed(texts)
        return vectors


def test_no_model_runs_while_others_wait(memory: Memories) -> None:
    embedder = Slow()
    embedder.memory = ada = memory(embedder=embedder)
    answers = together([lambda: [ada.write(f"turn {turn}") for turn in range(5)]] * 8)
    assert all(isinstance(answer, list) for answer in answers)
    note = ada.notes()[0]
    ada.revise(note.id, "other words")
    ada.rebuild()
    assert embedder.inside == 0


def test_reads_and_forgets_go_on_meanwhile(memory: Memories) -> None:
    ada = memory()
    kept = ada.write("apple that stays")

    def writing() -> object:
        return [ada.write(f"apple {turn}").id for turn in range(15)]

    def forgetting() -> object:
        return [ada.forget(ada.write(f"secret apple {turn}").id).change for turn in range(8)]

    def reading() -> object:
        found = [ada.read("apple", k=100) for _ in range(15)]
        assert all(kept in recall.notes for recall in found)
        return [len(recall) for recall in found]

    answers = together([writing, forgetting, reading, writing, forgetting, reading])
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert ada.stats().notes == 31
    assert "secret" not in " ".join(note.text for note in ada.read("secret apple", k=100).notes)
    assert disagreements(ada._store) == []


@pytest.mark.parametrize("verb", ["write", "read"])
def test_a_closed_handle_leaves_no_thread_behind(memory: Memories, verb: str) -> None:
    before = threading.active_count()
    ada = memory()
    ada.write("apple")
    getattr(ada, verb)("apple")
    ada.close()
    assert threading.active_count() == before
