"""Facts: who supports them, since when they hold, and what may end them. Nothing is retired on a model's word."""

from typing import Any

import pytest
from factories import Memories  # type: ignore[import-not-found]

from tercet.sdk import Memory
from tercet.store.errors import InvalidInput
from tercet.store.note import Note


def lives(memory: Memory, place: str, since: str = "", **other: Any) -> Note:  # noqa: ANN401
    fact = {"subject": "Ada", "relation": "lives in", "object": place, "valid_from": since}
    return memory.write(f"told of {place}", facts=[fact], **other)


def homes(memory: Memory, **when: Any) -> list[str]:  # noqa: ANN401
    return [fact.object for fact in memory.facts(subject="Ada", relation="lives in", **when)]


def periods(memory: Memory) -> list[tuple[str, str, str, bool]]:
    facts = memory.facts(subject="Ada", relation="lives in", superseded=True)
    return sorted(((f.object, f.valid_from, f.valid_to, f.superseded) for f in facts), key=lambda f: (f[1], f[0]))


def test_a_newer_value_ends_the_older_one(memory: Memories) -> None:
    ada = memory()
    lives(ada, "Faro", "2020")
    lives(ada, "Lisbon", "2022-05")
    lives(ada, "Porto", "2024-03-09")
    assert homes(ada) == ["Porto"]
    assert periods(ada) == [
        ("Faro", "2020", "2022-05", True),
        ("Lisbon", "2022-05", "2024-03-09", True),
        ("Porto", "2024-03-09", "", False),
    ]
    assert [homes(ada, as_of=when) for when in ("2019", "2020", "2022-04", "2022-05-01", "2023", "2024-03-09")] == [
        [],
        ["Faro"],
        ["Faro"],
        ["Lisbon"],
        ["Lisbon"],
        ["Porto"],
    ]


def test_what_is_told_later_about_the_past_does_not_end_the_present(memory: Memories) -> None:
    ada = memory()
    lives(ada, "Porto", "2024")
    lives(ada, "Faro", "2020")
    assert homes(ada) == ["Porto"]
    assert homes(ada, as_of="2021") == ["Faro"]
    assert periods(ada) == [("Faro", "2020", "2024", True), ("Porto", "2024", "", False)]


def test_on_the_same_day_the_later_word_counts(memory: Memories) -> None:
    ada = memory()
    lives(ada, "Lisbon", "2024-03-09")
    lives(ada, "Porto", "2024-03-09")
    assert homes(ada) == homes(ada, as_of="2024-03-09") == ["Porto"]
    assert homes(ada, as_of="2024-03-08") == []


def test_undated_facts_hold_since_they_were_known(memory: Memories) -> None:
    ada = memory()
    first = lives(ada, "Lisbon")
    second = lives(ada, "Porto")
    assert homes(ada) == ["Porto"]
    assert periods(ada)[0] == ("Lisbon", "", second.known, True)
    assert homes(ada, known_at=first.num) == ["Lisbon"]
    assert homes(ada, as_of=first.known) == ["Lisbon"]


def test_an_undated_fact_that_nothing_disputes_is_true_at_any_time(memory: Memories) -> None:
    ada = memory()
    lives(ada, "Lisbon")
    assert homes(ada, as_of="1990") == ["Lisbon"]


def test_a_fact_is_dated_by_its_note_if_it_has_no_date_of_its_own(memory: Memories) -> None:
    ada = memory()
    lives(ada, "Lisbon", happened="2022-01-01")
    lives(ada, "Porto", "2020", happened="2023-01-01")
    assert periods(ada) == [("Porto", "2020", "2022-01-01", True), ("Lisbon", "2022-01-01", "", False)]


def test_a_stated_end_is_an_end(memory: Memories) -> None:
    ada = memory()
    fact = {"subject": "Ada", "relation": "works at", "object": "Acme", "valid_from": "2020", "valid_to": "2022-06"}
    ada.write("a job", facts=[fact])
    assert ada.facts() == []
    assert [f.object for f in ada.facts(as_of="2022-05-31")] == ["Acme"]
    assert ada.facts(as_of="2022-06-01") == []
    assert [f.superseded for f in ada.facts(superseded=True)] == [True]


def test_a_value_that_came_back_is_there_again(memory: Memories) -> None:
    ada = memory()
    for place, since in (("Lisbon", "2020"), ("Porto", "2022"), ("Lisbon", "2024")):
        lives(ada, place, since)
    assert [homes(ada, as_of=year) for year in ("2021", "2023", "2025")] == [["Lisbon"], ["Porto"], ["Lisbon"]]
    assert homes(ada) == ["Lisbon"]


def test_relations_with_many_values_keep_them_all(memory: Memories) -> None:
    ada = memory()
    for food in ("apples", "pears"):
        ada.write("taste", facts=[("Ada", "likes", food)])
    assert {fact.object for fact in ada.facts()} == {"apples", "pears"}
    ada.single_valued("Likes")
    assert [fact.object for fact in ada.facts()] == ["pears"]
    ada.single_valued("likes", single=False)
    assert len(ada.facts()) == 2
    ada.single_valued("lives in", single=False)
    lives(ada, "Lisbon")
    lives(ada, "Porto")
    assert len(homes(ada)) == 2


@pytest.mark.parametrize("origin", ["web", "model"])
def test_web_and_model_never_end_anything(memory: Memories, origin: str) -> None:
    ada = memory()
    lives(ada, "Lisbon", "2020")
    lives(ada, "Mars", "2024", origin=origin)
    lives(ada, "Venus", origin=origin)
    assert "Lisbon" in homes(ada)
    assert ("Lisbon", "2020", "", False) in periods(ada)


