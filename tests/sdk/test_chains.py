"""Questions in words that facts answer: the end of a chain, the notes on the way, and what is no chain."""

import pytest
from factories import HashEmbedder, Memories, PatternExtractor  # type: ignore[import-not-found]

from tercet import Memory
from tercet.sdk.recall import Recall


@pytest.fixture
def family(memory: Memories) -> Memory:
    ada: Memory = memory(embedder=None, extractor=None)
    for subject, relation, target in [
        ("Ada Byron", "father", "George"),
        ("George", "spouse", "Annabella"),
        ("Annabella", "profession", "mathematician"),
        ("George", "profession", "poet"),
        ("Mia", "daughter of", "Ada Byron"),
        ("Mia", "works at", "Crumb bakery"),
        ("Annabella", "spouse", "George"),
        ("Annabella", "lived in", "Kirkby"),
    ]:
        ada.write(f"{subject}, {relation}, {target}", facts=[(subject, relation, target)])
    return ada


def names(recall: Recall) -> list[str]:
    return [answer.name for answer in recall.answers]


@pytest.mark.parametrize(
    ("question", "answer", "way"),
    [
        (
            "What is the profession of the spouse of Ada Byron's father?",
            "mathematician",
            "Ada Byron —father→ George —spouse→ Annabella —profession→ mathematician",
        ),
        ("ada byron's father's profession?", "poet", "Ada Byron —father→ George —profession→ poet"),
        (
            "Where does Ada Byron's daughter work?",
            "Crumb bakery",
            "Ada Byron ←daughter of— Mia —works at→ Crumb bakery",
        ),
        ("Who is the father of Ada Byron?", "George", "Ada Byron —father→ George"),
        ("Who is the father of Ada Byrom?", "George", "Ada Byron —father→ George"),
    ],
)
def test_the_end_of_the_chain_that_the_words_describe_is_the_answer(
    family: Memory, question: str, answer: str, way: str
) -> None:
    best = family.read(question).answers[0]
    assert (best.name, str(best.path)) == (answer, way)
    assert best.score > 0


def test_the_note_at_the_end_stands_before_the_notes_on_the_way(family: Memory) -> None:
    recall = family.read("What is the profession of the spouse of Ada Byron's father?", k=8)
    assert recall[0].note.text == "Annabella, profession, mathematician"
    assert recall[0].why.votes["facts"] == 1.0
    assert recall[0].why.way == "Ada Byron —father→ George —spouse→ Annabella —profession→ mathematician"
    on_the_way = {found.note.text for found in recall if 0 < found.why.votes.get("facts", 0) < 1}
    assert on_the_way == {"Ada Byron, father, George", "George, spouse, Annabella"}


def test_who_comes_back_to_the_start_stands_behind_others(memory: Memories) -> None:
    told: Memory = memory(embedder=None, extractor=None)
    for child in ("Ben", "Cleo"):
        told.write(f"{child} has Dan", facts=[(child, "parent", "Dan")])
        told.write(f"Dan has {child}", facts=[("Dan", "child", child)])
    assert names(told.read("Who is the child of Ben's parent?"))[:2] == ["Cleo", "Ben"]


def test_what_no_facts_lead_to_has_no_answer(family: Memory) -> None:
    assert names(family.read("What is the shoe size of Ada Byron's father's dentist?")) == []
    assert names(family.read("What is the profession of the spouse?")) == []
    assert names(family.read("Ada Byron")) == []
    assert names(family.read("Who is the father of Ada Byron?", by=["words", "graph"])) == []


def test_facts_that_rules_guessed_are_not_walked(memory: Memories) -> None:
    guessed: Memory = memory(embedder=HashEmbedder(), extractor=PatternExtractor())
    guessed.write("Mia knows Ben")
    guessed.write("Ben works at Crumb")
    assert names(guessed.read("Where works who Mia knows?")) == []


def test_an_answer_is_what_holds_at_the_time_and_goes_with_its_notes(memory: Memories) -> None:
    told: Memory = memory(embedder=None, extractor=None)
    told.write("Mia is Ada's daughter.", facts=[("Mia", "daughter of", "Ada")])
    told.write("Mia is in Lisbon.", facts=[("Mia", "lives in", "Lisbon")], happened="2023")
    porto = told.write("Mia moved to Porto.", facts=[("Mia", "lives in", "Porto")], happened="2024")
    question = "Where does Ada's daughter live?"
    assert names(told.read(question)) == ["Porto"]
    assert names(told.read(question).without([porto.id])) == []
    assert names(told.read(question)[:1]) == ["Porto"]
    assert names(told.read(question, as_of="2023-06")) == ["Lisbon"]
    told.forget(porto.id)
    assert names(told.read(question)) == ["Lisbon"]


def test_no_chain_leads_through_another_scope(memory: Memories) -> None:
    both: Memory = memory(embedder=None, extractor=None)
    both.write("a", facts=[("Ada", "father", "George")], scope="ada/x")
    both.write("b", facts=[("George", "profession", "poet")], scope="ada/y")
    question = "What is the profession of Ada's father?"
    assert names(both.read(question)) == ["poet"]
    assert "poet" not in names(both.read(question, scope="ada/x"))


def test_names_that_are_one_are_walked_as_one(family: Memory) -> None:
    family.same("Ada Byron", "Countess of Lovelace")
    family.write("x", facts=[("Countess of Lovelace", "pet", "Puff")])
    assert names(family.read("What pet does Ada Byron have?")) == ["Puff"]
    assert names(family.read("Who is the father of the Countess of Lovelace?")) == ["George"]


def test_words_and_relations_are_compared_by_vectors_that_forgetting_drops(memory: Memories) -> None:
    told: Memory = memory(embedder=HashEmbedder(), extractor=None)
    note = told.write("x", facts=[("Ada", "father", "George")])
    told.write("y", facts=[("George", "spouse", "Annabella")])
    assert names(told.read("Who is the spouse of Ada's father?"))[0] == "Annabella"
    assert told._store.vectors is not None
    assert "father" in told._store.vectors._phrases
    told.forget(note.id)
    assert not told._store.vectors._phrases
