"""Pattern queries over facts: forward, backward, several steps, times, scopes, and names with too many facts."""

from itertools import permutations

import pytest
from factories import Memories  # type: ignore[import-not-found]
from hypothesis import given, settings
from hypothesis import strategies as st

from tercet import Memory
from tercet.store.errors import InvalidInput, InvalidScope


@pytest.fixture
def family(memory: Memories) -> Memory:
    ada: Memory = memory(embedder=None, extractor=None)
    ada.write("Mia is Ada's daughter.", facts=[("Mia", "daughter of", "Ada")])
    ada.write("Mia is in Lisbon.", facts=[("Mia", "lives in", "Lisbon")], happened="2023")
    ada.write("Mia moved to Porto.", facts=[("Mia", "lives in", "Porto")], happened="2024")
    ada.write("Ben is Ada's son.", facts=[("Ben", "son of", "Ada"), ("Ben", "lives in", "Lisbon")])
    return ada


def told(memory: Memory, pattern: str, **options: bool | str | int) -> list[str]:
    return [str(path) for path in memory.paths(pattern, **options)]  # type: ignore[arg-type]


def test_a_step_is_walked_from_either_end(family: Memory) -> None:
    assert told(family, "? lives in Lisbon") == ["Ben —lives in→ Lisbon"]
    assert told(family, "Lisbon < lives in < ?") == ["Lisbon ←lives in— Ben"]
    assert told(family, "mia LIVES IN ?") == ["Mia —lives in→ Porto"]
    assert told(family, "Ben ? Lisbon") == ["Ben —lives in→ Lisbon"]
    assert told(family, "Lisbon lives in ?") == []
    assert told(family, "Lisbon > lives in > ?", either_way=True) == ["Lisbon ←lives in— Ben"]


def test_two_steps_name_what_was_asked_and_the_notes_of_each_step(family: Memory) -> None:
    (path,) = family.paths("Ada < daughter of < ? > lives in > ?")
    assert str(path) == "Ada ←daughter of— Mia —lives in→ Porto"
    assert path.found == ("Mia", "Porto")
    texts = [[family.get(id).text for id in step.fact.notes] for step in path.steps]
    assert texts == [["Mia is Ada's daughter."], ["Mia moved to Porto."]]
    assert [family.get(id).text for id in path.notes] == ["Mia is Ada's daughter.", "Mia moved to Porto."]


def test_an_unknown_relation_is_named_in_its_place(family: Memory) -> None:
    (path,) = family.paths("? > ? > Ada < ? < Ben")
    assert path.found == ("Mia", "daughter of", "son of")


def test_the_middle_may_be_all_that_is_known(family: Memory) -> None:
    assert told(family, "? > lives in > ? < lives in < Mia", superseded=True) == [
        "Ben —lives in→ Lisbon ←lives in— Mia"
    ]
    assert sorted(told(family, "? - ? - Ada - ? - ?")) == [
        "Ben —son of→ Ada ←daughter of— Mia",
        "Mia —daughter of→ Ada ←son of— Ben",
    ]


def test_times_are_those_of_facts(family: Memory) -> None:
    assert told(family, "Mia lives in ?", as_of="2023-06") == ["Mia —lives in→ Lisbon"]
    assert sorted(told(family, "Mia lives in ?", superseded=True)) == ["Mia —lives in→ Lisbon", "Mia —lives in→ Porto"]
    assert told(family, "? lives in Porto", known_at=2) == []


def test_a_value_that_was_replaced_is_no_answer_though_only_it_was_asked_for(family: Memory) -> None:
    assert told(family, "Mia lives in Lisbon") == []
    assert told(family, "Mia ? Lisbon") == []


def test_what_is_forgotten_leads_nowhere(family: Memory) -> None:
    family.forget(*(note.id for note in family.notes() if "daughter" in note.text))
    assert told(family, "Ada < daughter of < ? > lives in > ?") == []


def test_no_chain_leads_through_another_scope(memory: Memories) -> None:
    ada, bob = memory("ada", embedder=None, extractor=None), memory("bob", embedder=None, extractor=None)
    ada.write("One.", facts=[("A", "knows", "B")])
    bob.write("Two.", facts=[("B", "knows", "C")])
    ada.write("Three.", facts=[("B", "knows", "D")], scope="ada/work")
    assert told(ada, "A > knows > ? > knows > ?") == ["A —knows→ B —knows→ D"]
    assert told(ada, "B knows ?", scope="ada/work") == ["B —knows→ D"]
    with pytest.raises(InvalidScope):
        ada.paths("B knows ?", scope="bob")