@pytest.mark.parametrize("since", ["", "2020"])
@pytest.mark.parametrize("origin", ["web", "model"])
def test_web_and_model_cannot_bring_back_what_was_ended_by_repeating_it(
    memory: Memories, origin: str, since: str
) -> None:
    ada = memory()
    lives(ada, "Lisbon", since)
    lives(ada, "Porto", since)
    lives(ada, "Lisbon", since, origin=origin)
    assert homes(ada) == ["Porto"]
    lives(ada, "Lisbon", since)  # a person may
    assert homes(ada) == ["Lisbon"]


@pytest.mark.parametrize("origin", ["user", "tool", "import"])
def test_user_tool_and_import_may_end_a_fact(memory: Memories, origin: str) -> None:
    ada = memory()
    lives(ada, "Lisbon")
    lives(ada, "Porto", origin=origin)
    assert homes(ada) == ["Porto"]


def test_rules_never_end_anything_nor_bring_it_back(memory: Memories) -> None:
    ada = memory()
    lives(ada, "Lisbon")
    ada.write("Ada lives in Porto")  # found by the extractor
    assert homes(ada) == ["Lisbon", "Porto"]
    assert [(f.extractor, f.confidence) for f in ada.facts(relation="lives in")] == [("given", 1.0), ("rule", 0.4)]
    lives(ada, "Braga")
    ada.write("Ada lives in Lisbon")
    assert homes(ada) == ["Braga"]
    assert set(homes(ada, superseded=True)) == {"Braga", "Porto", "Lisbon"}


def test_forgetting_the_newer_brings_back_the_older(memory: Memories) -> None:
    ada = memory()
    lives(ada, "Lisbon", "2020")
    newer = lives(ada, "Porto", "2024")
    ada.forget(newer.id)
    assert homes(ada) == ["Lisbon"]
    assert periods(ada) == [("Lisbon", "2020", "", False)]


@pytest.mark.parametrize("how", ["undo", "revise"])
def test_taking_the_newer_back_brings_back_the_older(memory: Memories, how: str) -> None:
    ada = memory()
    lives(ada, "Lisbon", "2020")
    newer = lives(ada, "Porto", "2024")
    if how == "undo":
        ada.undo(newer.change)
    else:
        ada.revise(newer.id, "I was wrong")
    assert homes(ada) == ["Lisbon"]
    assert homes(ada, known_at=newer.num) == ["Porto"]


def test_a_fact_lives_as_long_as_a_note_supports_it(memory: Memories) -> None:
    ada = memory()
    notes = [ada.write(f"told {n}", facts=[("Mia", "daughter of", "Ada")]) for n in range(3)]
    assert [fact.notes for fact in ada.facts()] == [tuple(note.id for note in notes)]
    ada.forget(notes[0].id, notes[2].id)
    assert [fact.notes for fact in ada.facts()] == [(notes[1].id,)]
    ada.forget(notes[1].id)
    assert ada.facts(superseded=True) == []


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"subject": "ADA"}, 2),
        ({"subject": "  the   Ada's "}, 2),
        ({"subject": "Ada", "relation": "DAUGHTER  of"}, 1),
        ({"object": "josé"}, 1),
        ({"object": "Jose\u0301"}, 1),
        ({"subject": "A\u200bda"}, 2),
        ({"subject": "🎉"}, 1),
        ({"relation": "no such"}, 0),
        ({"subject": "Ad"}, 0),
        ({"subject": "%"}, 0),
        ({"subject": "A_a"}, 0),
        ({"subject": "' OR 1=1 --"}, 0),
        ({"subject": "a'); DROP TABLE triplet; --"}, 0),
        ({"limit": 2}, 2),
        ({}, 3),
    ],
)
def test_facts_are_found_by_folded_names(memory: Memories, asked: dict[str, Any], count: int) -> None:
    ada = memory()
    ada.write("a", facts=[("Ada", "daughter of", "José"), ("the ada", "likes", "Lovelace"), ("🎉", "means", "party")])
    assert len(ada.facts(**asked)) == count


@pytest.mark.parametrize("blank", [" ", "\t", "\u3000"])
def test_a_name_of_nothing_is_no_name(memory: Memories, blank: str) -> None:
    with pytest.raises(InvalidInput, match="holds nothing"):
        memory().facts(subject=blank)


def test_names_of_no_word_are_compared_as_they_are(memory: Memories) -> None:
    ada = memory()
    ada.write("signs", facts=[("🎉", "→", "+"), ("🎉", "→", "-")])
    assert [fact.object for fact in ada.facts(object="-")] == ["-"]
    assert len(ada.facts(relation="→")) == 2


def test_facts_about_oneself_and_in_circles_end(memory: Memories) -> None:
    ada = memory()
    people = [f"P{n}" for n in range(40)]
    ada.write("all know all", facts=[(a, "knows", b) for a in people[:15] for b in people[:15]][:256])
    ada.write("self", facts=[("Ada", "is", "Ada")])
    ada.write_many([{"text": f"chain {n}", "facts": [(people[n], "before", people[(n + 1) % 40])]} for n in range(40)])
    assert len(ada.facts(relation="before")) == 40
    assert len(ada.read("Who knows P3 before Ada?", k=50)) > 10


def test_the_best_support_gives_the_confidence(memory: Memories) -> None:
    ada = memory()
    ada.write("Ada likes pears")
    assert [(f.confidence, f.extractor) for f in ada.facts()] == [(0.4, "rule")]
    ada.write("sure", facts=[("Ada", "likes", "pears")])
    assert [(f.confidence, f.extractor, len(f.notes)) for f in ada.facts()] == [(1.0, "given", 2)]
