"""Frequent words find no notes where rarer ones do, but count in those that are found."""

from collections.abc import Sequence
from random import Random

import pytest
from factories import Memories  # type: ignore[import-not-found]

from tercet.sdk import Memory
from tercet.store import fulltext
from tercet.store.form import Cue, Hit
from tercet.store.occurrences import Occurrences, Word
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


@pytest.mark.parametrize("seed", range(4))
def test_rows_out_of_reach_are_none_of_the_best(memory: Memories, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    drawn, words = Random(seed), [f"word{chr(97 + rank)}" for rank in range(20)]
    often = [1 / (1 + rank) for rank in range(20)]
    made: Memory = memory("ada", embedder=None, extractor=None)
    made.write_many([" ".join(drawn.choices(words, often, k=drawn.randint(3, 12))) for _ in range(400)])
    narrowed: list[int] = []
    own = fulltext._within_reach

    def counted(words: Sequence[Word], nums: fulltext.Numbers, held: Occurrences, k: int) -> fulltext.Numbers:
        near = own(words, nums, held, k)
        narrowed.append(len(nums) - len(near))
        return near

    for _ in range(10):
        asked, k = " ".join(drawn.choices(words, k=6)), drawn.choice((1, 5, 20))
        monkeypatch.setattr(fulltext, "_within_reach", counted)
        monkeypatch.setattr(fulltext, "_MANY", 1)
        found = searched(made, asked, k=k)
        monkeypatch.setattr(fulltext, "_within_reach", lambda words, nums, held, k: nums)
        assert found == searched(made, asked, k=k)
    assert sum(narrowed) > 400, "nothing was left out, so nothing was tried"
