"""What every form promises, tested on all of them alike."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import HashEmbedder, HashEncoder, Memories, PatternExtractor, disagreements  # type: ignore[import-not-found]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tercet.sdk import Memory
from tercet.store.draft import checked_draft
from tercet.store.form import Among, Cue, Form, Hit
from tercet.store.note import Note
from tercet.store.schema import note
from tercet.store.selection import Chosen
from tercet.store.store import Store

NAMES = ("words", "vectors", "triplets", "graph", "keys-values")
VOCABULARY = "Ada Mia Ben Lisbon Porto lives likes knows apple pear river where does the in café 日本 42".split()
TURNS: list[tuple[str, dict[str, Any]]] = [
    ("Ada lives in Lisbon", {"thread": "a", "speaker": "Ada", "happened": "2024-03-09"}),
    ("Mia knows Ada and likes apple", {"thread": "a", "speaker": "Mia"}),
    ("Where does the river go?", {"thread": "a", "speaker": "Ada"}),
    ("Ben lives in Porto, Ada knows Ben", {"thread": "b", "speaker": "Ben"}),
    ("Ben likes pear", {"thread": "b", "facts": [("Ben", "brother of", "Mia"), ("Ben", "lives in", "Porto")]}),
    ("the café by the river is in 日本", {}),
    ("Ada lives in Lisbon", {"thread": "b"}),  # the same words again: forms must break the tie
    ("Ada lives in Lisbon", {}),
    ("apple apple apple pear 42", {"facts": [("apple", "is", f"fruit {n}") for n in range(30)]}),
    ("Mia Hartmann lives in Porto", {"speaker": "Mia"}),
    ("nothing that anyone asks for", {"scope": "ada/work"}),
    ("Ada knows Mia; Mia knows Ben; Ben knows Lisbon", {"facts": [("Ada", "knows", "Ada"), ("Mia", "knows", "Ben")]}),
]


class World:
    """A store with notes, and one form of it that the test fills and empties."""

    def __init__(self, place: Path | str, name: str) -> None:
        self.store = Store(place, embedder=HashEmbedder(), extractor=PatternExtractor())
        drafts = [checked_draft(text, **{"scope": "ada", **values}) for text, values in TURNS]
        self.notes = self.store.write(drafts)
        kept: dict[str, Form] = {form.name: form for form in self.store.forms}
        self.form: Form = kept.get(name) or self.store.keys_values(HashEncoder())
        assert self.form.name == name
        self.add(self.notes)

    def add(self, notes: Sequence[Note]) -> None:
        with self.store.database.writing():
            self.form.add(notes)

    def remove(self, ids: Collection[str]) -> None:
        with self.store.database.writing():
            self.form.remove(ids)

    def clear(self) -> None:
        with self.store.database.writing():
            self.form.clear()

    def search(
        self, question: str, k: int = 100, nums: Collection[int] | None = None, *, prior: bool = True
    ) -> list[Hit]:
        assert self.store.vectors
        allowed = sorted({item.num for item in self.notes} if nums is None else nums)
        among = Among((note.c.num.in_(allowed),), lambda: np.array(allowed, np.int64), object())
        words = question.casefold().split()
        cue = Cue(
            question,
            self.store.vectors.embed(question),
            prior=self._prior(words) if prior else {},
            seeds=dict.fromkeys(words, 1.0),
        )
        return self.form.search(cue, k, among)

    def _prior(self, words: Collection[str]) -> dict[int, float]:
        return {item.num: 1 / item.num for item in self.notes if set(words) & set(item.text.casefold().split())}

    def everything(self) -> tuple[int, list[list[Hit]]]:
        """All that can be seen of the form, to compare exactly."""
        return self.form.count(), [self.search(word) for word in [*VOCABULARY, "Where does Ada live?", "Mia Hartmann"]]


@pytest.fixture(params=NAMES)
def world(request: pytest.FixtureRequest, memory: Memories) -> Iterator[World]:
    made = World(memory.place("store"), request.param)
    yield made
    made.store.close()


def test_what_is_added_is_found(world: World) -> None:
    assert world.form.count() > 0
    assert world.search("Ada lives in Lisbon")[0].num in {world.notes[place].num for place in (0, 6, 7, 11)}


def test_adding_twice_changes_nothing(world: World) -> None:
    before = world.everything()
    world.add(world.notes)
    world.add(world.notes[3:7])
    assert world.everything() == before


def test_the_order_of_adding_changes_nothing(world: World) -> None:
    before = world.everything()
    world.clear()
    for item in reversed(world.notes):
        world.add([item])
    assert world.everything() == before


def test_removing_what_is_not_there_changes_nothing(world: World) -> None:
    before = world.everything()
    world.remove(["0" * 16, "", "no id", "'; DROP TABLE note; --", "日本"])
    world.remove([])
    assert world.everything() == before


def test_removing_twice_is_removing_once(world: World) -> None:
    world.remove([world.notes[1].id])
    before = world.everything()
    world.remove([world.notes[1].id, "0" * 16])
    assert world.everything() == before


def test_an_emptied_form_finds_nothing(world: World) -> None:
    world.clear()
    assert world.form.count() == 0
    # without a prior, which the graph passes on, and without what words look for in the notes themselves
    assert [hits for word in set(VOCABULARY) - {"日本"} if (hits := world.search(word, prior=False))] == []


def test_emptied_and_filled_again_it_is_the_same(world: World) -> None:
    before = world.everything()
    world.clear()
    world.add(world.notes)
    assert world.everything() == before


@pytest.mark.parametrize("gone", [[0], [1], [3, 4], [6, 7], [8], [11], [0, 1, 2, 6, 7]], ids=str)
def test_removing_is_never_having_added(world: World, gone: list[int]) -> None:
    victims = {world.notes[place].id for place in gone}
    left = [item for item in world.notes if item.id not in victims]
    world.remove(victims)
    world.notes = left
    after = world.everything()
    world.clear()
    world.add(left)
    assert after == world.everything()


def test_nothing_is_found_among_nothing(world: World) -> None:
    assert [world.search(word, nums=[]) for word in VOCABULARY] == [[]] * len(VOCABULARY)


@pytest.mark.parametrize("k", [0, -1])
def test_no_hits_are_asked_for(world: World, k: int) -> None:
    assert world.search("Ada lives in Lisbon", k) == []


def test_odd_questions_are_no_syntax(world: World) -> None:
    for question in ("", " ", "?!", "🎉", '"', "NEAR(", "a OR b", "-", "*", "'; DROP TABLE note", "x" * 5000):
        assert {hit.num for hit in world.search(question)} <= {item.num for item in world.notes}


def test_applied_follows_the_changes_of_the_store(world: World) -> None:
    written = world.store.write([checked_draft("Ada likes rivers", scope="ada")])[0]
    assert world.form.applied() == written.num
    revised = world.store.revise(written, checked_draft("Ada likes lakes", scope="ada"))
    assert world.form.applied() == revised.num
    undone = world.store.undo(world.store.notes.changes.get(revised.num, "ada"))
    assert undone
    assert world.form.applied() == undone.num
    gone = world.store.forget(Chosen("ada", (undone.id,)))
    assert world.form.applied() == gone.change == world.store.notes.changes.last()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_hits_are_among_the_admitted_ordered_and_at_most_k(world: World, data: st.DataObject) -> None:
    words = data.draw(st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=4))
    nums = data.draw(st.sets(st.sampled_from([item.num for item in world.notes])))
    k = data.draw(st.integers(1, 8))
    hits = world.search(" ".join(words), k, nums)
    assert len(hits) <= k
    assert {hit.num for hit in hits} <= nums
    assert len({hit.num for hit in hits}) == len(hits)
    assert hits == sorted(hits, key=lambda hit: (-hit.score, hit.num))
    assert all(np.isfinite(hit.score) for hit in hits)
    assert hits == world.search(" ".join(words), 100, nums)[:k], "fewer hits are the first of more"


def test_a_note_with_many_facts_does_not_crowd_out_the_others(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", embedder=None, extractor=None)
    store.write([checked_draft("many", scope="ada", facts=[("Ada", "likes", f"thing {n}") for n in range(200)])])
    store.write([checked_draft(f"one {n}", scope="ada", facts=[("Ada", "likes", f"fruit {n}")]) for n in range(5)])
    among = Among((), lambda: np.arange(1, 7), "all")
    assert len(store.triplets.search(Cue("Ada likes"), 5, among)) == 5
    store.close()


# the same for a whole memory: what was forgotten has never been written

QUESTIONS = ["Where does Ada live?", "Who likes apple?", "Ben", "the river", "Mia Hartmann knows", "pear 42", "Lisbon"]
Story = Callable[[Memory, bool], None]


def _middle_of_a_thread(memory: Memory, told: bool) -> None:
    for place, (text, values) in enumerate(TURNS):
        if place != 1:
            memory.write(text, **values)
        elif told:
            victim = memory.write("Mia keeps a secret: apple Lisbon river", thread="a", speaker="Mia")
    if told:
        memory.forget(victim.id)


def _revised_before_it_was_forgotten(memory: Memory, told: bool) -> None:
    victim = memory.write("Ada likes pear", thread="a", facts=[("Ada", "likes", "pear")]) if told else None
    for text, values in TURNS[:6]:
        memory.write(text, **values)
    if victim:
        victim = memory.revise(victim.id, "Ada likes apple", facts=[("Ada", "likes", "apple")])
        memory.undo(victim.change)
        memory.forget(victim.id)


def _neighbours_in_a_thread(memory: Memory, told: bool) -> None:
    victims = []
    for place, (text, _) in enumerate(TURNS):
        memory.write(text, thread="one")
        if told and place in (2, 3, 4):
            victims += [memory.write(f"hidden Ada {n} pear", thread="one").id for n in range(2)]
    if told:
        memory.forget(victims[1], victims[0])
        memory.forget(*victims[2:])


def _end_of_a_thread(memory: Memory, told: bool) -> None:
    memory.write("Ada lives in Lisbon", thread="one")
    if told:
        memory.forget(memory.write("Ben lives in Porto", thread="one").id)
    memory.write("Mia likes apple", thread="one")


def _what_superseded_a_fact(memory: Memory, told: bool) -> None:
    memory.write("a", facts=[("Ada", "lives in", "Lisbon")], happened="2024-01-01")
    if told:
        memory.forget(memory.write("b", facts=[("Ada", "lives in", "Porto")], happened="2024-06-01").id)
    memory.write("c", facts=[("Mia", "lives in", "Faro")])


@pytest.mark.parametrize(
    "story",
    [
        _middle_of_a_thread,
        _revised_before_it_was_forgotten,
        _neighbours_in_a_thread,
        _end_of_a_thread,
        _what_superseded_a_fact,
    ],
)
@pytest.mark.parametrize("erase", [False, True], ids=["forgotten", "reopened"])
def test_forgotten_is_never_written(memory: Memories, story: Story, erase: bool) -> None:
    seen = []
    for told in (True, False):
        with memory(folder=f"told-{told}") as one:
            story(one, told)
            if not erase:
                seen.append(_seen(one))
        if erase:  # also through a handle that never knew the note
            with memory(folder=f"told-{told}") as one:
                seen.append(_seen(one))
                assert disagreements(one._store) == []
    assert seen[0] == seen[1]


def _seen(memory: Memory) -> object:
    """All that a memory shows, but for ids, numbers and times of writing."""
    notes = [(n.text, n.thread, n.previous, n.speaker) for n in memory.notes(limit=1000)]
    reads = [
        [(one.note.text, one.score, dict(one.why.votes), one.why.path) for one in memory.read(question, k=20)]
        for question in QUESTIONS
    ]
    facts = [(f.subject, f.relation, f.object, f.superseded, len(f.notes)) for f in memory.facts(superseded=True)]
    held = {name: state.count for name, state in memory.stats().forms.items()}
    return notes, reads, facts, held
