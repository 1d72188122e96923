"""Two names said to be one are one everywhere, and two again when that is taken back."""

import pytest
from factories import Memories  # type: ignore[import-not-found]

from tercet import Memory
from tercet.sdk.links import links
from tercet.store.errors import InvalidInput


@pytest.fixture
def ada(memory: Memories) -> Memory:
    made: Memory = memory(embedder=None)
    made.write("Mia is my daughter.", facts=[("Mia", "daughter of", "Ada")], speaker="Ada")
    made.write("Ms Ferreira took a flat.", facts=[("Mia Ferreira", "lives in", "Lisbon")], happened="2023")
    made.write("Off to Porto.", facts=[("Mia", "lives in", "Porto")], happened="2024")
    made.write("A bakery, at last.", facts=[("Crumb", "located in", "Oporto")])
    return made


def told(memory: Memory, **options: str | bool) -> set[tuple[str, str, str, bool]]:
    found = memory.facts(**options)  # type: ignore[arg-type]
    return {(fact.subject, fact.relation, fact.object, fact.superseded) for fact in found}


def test_facts_of_both_names_are_facts_of_one(ada: Memory) -> None:
    assert told(ada, subject="Mia Ferreira") == {("Mia Ferreira", "lives in", "Lisbon", False)}
    ada.same("Mia", "Mia Ferreira")
    one = {("Mia", "daughter of", "Ada", False), ("Mia", "lives in", "Porto", False)}
    assert told(ada, subject="Mia Ferreira") == told(ada, subject="mia") == one
    assert told(ada, relation="lives in", superseded=True) == {
        ("Mia", "lives in", "Porto", False),
        ("Mia", "lives in", "Lisbon", True),
    }
    assert told(ada, object="Lisbon") == set(), "a newer value under the other name ended it"
    ada.apart("Mia Ferreira", "MIA")
    assert told(ada, subject="Mia Ferreira") == {("Mia Ferreira", "lives in", "Lisbon", False)}
    assert ada.one_name() == []


def test_patterns_walk_through_both(ada: Memory) -> None:
    pattern = "Ada < daughter of < ? > lives in > ? < located in < ?"
    assert not ada.paths(pattern)
    ada.same("Porto", "Oporto")
    assert [str(path) for path in ada.paths(pattern)] == ["Ada ←daughter of— Mia —lives in→ Porto ←located in— Crumb"]
    assert [path.found for path in ada.paths("? located in oporto")] == [("Crumb",)]
    ada.apart("Porto", "Oporto")
    assert not ada.paths(pattern)


def test_the_graph_has_one_node_and_reads_walk_through_it(ada: Memory) -> None:
    question = "Which bakery is near Ada's daughter?"
    before = {found.note.text: found.why.way for found in ada.read(question, by=("graph",))}
    assert "A bakery, at last." not in before
    ada.same("Porto", "Oporto")
    sides = {side for link in links(ada) for side in (link.source, link.target)}
    assert "Porto" in sides
    assert "Oporto" not in sides
    after = {found.note.text: found.why.way for found in ada.read(question, by=("graph",))}
    assert "Porto" in after["A bakery, at last."]
    ada.apart("Porto", "Oporto")
    assert {found.note.text: found.why.way for found in ada.read(question, by=("graph",))} == before


def test_it_holds_in_its_scope_only(memory: Memories) -> None:
    ada, bob = memory("ada", embedder=None), memory("bob", embedder=None)
    for one in (ada, bob):
        one.write("Both.", facts=[("Mia", "likes", "tea"), ("Mia F", "likes", "jam")])
    ada.same("Mia", "Mia F")
    assert {fact.object for fact in ada.facts(subject="Mia")} == {"tea", "jam"}
    assert {fact.object for fact in bob.facts(subject="Mia")} == {"tea"}
    with pytest.raises(InvalidInput, match="nobody said"):
        bob.apart("Mia", "Mia F")


def test_what_was_known_before_it_was_said_stays_as_it_was(ada: Memory) -> None:
    then = ada.notes(limit=1)[0].change
    ada.write("Later.")
    ada.same("Mia", "Mia Ferreira")
    assert told(ada, subject="Mia Ferreira", known_at=then) == {("Mia Ferreira", "lives in", "Lisbon", False)}  # type: ignore[arg-type]


def test_a_name_that_is_forgotten_leaves_no_statement(ada: Memory) -> None:
    ada.same("Mia", "Mia Ferreira")
    ada.same("Porto", "Oporto")
    flat = next(note for note in ada.notes() if "flat" in note.text)
    ada.forget(flat.id)
    assert [(said.name, said.other) for said in ada.one_name()] == [("Porto", "Oporto")]
    ada.forget(scope="ada")
    assert ada.one_name() == []


def test_an_export_carries_it(ada: Memory, memory: Memories) -> None:
    ada.same("Mia", "Mia Ferreira")
    lines = list(ada.export())
    assert lines[-1] == '{"op":"same","scope":"ada","name":"Mia","other":"Mia Ferreira"}'
    other = memory("ada", "other", embedder=None)
    assert other.import_(lines) == 4
    assert told(other, subject="Mia Ferreira") == told(ada, subject="Mia Ferreira")
    assert other.import_(lines) == 0
    assert len(other.one_name()) == 1
    assert list(other.export())[-1] == lines[-1]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"op":"same","scope":"bob","name":"A","other":"B"}', "line 2: scope 'bob' is outside"),
        ('{"op":"same","scope":"ada","name":"A"}', "line 2 is no line of a Tercet export: other: Field required"),
        ('{"op":"same","scope":"ada","name":"A","other":"B","at":"x"}', "line 2 is no line"),
        ('{"op":"same","scope":"ada","name":"A","other":"A"}', "line 2: .* one name already"),
        ('{"op":"same","scope":"ada","name":"A","other":"!"}', "line 2: .* no letter or digit"),
    ],
)
def test_a_line_that_is_wrong_imports_nothing(memory: Memories, line: str, says: str) -> None:
    ada = memory(embedder=None)
    with pytest.raises(InvalidInput, match=says):
        ada.import_(['{"tercet":2,"scope":"ada"}', line])
    assert ada.one_name() == []
