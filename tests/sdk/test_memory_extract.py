"""Facts that a model reads: kept with their words, gone with their note, made again when forms are."""

import json
import re
from collections.abc import Sequence

import pytest
from factories import Memories, disagreements  # type: ignore[import-not-found]

from tercet.engines import FactReader, PatternScreen
from tercet.engines.chat import Message
from tercet.engines.screening import Policy
from tercet.sdk import Memory
from tercet.store.errors import EndpointError, InvalidInput, NoteNotFound


class Reads:
    """Finds "X moved to Y" in every note it is given, and says so in JSON."""

    def __init__(self, *, name: str = "reads", breaks_at: int = 0, found: str = "moved to") -> None:
        self.name = name
        self._found = found
        self.seen = ""
        self.requests = 0
        self._breaks_at = breaks_at

    def count(self, text: str) -> int:
        return len(text.split())

    def generate(self, messages: Sequence[Message], *, max_tokens: int = 256) -> str:
        self.requests += 1
        if self.requests == self._breaks_at:
            raise EndpointError("the server is gone")
        facts = []
        self.seen += messages[1].content
        if "unanswerable" in messages[1].content:
            return "I cannot help with that."
        for line in messages[1].content.splitlines():
            given = json.loads(line)
            for who, where in re.findall(r"(\w+) moved to (\w+)", given["text"]) if self._found else []:
                fact = {"note": given["note"], "subject": who, "relation": "lives in", "object": where}
                facts.append(fact | {"span": f"{who} moved to {where}"})
            if "Wrong" in given["text"]:
                facts.append({"note": given["note"], "subject": "a", "relation": "b", "object": "c", "span": "never"})
        return json.dumps({"facts": facts})

    def stream(self, messages: Sequence[Message], *, max_tokens: int = 256):  # type: ignore[no-untyped-def]
        raise AssertionError


def places(memory: Memory, **chosen: object) -> set[tuple[str, str]]:
    return {(f.subject, f.object) for f in memory.facts(relation="lives in", **chosen)}  # type: ignore[arg-type]


def test_facts_are_kept_with_their_words_and_found_by_every_form(memory: Memories) -> None:
    ada = memory()
    note = ada.write("Zed moved to Faro.", speaker="Ada", happened="2024-03-09")
    ada.write("Wrong.")
    ada.read("Where is Zed?")  # the graph of before is in memory
    model = Reads()
    done = ada.extract(model)
    assert (done.notes, done.facts, done.requests) == (2, 1, 1)
    assert [(one.why, one.note) for one in done.refused] == [("the note does not say 'never'", ada.notes()[0].id)]
    (fact,) = ada.facts(subject="Zed", relation="lives in")
    assert (fact.object, fact.extractor, fact.valid_from, fact.notes) == ("Faro", "reads", "2024-03-09", (note.id,))
    assert fact.confidence == 0.8
    (one,) = ada.extracted(note.id)
    assert (one.span, one.fact.object) == ("Zed moved to Faro", "Faro")
    assert ada.read("lives in Faro", by=["triplets"]).notes == (ada.get(note.id),)
    assert "Faro" in ada.read("What about Zed?", by=["graph"])[0].note.text
    assert disagreements(ada._store) == []


def test_a_note_is_read_once_by_each_model_and_all_readings_count(memory: Memories) -> None:
    ada = memory(extractor=None)
    ada.write_many(["Zed moved to Faro.", "Mia moved to Porto."])
    model = Reads()
    assert ada.extraction_cost(model).notes == 2
    assert ada.extraction_cost(model).tokens_in > 100
    assert model.requests == 0
    assert ada.extract(model, limit=1).notes == 1
    assert places(ada) == {("Zed", "Faro")}
    assert ada.extract(model).notes == 1
    assert (ada.extract(model).notes, ada.extract(model).requests) == (0, 0)
    ada.extract(Reads(name="other"))
    assert [one.fact.extractor for one in ada.extracted(ada.notes()[0].id)] == ["other", "reads"]
    assert len(ada.facts()) == 2
    silent = Reads(name="silent", found="")
    assert (ada.extract(silent).facts, ada.extract(silent).notes) == (0, 0)
    assert places(ada) == {("Zed", "Faro"), ("Mia", "Porto")}
    ada.rebuild()
    assert len(ada.facts()) == 2
    assert disagreements(ada._store) == []


def test_it_ends_no_fact_that_was_stated(memory: Memories) -> None:
    ada = memory(extractor=None)
    ada.write("Zed lives in Faro.", happened="2024-01-01", facts=[("Zed", "lives in", "Faro")])
    ada.write("Zed moved to Porto.", happened="2024-05-01")
    ada.extract(Reads())
    assert places(ada) == {("Zed", "Faro"), ("Zed", "Porto")}