def test_circles_and_self_triplets_end(memory: Memories) -> None:
    ada = memory(embedder=None, extractor=None)
    ada.write("Circles.", facts=[("A", "knows", "A"), ("A", "knows", "B"), ("B", "knows", "A")])
    assert sorted(told(ada, "A > knows > ? > knows > ? > knows > ?")) == [
        "A —knows→ A —knows→ B —knows→ A",
        "A —knows→ B —knows→ A —knows→ A",
    ]
    assert told(ada, "A > knows > ? > knows > ? > knows > ? > knows > ?") == []


def test_a_fact_is_not_walked_back_over_itself(memory: Memories) -> None:
    ada = memory(embedder=None, extractor=None)
    ada.write("Sisters.", facts=[("Mia", "child of", "Ada"), ("Zoe", "child of", "Ada")])
    assert [path.found for path in ada.paths("Mia > child of > ? < child of < ?")] == [("Ada", "Zoe")]


def test_the_surest_come_first_and_a_cut_is_told(memory: Memories) -> None:
    ada = memory(embedder=None)
    ada.write("Ada likes plums.")
    ada.write("Sure.", facts=[("Ada", "likes", "Tea")])
    found = ada.paths("Ada likes ?")
    assert [(path.found, path.confidence) for path in found] == [(("Tea",), 1.0), (("plums",), 0.4)]
    assert not found.cut
    best = ada.paths("Ada likes ?", limit=1)
    assert (len(best), best.cut) == (1, True)
    assert (len(found[:1]), found[:1].cut, found[1].found) == (1, True, ("plums",))


@pytest.mark.parametrize("limit", [0, -1, 1_001, True])
def test_a_limit_out_of_range_is_refused(family: Memory, limit: int) -> None:
    with pytest.raises(InvalidInput, match="limit"):
        family.paths("Mia lives in ?", limit=limit)


def test_a_name_with_very_many_facts_is_cut_and_still_answers_what_is_bound(memory: Memories) -> None:
    ada = memory(embedder=None, extractor=None)
    ada.write_many(
        [{"text": f"{i}", "facts": [("Hub", "knows", f"P{100 * i + j}") for j in range(100)]} for i in range(50)]
    )
    ada.write("One of them.", facts=[("P77", "lives in", "Whitby")])
    assert ada.paths("Hub knows ?", limit=1_000).cut
    assert told(ada, "Hub > knows > ? > lives in > Whitby") == ["Hub —knows→ P77 —lives in→ Whitby"]
    assert told(ada, "? knows P77") == ["Hub —knows→ P77"]
    assert ada.paths("Hub - ? - ? - ? - ? - ? - ? - ? - ?", limit=1_000).cut


_LETTERS = st.sampled_from("ABCD")
_FACTS = st.lists(
    st.tuples(_LETTERS, st.sampled_from(["knows", "likes"]), _LETTERS), min_size=1, max_size=10, unique=True
)
_SIDES = st.one_of(st.just("?"), _LETTERS)


@settings(max_examples=60)
@given(
    _FACTS,
    st.lists(
        st.tuples(st.sampled_from("><-"), st.sampled_from(["knows", "likes", "?"]), _SIDES), min_size=1, max_size=3
    ),
    _SIDES,
)
def test_it_finds_what_trying_everything_finds(
    tmp_path_factory: pytest.TempPathFactory,
    facts: list[tuple[str, str, str]],
    hops: list[tuple[str, str, str]],
    first: str,
) -> None:
    pattern = first + "".join(f" {sign} {relation} {sign} {name}" for sign, relation, name in hops)
    if set(pattern) <= set("?><- "):
        return
    steps = [(fact, way) for fact in facts for way in "><"]
    expected = set()
    for chain in permutations(steps, len(hops)):
        if len({fact for fact, _ in chain}) < len(chain):
            continue
        place, fits = None, True
        for ((s, r, o), way), (sign, relation, name) in zip(chain, hops, strict=True):
            source, target = (s, o) if way == ">" else (o, s)
            start = first if place is None else place
            fits &= start in ("?", source) and sign in (way, "-") and relation in ("?", r) and name in ("?", target)
            place = target
        if fits:
            expected.add(chain)
    with Memory(tmp_path_factory.mktemp("paths") / "m", scope="ada", embedder=None, extractor=None) as memory:
        memory.write("All of it.", facts=facts)
        found = memory.paths(pattern, limit=1_000)
    walked = [
        tuple(((s.fact.subject, s.fact.relation, s.fact.object), "<" if s.backward else ">") for s in path.steps)
        for path in found
    ]
    assert not found.cut
    assert len(walked) == len(set(walked))
    assert set(walked) == expected
