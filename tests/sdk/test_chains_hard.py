"""What no chain may walk, and questions, names and graphs that are not nice."""

import time
from collections.abc import Iterable, Sequence

import pytest
from factories import HashEmbedder, Memories  # type: ignore[import-not-found]

from tercet import Memory
from tercet.sdk import chains
from tercet.sdk.recall import Recall
from tercet.store.form import Vector
from tercet.store.note import Triplet

QUESTION = "What is the profession of Ada's father?"
Fact = tuple[str, str, str]


def names(recall: Recall) -> list[str]:
    return [answer.name for answer in recall.answers]


def told(memory: Memories, facts: Iterable[Fact], **kept: object) -> Memory:
    made: Memory = memory(embedder=None, extractor=None, **kept)
    made.write_many({"text": ", ".join(fact), "facts": [fact]} for fact in facts)
    return made


@pytest.fixture
def ada(memory: Memories) -> Memory:
    return told(memory, [("Ada", "father", "George")])


def test_facts_beside_and_above_the_scope_of_a_reader_are_not_walked(memory: Memories) -> None:
    both: Memory = memory("team", embedder=HashEmbedder(), extractor=None)
    both.write("a", facts=[("Ada", "father", "George")], scope="team/ada")
    both.write("b", facts=[("George", "profession", "poet")], scope="team/ben")
    both.write("c", facts=[("George", "profession", "spy")])
    for scope in ("team/ada", "team/ben"):
        recall = both.read(QUESTION, scope=scope)
        assert set(names(recall)) <= {"George"}
        assert all(found.note.scope == scope for found in recall)
    assert set(names(both.read(QUESTION))) == {"poet", "spy"}
    assert names(memory("team/ada", embedder=HashEmbedder(), extractor=None).read(QUESTION)) == [
        "George"
    ]  # half a chain


def test_each_link_of_a_chain_goes_with_its_note(ada: Memory) -> None:
    note = ada.write("b", facts=[("George", "profession", "poet")])
    assert names(ada.read(QUESTION)) == ["poet"]
    ada.forget(next(one.id for one in ada.notes() if one.text == "Ada, father, George"))
    assert names(ada.read(QUESTION)) == []
    assert names(ada.read("What is the profession of George?")) == ["poet"]
    ada.forget(note.id)
    assert names(ada.read("What is the profession of George?")) == []


def test_what_is_in_quarantine_is_not_walked(ada: Memory) -> None:
    note = ada.write("b", facts=[("George", "profession", "poet")])
    ada.quarantine(note.id)
    assert names(ada.read(QUESTION)) == ["George"]
    ada.release(note.id)
    assert names(ada.read(QUESTION)) == ["poet"]


def test_only_notes_of_the_wanted_origins_are_walked(ada: Memory) -> None:
    ada.write("b", facts=[("George", "profession", "spy")], origin="web")
    assert names(ada.read(QUESTION)) == ["spy"]
    assert names(ada.read(QUESTION, origins=("user",))) == ["George"]


def test_a_revised_note_says_what_it_says_now_and_said_then(ada: Memory) -> None:
    note = ada.write("b", facts=[("George", "profession", "poet")])
    before = max(one.num for one in ada.notes())
    ada.revise(note.id, "c", facts=[("George", "profession", "baker")])
    assert names(ada.read(QUESTION)) == ["baker"]
    assert names(ada.read(QUESTION, known_at=before)) == ["poet"]


def test_a_fact_that_has_ended_is_walked_only_while_it_held(ada: Memory) -> None:
    ended = Triplet("George", "profession", "poet", valid_from="2001", valid_to="2003")
    ada.write("b", facts=[ended], happened="2000")
    ada.write("a", facts=[("Ada", "father", "George")], happened="2000")
    assert "poet" not in names(ada.read(QUESTION))
    assert names(ada.read(QUESTION, as_of="2002-05")) == ["poet"]
    assert "poet" not in names(ada.read(QUESTION, as_of="2004"))


def test_of_many_values_in_turn_the_one_that_holds_is_the_answer(memory: Memories) -> None:
    moves: Memory = memory(embedder=None, extractor=None)
    moves.write("x", facts=[("Ada", "father", "George")])
    moves.write_many(
        {"text": f"move {year}", "facts": [("George", "lives in", f"Town {year}")], "happened": str(year)}
        for year in range(1000, 1400)
    )
    assert names(moves.read("Where does Ada's father live?"))[0] == "Town 1399"


@pytest.mark.parametrize("question", ["", " ", "?!", "'s", "\u200b", "Ada", "Ada's", "Who is Ada?"])
def test_a_question_that_asks_nothing_has_no_answers(ada: Memory, question: str) -> None:
    assert names(ada.read(question)) == []