def test_rebuilding_and_opening_again_ask_no_model(memory: Memories) -> None:
    ada = memory(extractor=None)
    ada.write_many(["Zed moved to Faro.", "Mia moved to Porto."])
    ada.extract(Reads())
    ada.rebuild()
    assert places(ada) == {("Zed", "Faro"), ("Mia", "Porto")}
    ada.close()
    assert places(memory(extractor=None)) == {("Zed", "Faro"), ("Mia", "Porto")}


def test_what_was_read_goes_with_the_note(memory: Memories) -> None:
    ada = memory(extractor=None)
    note = ada.write("Zanzibar moved to Farolin.")
    ada.extract(Reads())
    revised = ada.revise(note.id, "Zanzibar stayed.")
    assert ada.facts() == []
    assert ada.facts(known_at=note.change)[0].object == "Farolin"
    receipt = ada.forget(revised.id, erase=True)
    assert receipt.erased or memory.server
    assert ada.facts(known_at=note.change) == []
    with ada._store.database.overseeing(), ada._store.database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM extraction").scalar_one() == 0
    assert all(finding.level != "fail" for finding in ada.verify(receipt))
    with pytest.raises(NoteNotFound):
        ada.extracted(note.id)


def test_a_server_that_dies_leaves_what_was_read(memory: Memories) -> None:
    ada = memory(extractor=None)
    ada.write_many([f"P{n} moved to Faro." for n in range(4)])
    with pytest.raises(EndpointError):
        ada.extract(FactReader(Reads(breaks_at=3), notes_at_once=1))
    assert len(places(ada)) == 2
    assert ada.extract(Reads()).notes == 2
    assert len(places(ada)) == 4


def test_a_scope_reads_its_own_notes_and_quarantine_is_left_alone(memory: Memories) -> None:
    ada, work = memory("ada"), memory("ada/work")
    ada.write("Zed moved to Faro.")
    work.write("Mia moved to Porto.")
    held = work.write("Kim moved to Braga.")
    ada.quarantine(held.id)
    assert work.extract(Reads()).notes == 1
    assert ada.extract(Reads(), scope="ada/work").notes == 0
    assert ada.extract(Reads(), origins=["web"]).notes == 0
    counted: list[int] = []
    assert ada.extract(Reads(), on_progress=counted.append).notes == 1
    assert counted == [1]
    with pytest.raises(InvalidInput):
        ada.extract(Reads(), limit=0)


def test_what_is_forgotten_or_held_meanwhile_is_sent_to_no_model(memory: Memories) -> None:
    ada = memory(extractor=None)
    _, pin, held, old = ada.write_many(["Zed moved to Faro.", "The PIN is 4711.", "Held 0815.", "Old 2342."])

    def meanwhile(done: int) -> None:
        if len(ada.notes()) == 4:
            ada.forget(pin.id)
            ada.quarantine(held.id)
            ada.revise(old.id, "New.")

    model = Reads()
    assert ada.extract(FactReader(model, notes_at_once=1), on_progress=meanwhile).notes == 1
    assert "Faro" in model.seen
    assert not re.search("4711|0815|2342", model.seen)
    ada.release(held.id)
    assert ada.extract(model).notes == 2


def test_notes_without_a_usable_answer_do_not_keep_others_waiting(memory: Memories) -> None:
    ada = memory(extractor=None)
    ada.write_many(["unanswerable", "unanswerable too", "Zed moved to Faro."])
    assert [memory(extractor=None).extract(Reads(), limit=2).notes for _ in range(2)] == [0, 1]
    assert places(ada) == {("Zed", "Faro")}
    assert ada.extraction_cost(Reads()).notes == 2
    assert ada.extracted(ada.notes()[-1].id) == ()


@pytest.mark.parametrize(("policy", "facts"), [("refuse", 0), ("redact", 1)])
def test_what_the_screen_keeps_out_is_no_fact_either(memory: Memories, policy: Policy, facts: int) -> None:
    ada, token = memory(extractor=None), "ghp_" + "a1B2" * 9
    ada.write(f"Zed moved to {token}.")
    with Memory(memory.place(), scope="ada", embedder=None, extractor=None, screen=PatternScreen(policy)) as strict:
        done = strict.extract(Reads())
        assert (done.notes, done.facts, len(done.refused)) == (1, facts, 1 - facts)
        assert token not in f"{strict.facts()}{strict.extracted(strict.notes()[0].id)}{done.refused}"
        assert all("github" in one.why for one in done.refused)
