"""The index over the vectors follows the rows, whoever wrote them and however old a reader's view is."""

import threading
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import pytest
from factories import HashEmbedder, Memories, disagreements  # type: ignore[import-not-found]
from sqlalchemy import Connection

from tercet.sdk import Memory
from tercet.store.errors import FormMismatch, InvalidInput
from tercet.store.form import Among, Cue, Vector
from tercet.store.selection import Filter


def found(memory: Memory, question: str, scope: str = "ada") -> list[int]:
    store = memory._store
    assert store.vectors
    with store.database.reading():
        cue = Cue(question, store.vectors.embed(question))
        return [hit.num for hit in store.vectors.search(cue, 100, store.notes.among(Filter(scope)))]


class OlderView(threading.Thread):
    """A reader that took its view of the store before something happened, and searches after it."""

    def __init__(self, memory: Memory, question: str) -> None:
        super().__init__()
        self._memory, self._question = memory, question
        self._ready, self._go = threading.Event(), threading.Event()
        self.found: list[int] = []
        self.start()
        self._ready.wait()

    def run(self) -> None:
        with self._memory._store.database.reading() as connection:
            self._begin(connection)
            self._ready.set()
            self._go.wait()
            self.found = found(self._memory, self._question)

    def search(self) -> list[int]:
        self._go.set()
        self.join()
        return self.found

    @staticmethod
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("SELECT count(*) FROM note").all()  # SQLite takes the view at the first read


def test_a_reader_with_an_older_view_does_not_put_notes_into_the_index_twice(memory: Memories) -> None:
    ada = memory()
    first = ada.write("one apple").num
    older = OlderView(ada, "apple")
    second = ada.write("two apple").num
    assert found(ada, "apple") == [first, second]
    assert older.search() == [first]
    assert found(ada, "apple") == [first, second]


def test_an_index_ahead_of_the_view_shows_nothing_of_another_scope(memory: Memories) -> None:
    ada, bob = memory("ada"), memory("bob")
    first, second = ada.write("one apple"), ada.write("two apple")
    older = OlderView(ada, "apple")
    ada.forget(first.id)
    bob.write("apple of bob")  # as many vectors as the older view has notes
    assert found(ada, "apple") == [second.num]
    assert older.search() == [second.num]


def test_another_handle_forgets_and_the_index_follows(memory: Memories) -> None:
    one, other = memory(), memory()
    item = one.write("one apple")
    assert found(other, "apple") == [item.num]
    one.forget(item.id)
    assert found(other, "apple") == []
    assert found(other, "apple") == []


def test_what_a_handle_without_an_embedder_wrote_is_embedded_by_the_next_one(memory: Memories) -> None:
    with_vectors, without = memory(), memory(embedder=None)
    first = without.write("apple by the handle without")
    assert found(with_vectors, "apple") == []
    second = with_vectors.write("another apple")
    assert set(found(with_vectors, "apple")) == {first.num, second.num}
    assert disagreements(with_vectors._store) == []


def test_as_many_vectors_as_admitted_notes_is_no_reason_to_admit_others(memory: Memories) -> None:
    ada, bob = memory("ada"), memory("bob", embedder=None)
    mine = [ada.write(f"apple {place}").num for place in range(3)]
    theirs = [bob.write(f"apple of bob {place}").num for place in range(3)]  # without vectors
    assert found(ada, "apple", "bob") == []
    assert sorted(found(ada, "apple", "ada")) == mine
    assert not set(theirs) & set(mine)


def test_opening_adds_the_vectors_that_are_missing(memory: Memories) -> None:
    item = memory(embedder=None).write("apple")
    assert found(memory(), "apple") == [item.num]


def test_another_embedder_is_refused_by_name_and_by_length(memory: Memories) -> None:
    memory().write("apple")
    for other in (HashEmbedder(name="other"), HashEmbedder(dimensions=32)):
        with pytest.raises(FormMismatch, match="hash/48"):
            memory(embedder=other)
    memory(embedder=None).read("apple")


def test_many_equal_vectors_come_in_the_order_of_their_numbers(memory: Memories) -> None:
    ada = memory()
    notes = ada.write_many(["the same words"] * 300)
    store = ada._store
    assert store.vectors
    among = Among((), lambda: np.array([item.num for item in notes]), "all")
    for k in (1, 5, 299, 300):
        hits = store.vectors.search(Cue("same", store.vectors.embed("other")), k, among)
        assert [hit.num for hit in hits] == [item.num for item in notes[:k]]


