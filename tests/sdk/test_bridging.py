"""Notes that share a rare name with the best ones are found, and say by which name."""

from typing import Any

import pytest
from factories import HashEmbedder, Memories, PatternExtractor  # type: ignore[import-not-found]

from tercet import Memory
from tercet.sdk.bridging import bridged
from tercet.sdk.links import links
from tercet.sdk.recall import Recall
from tercet.store.form import Embedder, Extractor
from tercet.store.growing import grown
from tercet.store.note import Note
from tercet.store.selection import Filter
from tercet.store.walk import Walk

QUESTION = "Which airport has the city of the station Wilm?"
STATION, AIRPORT = "the station Wilm broadcasts from Wilmington", "airport of Wilmington"
HUB = 25  # notes with one name, more than say anything of each other


class Phrases(PatternExtractor):  # type: ignore[misc]
    """Names in lower case and numbers too, as an extractor of facts has them."""

    def entities(self, note: Note) -> list[str]:
        return [*super().entities(note), *(word for word in note.text.split() if word in ("harbour", "1739"))]


def tell(memory: Memories, *, embedder: Embedder | None, extractor: Extractor | None = None) -> Memory:
    told: Memory = memory(embedder=embedder, extractor=extractor or PatternExtractor())
    told.write_many({"text": text} for text in (STATION, "airport of Boston", AIRPORT))
    told.write_many({"text": f"the city of note {place} on Hub"} for place in range(HUB))
    return told


@pytest.fixture
def stations(memory: Memories) -> Memory:
    return tell(memory, embedder=HashEmbedder(dimensions=512))


def votes(memory: Memory, best: str, names: list[str]) -> dict[str, tuple[float, str]]:
    """What notes get where one is the best, and the question has some names."""
    store = memory._store
    texts = {note.num: note.text for note in memory.notes(limit=100)}
    assert store.vectors is not None
    with store.database.reading():
        walk = store.graph.walk(store.notes.among(Filter(memory.scope)))
        scores = {num: 1.0 for num, text in texts.items() if text == best}
        found = bridged(store, walk, scores, names, store.vectors.embed(QUESTION))
    return {texts[num]: vote for num, vote in found.items()}


def lent(recall: Recall) -> dict[str, float]:
    return {found.note.text: found.why.votes["bridge"] for found in recall if "bridge" in found.why.votes}


def test_a_rare_name_leads_to_the_other_notes_that_have_it(stations: Memory) -> None:
    found = votes(stations, STATION, ["wilm"])
    assert found.keys() == {AIRPORT}
    vote, name = found[AIRPORT]
    assert name == "Wilmington"
    assert 0 < vote < 0.5**0.5  # two notes have the name, and the cosine is below 1


def test_neither_names_of_the_question_nor_names_of_many_notes_lead_anywhere(stations: Memory) -> None:
    assert votes(stations, AIRPORT, ["wilmington", "no name here"]) == {}
    assert votes(stations, "the city of note 1 on Hub", []) == {}


def test_numbers_and_phrases_lead_nowhere(memory: Memories) -> None:
    told = tell(memory, embedder=HashEmbedder(), extractor=Phrases())
    told.write_many({"text": text} for text in ("Wilm has a harbour since 1739", "harbour airport of 1739"))
    assert {"harbour", "1739"} <= {link.target for link in links(told)}
    assert votes(told, "Wilm has a harbour since 1739", ["wilm"]) == {}


def test_a_read_finds_the_note_behind_the_name_and_says_so(stations: Memory) -> None:
    stations.write("Wilm plays")  # has the name that is asked for, and nothing else
    recall = stations.read(QUESTION, k=2)
    assert [found.note.text for found in recall] == [STATION, AIRPORT]
    assert lent(recall)[AIRPORT] > lent(recall)[STATION]  # the best note vouches for more
    assert recall[1].why.path == ("Wilmington",)
    assert recall[0].why.path == ("Wilm",)


@pytest.mark.parametrize("by", [("words",), ("words", "vectors"), ("words", "graph"), ("triplets", "graph")])
def test_without_the_graph_or_without_vectors_nothing_is_lent(stations: Memory, by: tuple[str, ...]) -> None:
    assert lent(stations.read(QUESTION, k=5))
    assert not lent(stations.read(QUESTION, k=5, by=by))


def test_without_an_embedder_nothing_is_lent(memory: Memories) -> None:
    recall = tell(memory, embedder=None).read(QUESTION, k=5)
    assert recall[0].note.text == STATION
    assert not lent(recall)


def test_in_a_dialogue_nothing_is_lent(memory: Memories) -> None:
    told: Memory = memory(embedder=HashEmbedder(), extractor=PatternExtractor())
    told.write_many({"text": text, "speaker": "Ada", "thread": "one"} for text in (STATION, AIRPORT, "nothing else"))
    recall = told.read(QUESTION, k=3)
    assert recall[0].note.text == STATION
    assert not lent(recall)


def test_no_name_leads_to_what_a_read_may_not_return(memory: Memories, stations: Memory) -> None:
    other: Memory = memory("bo", embedder=HashEmbedder(dimensions=512))
    other.write("Wilmington has one more airport")
    (hidden,) = (note for note in stations.notes(limit=100) if note.text == AIRPORT)
    stations.quarantine(hidden.id)
    assert AIRPORT not in {found.note.text for found in stations.read(QUESTION, k=50)}
    assert not lent(stations.read(QUESTION, k=50))
    stations.release(hidden.id)
    assert lent(stations.read(QUESTION, k=50)).keys() == {STATION, AIRPORT}
    stations.forget(hidden.id)
    assert not lent(stations.read(QUESTION, k=50))


def test_a_read_makes_no_graph_that_it_would_not_make_anyway(stations: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Walk] = []

    def counted(*given: Any) -> Walk:  # noqa: ANN401
        made.append(grown(*given))
        return made[-1]

    monkeypatch.setattr("tercet.store.graph.grown", counted)
    stations.write("one more")
    stations.read(QUESTION, by=("words", "vectors"))
    assert made == []
    stations.read(QUESTION)
    assert len(made) == 1
