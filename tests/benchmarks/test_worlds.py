"""Worlds are the same for the same seed, their splits share no name and no way, and their answers are right."""

import random

import pytest
from benchmarks.worlds import KINDS, Question, Split, World, make_world
from benchmarks.worlds.names import animal, firm, person, place, split_of
from benchmarks.worlds.relations import RELATIONS
from benchmarks.worlds.ways import Ways, bare, ways_of
from benchmarks.worlds.world import NUMBERS, PETS, UNKNOWN

SPLITS: tuple[Split, Split] = ("train", "test")
_NAMED = ("place", "firm", "person", "animal")


def test_the_same_seed_gives_the_same_world() -> None:
    assert make_world(7, "train") == make_world(7, "train")
    assert make_world(7, "train") != make_world(8, "train")
    assert make_world(7, "train") != make_world(7, "test")


@pytest.mark.parametrize("make", [animal, firm, person, place])
@pytest.mark.parametrize("split", SPLITS)
def test_a_name_belongs_to_one_split(make: object, split: Split) -> None:
    assert callable(make)
    assert {split_of(make(random.Random(seed), split)) for seed in range(300)} == {split}


@pytest.mark.parametrize("relation", RELATIONS)
def test_ways_of_saying_are_of_one_split(relation: str) -> None:
    one = RELATIONS[relation]
    for ways in (one.told, one.said, one.asked, one.asked_me, one.checked, one.checked_me):
        train, test = ({bare(way) for every in part for way in every} for part in (ways.train, ways.test))
        assert test
        assert len(train) >= 3
        assert not train & test


def test_an_alternative_that_is_a_way_of_testing_is_left_out() -> None:
    ways = ways_of("lives.asked")
    assert any("Which town does" in way for every in ways.train for way in every)
    assert "Which town does {s} live in?" in ways.test[0]
    assert "Which city does {s} live in?" in {way for every in ways.train for way in every}
    assert isinstance(ways, Ways)


@pytest.mark.parametrize("split", SPLITS)
def test_names_of_facts_are_of_their_split(split: Split) -> None:
    facts = [fact for seed in range(60) for note in make_world(seed, split).notes for fact in note.facts]
    values = [fact.value for fact in facts if fact.relation == "lived" or RELATIONS[fact.relation].values in _NAMED]
    names = {*values, *(fact.subject for fact in facts)} - {"user"}
    assert len(names) > 100
    assert {split_of(name) for name in names} == {split}


@pytest.mark.parametrize("split", SPLITS)
def test_answers_follow_from_the_facts(split: Split) -> None:
    asked = [
        (world, question)
        for seed in range(200)
        for world in [make_world(seed, split, notes=9, questions=6)]
        for question in world.questions
    ]
    assert {question.kind for _, question in asked} == set(KINDS)
    for world, question in asked:
        assert question.answer == _answer(world, question), question


@pytest.mark.parametrize("split", SPLITS)
def test_the_notes_that_are_needed_hold_the_answer(split: Split) -> None:
    for seed in range(100):
        world = make_world(seed, split, notes=9, questions=6)
        for question in world.questions:
            needed = World(tuple(world.notes[place] for place in question.needs), ())
            assert question.answer == _answer(needed, question), question
            if question.kind in ("one hop", "two hops", "temporal"):
                assert any(
                    question.answer in note.text.lower() or question.answer in note.text for note in needed.notes
                )


def test_only_the_kinds_asked_for_are_asked() -> None:
    for seed in range(30):
        assert {one.kind for one in make_world(seed, "train", kinds=("temporal",)).questions} <= {"temporal"}


def _answer(world: World, question: Question) -> str:
    """Finds the answer in the facts alone; of a relation, the newest note's value is what holds."""
    facts = [fact for note in world.notes for fact in note.facts]
    now = {(fact.subject, fact.relation): fact for fact in facts}
    what, subject, *path = question.ask
    if what == "count":
        return NUMBERS[sum((subject, pet) in now for pet in PETS)]
    if what == "before":
        return now[subject, "lived"].value
    if what == "year":
        return now[subject, "lives"].year
    if what == "is":
        return "yes" if now[subject, path[0]].value == path[1] else "no"
    for relation in path:
        if (subject, relation) not in now:
            return UNKNOWN
        subject = now[subject, relation].value
    return subject