def test_a_long_question_is_compared_with_nothing_that_cannot_answer_it(
    memory: Memories, monkeypatch: pytest.MonkeyPatch
) -> None:
    long: Memory = memory(embedder=HashEmbedder(), extractor=None)
    long.write("a", facts=[("Ada", "father", "George")])
    compared: list[int] = []
    monkeypatch.setattr(chains._Beam, "_compare", lambda self, relations: compared.append(len(self._texts)))
    for words in (30, 20_000):
        told = "Ada's father " + " ".join(f"word{place}" for place in range(words))
        assert names(long.read(told)) == []
    assert compared == []


def test_a_long_question_without_a_name_that_is_known_takes_no_long_time(ada: Memory) -> None:
    began = time.process_time()
    assert names(ada.read("Does Bella or Cleo Dunn know ,;: " * 1_500)) == []
    assert time.process_time() - began < 5


def test_circles_end(memory: Memories) -> None:
    ring = ["Ada", "Ben", "Cleo"]
    around: list[Fact] = [(one, "friend", ring[(place + 1) % 3]) for place, one in enumerate(ring)]
    circle = told(memory, [*around, ("Dan", "friend", "Dan"), ("Cleo", "pet", "Puff")])
    assert names(circle.read("Who is the friend of Ada's friend?"))[0] == "Cleo"
    assert names(circle.read("Who is the friend of the friend of Ada's friend's friend?"))[0] == "Ben"
    assert names(circle.read("What is the pet of the friend of Ada's friend?"))[0] == "Puff"
    assert "Dan" not in names(circle.read("Who is the friend of Dan's friend?"))


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("Łukasz Żółć", "łukasz żółć"),
        ("Анна Ахматова", "АННА АХМАТОВА"),
        ("O'Brien & Søn", "O'Brien & Søn"),
        ("C++", "C++"),
        ("Ｚｏｅ", "Zoe"),
        ("山田 太郎", "山田 太郎"),
    ],
)
def test_a_name_is_found_in_whichever_letters(memory: Memories, name: str, asked: str) -> None:
    world = told(memory, [(name, "father", "Ægir 👑 Ó"), ("Ægir 👑 Ó", "profession", "海女 🐚")])
    assert names(world.read(f"What is the profession of the father of {asked}?")) == ["海女 🐚"]


def test_a_name_that_is_known_is_no_slip_for_another(memory: Memories, monkeypatch: pytest.MonkeyPatch) -> None:
    world = told(memory, [("Adaline", "father", "George")])
    looked: list[str] = []

    def nothing(name: str, _: object) -> list[str]:
        looked.append(name)
        return []

    monkeypatch.setattr(chains, "spelt_like", nothing)
    assert names(world.read("Who is Adaline?")) == []
    assert names(world.read("Who is the father of Adalin?")) == []
    assert looked == ["adalin"]


def test_of_a_hub_with_many_relations_few_are_embedded(memory: Memories, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chains, "_COMPARED", 20)
    hub: Memory = memory(embedder=HashEmbedder(), extractor=None)
    for start in range(0, 200, 50):
        hub.write(
            f"note {start}", facts=[("Ada", f"z{place} kind", f"Thing {place}") for place in range(start, start + 50)]
        )
    assert names(hub.read("What is the z199 kind of Ada?"))[0] == "Thing 199"
    assert hub._store.vectors is not None
    assert sum(" kind" in text for text in hub._store.vectors._phrases) <= 22


def test_a_name_that_all_is_linked_to_answers_with_its_newest_facts(memory: Memories) -> None:
    hub = told(memory, [("Ada", "lives in", "Oslo"), ("Oslo", "country", "Norway")])
    hub.write_many(
        {"text": f"fans {start}", "facts": [(f"Fan {place}", "fan of", "Oslo") for place in range(start, start + 250)]}
        for start in range(0, 5_000, 250)
    )
    fans = names(hub.read("Who is fan of Oslo?"))
    assert len(fans) == 10
    assert all(fan.startswith("Fan 4") for fan in fans)
    assert names(hub.read("What country does Ada live in?")) == ["Norway"]  # as old as it is


def test_vectors_of_words_that_are_made_while_notes_go_are_not_kept(
    memory: Memories, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = HashEmbedder()
    slow: Memory = memory(embedder=embedder, extractor=None)
    vectors, embed = slow._store.vectors, embedder.embed
    assert vectors is not None

    def meanwhile(texts: Sequence[str]) -> Vector:
        vectors.drop()  # as a forget does in every handle
        made: Vector = embed(texts)
        return made

    vectors.phrases(["mother"])
    monkeypatch.setattr(embedder, "embed", meanwhile)
    assert vectors.phrases(["father"]).shape == (1, 48)
    assert vectors._phrases == {}
