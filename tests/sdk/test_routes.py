"""How a read joins its forms: links and likeness multiply, facts count as their notes fit, stories end last."""

from factories import Memories  # type: ignore[import-not-found]

from tercet.sdk.dialogue_rank import later_first, spoken
from tercet.store.form import Cue
from tercet.store.notes import Turn
from tercet.store.selection import Filter

MARY = "Mary went to the kitchen."
LINES = ["John went to the garden.", MARY, "John went to the garden.", MARY]
TURN = Turn(None, ("a", ""), "Ada", asks=False, words=5)


def test_of_two_lines_of_a_story_that_say_the_same_the_later_one_comes_first(memory: Memories) -> None:
    story = memory("story")
    notes = story.write_many([{"text": text, "thread": "story"} for text in LINES])
    assert [one.note.id for one in story.read("Where is Mary?", k=2)] == [notes[3].id, notes[1].id]


def test_outside_of_stories_they_come_in_the_order_in_which_they_were_written(memory: Memories) -> None:
    ada = memory("ada")
    notes = ada.write_many([*LINES[:2], MARY])
    assert [one.note.id for one in ada.read("Where is Mary?", k=2)] == [notes[1].id, notes[2].id]


def test_what_is_linked_is_found_without_a_shared_word(memory: Memories) -> None:
    ada = memory("ada")
    ada.write_many([f"A daughter may work in town {n}." for n in range(20)])
    ada.write("Mia is the daughter.", facts=[("Mia", "daughter of", "Ada")])
    ada.write("She bakes there.", facts=[("Mia", "works at", "Crumb")])
    where = ada.write("It stands by the river.", facts=[("Crumb", "located in", "Porto")])
    found = ada.read("In which town does Ada's daughter work?", k=8).notes
    assert where in found


def test_a_fact_seeds_the_links_as_much_as_its_note_fits(memory: Memories) -> None:
    ada = memory("ada")
    ada.write("The old harbour pilot Rui retired in Lisbon.", facts=[("Rui", "lives in", "Lisbon")])
    ada.write("Unrelated: prices, lists and other numbers.", facts=[("Ivo", "lives in", "Oslo")])
    rui = ada.write("He fishes.", facts=[("Rui", "fishes on", "Sunday")])
    ivo = ada.write("He skis.", facts=[("Ivo", "skis on", "Monday")])
    found = ada.read("Where lives the old harbour pilot who retired?", k=4).notes
    assert found.index(rui) < found.index(ivo)


def test_every_triplet_of_a_note_can_match_and_a_search_names_each_note_once(memory: Memories) -> None:
    ada = memory("ada")
    ada.write("Two facts.", facts=[("Mia", "lives in", "Porto"), ("Mia", "works in", "Porto")])
    ada.write("One fact.", facts=[("Ben", "lives in", "Porto")])
    store = ada._store
    among = store.notes.among(Filter("ada"))
    matching = store.triplets.matching(Cue("Who is in Porto?"), 10, among)
    assert len(matching) == 3, "of two notes"
    assert [hit.score for hit in matching] == sorted((hit.score for hit in matching), reverse=True)
    assert len(store.triplets.search(Cue("Who is in Porto?"), 10, among)) == 2
    assert {hit.num for hit in store.triplets.matching(Cue("Who is in Porto?"), 1, among)} == {matching[0].num}
    assert store.triplets.matching(Cue("Who is in Porto?"), 0, among) == []


def test_a_name_counts_by_the_notes_that_mention_it(memory: Memories) -> None:
    ada = memory("ada")
    ada.write("One.", facts=[("Mia", "knows", "Ben"), ("Mia", "knows", "Eva"), ("Mia", "knows", "Ivo")])
    ada.write("Two.", facts=[("Ben", "lives in", "Porto")])
    store = ada._store
    walk = store.graph.walk(store.notes.among(Filter("ada")))
    told_in = {name: int(walk.told_in[walk.names[name]]) for name in ("mia", "ben", "eva", "porto")}
    assert told_in == {"mia": 1, "ben": 2, "eva": 1, "porto": 1}


def test_a_dialogue_is_what_people_speak() -> None:
    silent = TURN._replace(speaker="")
    assert spoken({1: TURN, 2: TURN}, {1, 2, 3})
    assert not spoken({1: TURN, 2: silent}, {1, 2, 3})
    assert not spoken({}, set())


def test_a_story_gains_by_order_and_threads_do_not_mix() -> None:
    other = TURN._replace(session=("b", ""))
    scores = later_first(dict.fromkeys(range(1, 6), 1.0), {1: TURN, 2: other, 3: TURN, 4: TURN})
    assert scores[5] == scores[1] == scores[2] == 1.0
    assert scores[1] < scores[3] < scores[4] <= 1.2
