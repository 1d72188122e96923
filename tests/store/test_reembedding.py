"""Moving to another embedder: the old vectors serve until the new ones are all there; nothing is lost on the way."""

import threading
from pathlib import Path

import pytest
from factories import HashEmbedder, Memories, PatternExtractor, disagreements  # type: ignore[import-not-found]

from tercet.sdk import Memory
from tercet.store.errors import FormMismatch
from tercet.store.form import Vector
from tercet.store.reembedding import embed_with

TEXTS = [f"number {i} likes {'tea' if i % 2 else 'coffee'} on day {i % 7}" for i in range(600)]


class Wider(HashEmbedder):  # type: ignore[misc]
    """Another embedder; it may be told to do something before it embeds for the nth time."""

    def __init__(self) -> None:
        super().__init__(dimensions=64, name="wider")
        self.calls = 0
        self.interrupt: dict[int, object] = {}

    def embed(self, texts: list[str]) -> Vector:
        self.calls += 1
        if callable(action := self.interrupt.get(self.calls)):
            action()
        found: Vector = super().embed(texts)
        return found


def opened(folder: Path, embedder: HashEmbedder) -> Memory:
    return Memory(folder, scope="ada", embedder=embedder, extractor=PatternExtractor())


def answers(memory: Memory) -> list[list[tuple[str, float]]]:
    questions = ("who likes coffee", "number 17", "day 3 tea")
    return [[(one.note.text, one.score) for one in memory.read(question, k=5)] for question in questions]


def test_after_the_move_reads_are_those_of_a_store_made_with_the_new_embedder(memory: Memories, tmp_path: Path) -> None:
    ada, fresh = memory(), opened(tmp_path / "fresh", Wider())
    for each in (ada, fresh):
        each.write_many(TEXTS)
    told: list[int] = []
    embed_with(ada._store, Wider(), progressed=told.append)
    assert sum(told) == len(TEXTS)
    assert answers(ada) == answers(fresh)
    assert disagreements(ada._store) == []
    with ada._store.database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM next_embedding").scalar() == 0
    ada.write("written after the move, number 9999")
    assert ada.read("9999", k=1)[0].note.text.endswith("9999")
    again = Wider()
    embed_with(ada._store, again)
    assert again.calls == 0


def test_reads_and_writes_and_forgets_go_on_meanwhile(memory: Memories) -> None:
    ada, new = memory(), Wider()
    notes = ada.write_many(TEXTS)
    before = answers(ada)
    seen: list[object] = []

    def meanwhile() -> None:
        other = threading.Thread(
            target=lambda: seen.extend((answers(ada), ada.write("late, number 777"), ada.forget(notes[1].id)))
        )
        other.start()
        other.join()

    new.interrupt[2] = meanwhile
    embed_with(ada._store, new)
    assert seen[0] == before
    assert disagreements(ada._store) == []
    assert ada.read("777", k=1)[0].note.text == "late, number 777"
    assert notes[1].id not in {one.note.id for one in ada.read(TEXTS[1], k=20)}


def test_an_interrupted_move_goes_on_where_it_stopped(memory: Memories) -> None:
    ada, new = memory(), Wider()
    ada.write_many(TEXTS)
    before = answers(ada)

    def power_cut() -> None:
        raise OSError("the power went")

    new.interrupt[2] = power_cut
    with pytest.raises(OSError, match="the power went"):
        embed_with(ada._store, new)
    assert answers(ada) == before
    told: list[int] = []
    embed_with(ada._store, Wider(), progressed=told.append)
    assert 0 < sum(told) < len(TEXTS)
    assert disagreements(ada._store) == []


def test_a_handle_of_the_old_embedder_says_so_and_writes_nothing(memory: Memories) -> None:
    ada, other = memory(), memory()
    ada.write_many(TEXTS[:10])
    embed_with(ada._store, Wider())
    with pytest.raises(FormMismatch, match="wider/64"):
        other.read("tea")
    with pytest.raises(FormMismatch, match="wider/64"):
        other.write("too late")
    assert ada.stats().notes == 10
    with pytest.raises(FormMismatch, match="wider/64"):
        memory()
