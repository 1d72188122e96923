"""Frequent words find no notes where rarer ones do, but count in those that are found."""

import pytest
from factories import Memories  # type: ignore[import-not-found]

from tercet.sdk import Memory
from tercet.store import fulltext
from tercet.store.form import Cue, Hit
from tercet.store.selection import Filter


@pytest.fixture
def ada(memory: Memories) -> Memory:
    made: Memory = memory("ada", embedder=None, extractor=None)
    made.write_many([f"the harbour lies still, day {place}" for place in range(60)])
    made.write_many([f"a lantern hangs there, night {place}" for place in range(4)])
    made.write("a lantern hangs in the harbour")
    return made


def searched(memory: Memory, question: str, k: int = 100) -> list[Hit]:
    store = memory._store
    with store.database.reading():
        return store.words.search(Cue(question), k, store.notes.among(Filter("ada")))


@pytest.fixture
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fulltext, "_LEAST", 3)
    monkeypatch.setattr(fulltext, "_ENOUGH", 8)
    monkeypatch.setattr(fulltext, "_MOST", 20)


@pytest.mark.usefixtures("_few")
def test_what_is_found_has_the_score_that_all_words_give_it(ada: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    found = searched(ada, "harbour lantern", k=5)
    monkeypatch.setattr(fulltext, "_ENOUGH", 1_000)
    every = searched(ada, "harbour lantern")
    assert len(every) == 65
    assert [hit.num for hit in found] == [hit.num for hit in every[:5]]
    assert [hit.score for hit in found] == pytest.approx([hit.score for hit in every[:5]])
    assert searched(ada, "harbour lantern", k=2) == every[:2]


@pytest.mark.usefixtures("_few")
def test_where_rare_words_find_too_few_the_others_find_too(ada: Memory) -> None:
    assert len(searched(ada, "harbour lantern", k=6)) == 6


@pytest.mark.usefixtures("_few")
def test_a_frequent_word_alone_is_looked_up(ada: Memory) -> None:
    assert len(searched(ada, "harbour")) == 61
    assert len(searched(ada, "harbour zanzibar")) == 61, "a word that nobody said is no reason to leave out the others"


@pytest.mark.usefixtures("_few")
def test_words_are_counted_by_their_stem(ada: Memory) -> None:
    index = ada._store.words.index
    assert isinstance(index, fulltext.FullText)
    assert index.rarest(["harbours", "lanterns", "zanzibar"]) == ["zanzibar", "lanterns"]
    assert index.rarest(["still", "day"]) == ["still"]


def test_what_nobody_here_may_see_takes_nothing_away(memory: Memories, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fulltext, "_LEAST", 1)
    monkeypatch.setattr(fulltext, "_ENOUGH", 8)
    monkeypatch.setattr(fulltext, "_MOST", 20)
    ada, bob = (memory(scope, embedder=None, extractor=None) for scope in ("ada", "bob"))
    mine = ada.write("The garden party is on Friday.", facts=[("party", "is in", "the garden")])
    bob.write_many([{"text": f"garden {place}", "facts": [("bob", "has", f"garden {place}")]} for place in range(30)])
    for text in ("a zebra", "Zebras."):
        bob.write(text, facts=[("bob", "saw", "a zebra")])
        assert [hit.num for hit in searched(ada, "garden zebra")] == [mine.num]
        assert [note.id for note in ada.read("garden zebra", by=["triplets"]).notes] == [mine.id]
    zebra = ada.write("a zebra in the zoo")
    ada.quarantine(zebra.id)
    assert [hit.num for hit in searched(ada, "garden zebra")] == [mine.num]