@pytest.mark.parametrize("k", [1, 3, 20])
def test_the_nearest_are_the_nearest_however_few_may_be_seen(memory: Memories, k: int) -> None:
    ada = memory("everyone")
    random = np.random.default_rng(0)
    words = [" ".join(random.choice(list("abcdefghijklmnop"), 4)) for _ in range(600)]
    few = [ada.write(text, scope="everyone/few") for text in words[:6]]
    some = ada.write_many([{"text": text, "scope": "everyone/some"} for text in words[6:60]])
    most = ada.write_many([{"text": text, "scope": "everyone/most"} for text in words[60:]])
    store = ada._store
    assert store.vectors
    asked = store.vectors.embed("a b c d")
    vectors = HashEmbedder().embed([item.text for item in (*few, *some, *most)]).astype(np.float16).astype(np.float32)
    scores = dict(zip([item.num for item in (*few, *some, *most)], vectors @ asked, strict=True))
    for scope, notes in (("few", few), ("some", some), ("most", most)):
        with store.database.reading():
            hits = store.vectors.search(Cue("a", asked), k, store.notes.among(Filter(f"everyone/{scope}")))
        wanted = sorted((-scores[item.num], item.num) for item in notes)[:k]
        assert [hit.num for hit in hits] == [num for _, num in wanted]


class Broken:
    """Answers well until it is told to answer something else."""

    name, dimensions = "hash", 48

    def __init__(self) -> None:
        self.answer: Vector | None = None

    def embed(self, texts: Sequence[str]) -> Vector:
        good: Vector = HashEmbedder().embed(texts)
        return good if self.answer is None else self.answer


@pytest.mark.parametrize(
    "answer",
    [
        np.full((1, 48), np.nan, np.float32),
        np.full((1, 48), np.inf, np.float32),
        np.ones((1, 47), np.float32),
        np.ones((2, 48), np.float32),
        np.ones(48, np.float32),
    ],
    ids=["nan", "infinite", "short", "two for one", "flat"],
)
def test_a_malformed_vector_is_refused_and_nothing_is_written(memory: Memories, answer: Vector) -> None:
    embedder = Broken()
    ada = memory(embedder=embedder)
    kept = ada.write("one apple")
    embedder.answer = answer
    with pytest.raises(InvalidInput, match="embedder 'hash' returned"):
        ada.write("two apple")
    with pytest.raises(InvalidInput, match="embedder 'hash' returned"):
        ada.read("apple")
    with pytest.raises(InvalidInput, match="embedder 'hash' returned"):
        ada.revise(kept.id, "three apple")
    embedder.answer = None
    assert [item.text for item in ada.notes()] == ["one apple"]
    assert found(ada, "apple") == [kept.num]
    assert disagreements(ada._store) == []


@pytest.mark.parametrize("before", [False, True])
def test_what_a_write_took_back_is_not_in_the_index(memory: Memories, before: bool) -> None:
    ada = memory()
    kept = ada.write("one apple")
    if before:
        assert found(ada, "apple") == [kept.num]
    with suppress(ZeroDivisionError), ada._store.changing():
        ada.write("two apple")
        assert len(found(ada, "apple")) == 2
        ada.forget(kept.id)
        assert len(found(ada, "apple")) == 1
        raise ZeroDivisionError
    ada.write_many(["a pear", "a plum"])  # take the numbers of what was taken back
    fresh = memory()
    for question in ("apple", "two", "pear plum"):
        one, other = (each.read(question, by=["vectors"]) for each in (ada, fresh))
        assert [(hit.note.id, hit.score) for hit in one] == [(hit.note.id, hit.score) for hit in other]


def test_a_rebuild_makes_the_vectors_anew(memory: Memories) -> None:
    ada = memory()
    items = ada.write_many(["one apple", "two pears"])
    before = found(ada, "apple pears")
    with ada._store.database.writing() as connection:  # a damage that only a rebuild mends
        connection.exec_driver_sql("UPDATE embedding SET vector = zeroblob(192)")
    fresh = memory()
    fresh.rebuild(forms=["vectors"])
    assert found(fresh, "apple pears") == before == [item.num for item in items]


class _Counting(HashEmbedder):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vector:
        self.asked += texts
        vectors: Vector = super().embed(texts)
        return vectors


def test_a_question_that_is_asked_again_is_not_embedded_again(memory: Memories) -> None:
    embedder = _Counting()
    ada = memory(embedder=embedder)
    ada.write_many(["Ada lives in Porto.", "Bob likes figs."])
    embedder.asked.clear()
    first, again = ada.read("Who lives in Porto?"), ada.read("Who lives in Porto?")
    assert [(one.note.id, one.score) for one in first] == [(one.note.id, one.score) for one in again]
    assert embedder.asked == ["Who lives in Porto?"]
    ada.read("Who likes figs?")
    assert embedder.asked == ["Who lives in Porto?", "Who likes figs?"]
    assert ada._store.vectors
    ada._store.vectors.embed("Who likes figs?")[:] = 0  # a caller's copy
    assert ada._store.vectors.embed("Who likes figs?").any()
