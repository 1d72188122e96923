"""A model reads notes: what it says is believed where the note says so, and nothing it says costs a note."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from chat_server import ChatServer, Reply, Turn  # type: ignore[import-not-found]
from endpoint_cases import Connect, completion  # type: ignore[import-not-found]
from note_factory import note  # type: ignore[import-not-found]

from tercet.engines import EndpointModel, FactReader
from tercet.engines.chat import Message
from tercet.store.errors import EndpointError, InvalidInput
from tercet.store.note import Note, Triplet

LISBON = {"note": "1", "subject": "Ada", "relation": "lives in", "object": "Lisbon", "since": "2024-03", "until": ""}
LISBON["span"] = "I moved to  lisbon"


def notes(*texts: str) -> list[Note]:
    return [replace(note(text), num=number, id=f"{number:016x}") for number, text in enumerate(texts, 1)]


class Scripted:
    """Answers as told, one after the other, and keeps what it was asked."""

    name = "scripted"

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[list[Message]] = []

    def count(self, text: str) -> int:
        return len(text.split())

    def generate(self, messages: Sequence[Message], *, max_tokens: int = 256) -> str:
        self.asked.append(list(messages))
        return self.answers.pop(0)

    def stream(self, messages: Sequence[Message], *, max_tokens: int = 256):  # type: ignore[no-untyped-def]
        raise AssertionError("a reader waits for whole answers")


def told(*facts: object) -> str:
    return json.dumps({"facts": list(facts)})


def test_a_fact_comes_with_the_words_that_say_so() -> None:
    model = Scripted("Here you are:\n```json\n" + told(LISBON) + "\n```")
    done = FactReader(model).read(notes("I moved to Lisbon in March 2024.", "Nothing."))
    (one,), nothing = done.found[1], done.found[2]
    assert one.fact == Triplet("Ada", "lives in", "Lisbon", "2024-03", "", 0.8, "scripted")
    assert one.span == "I moved to Lisbon"
    assert (nothing, done.refused, done.requests) == ((), [], 1)
    assert done.tokens_in > 50
    assert '"text": "I moved to Lisbon in March 2024."' in model.asked[0][1].content


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"span": "I love Lisbon"}, "the note does not say 'I love Lisbon'"),
        ({"span": " "}, "names no words"),
        ({"note": "7"}, "no note '7' among the 1 given"),
        ({"note": "one"}, "no note 'one'"),
        ({"object": ""}, "a subject, a relation and an object"),
        ({"subject": "?!"}, "no letters and no digits"),
        ({"since": "soon"}, "valid_from is not a date"),
        ({"until": "2023"}, "must come after"),
        ({"object": ["Lisbon"]}, "object: "),
        ({"object": "x" * 2_000}, "the limit is 1,000"),
        ({"object": "Lis\x00bon"}, "NUL"),
    ],
)
def test_what_the_note_does_not_support_is_refused_with_the_reason(change: dict[str, object], why: str) -> None:
    done = FactReader(Scripted(told(LISBON | change, LISBON))).read(notes("I moved to Lisbon."))
    assert [one.fact.object for one in done.found[1]] == ["Lisbon"], "the other fact is kept"
    (refused,) = done.refused
    assert why in refused.why
    assert refused.said


def test_what_the_note_does_not_name_is_less_sure() -> None:
    concluded = LISBON | {"object": "Portugal"}
    done = FactReader(Scripted(told(concluded))).read(notes("I moved to Lisbon."))
    assert [one.fact.confidence for one in done.found[1]] == [0.5]


def test_an_answer_without_json_is_asked_for_again_then_note_by_note() -> None:
    model = Scripted("I cannot.", "Still no.", "{}", "never", told(LISBON))
    done = FactReader(model).read(notes("Broken.", "I moved to Lisbon."))
    assert list(done.found) == [2]
    assert done.found[2][0].fact.object == "Lisbon"
    (refused,) = done.refused
    assert (refused.note, done.requests) == (f"{1:016x}", 5)
    again = model.asked[1]
    assert [message.role for message in again] == ["system", "user", "assistant", "user"]
    assert "holds no JSON object" in again[-1].content


@pytest.mark.parametrize("answer", ['{"facts": [NaN]}', '{"facts": 1}', '{"facts": [], "facts": []}', "{" * 99 + "}"])
def test_json_that_is_none_is_no_answer(answer: str) -> None:
    done = FactReader(Scripted(answer, answer)).read(notes("I moved."))
    assert (done.found, len(done.refused)) == ({}, 1)


def test_batches_keep_within_notes_and_tokens() -> None:
    reader = FactReader(Scripted(), notes_at_once=3, tokens_at_once=40)
    many = notes(*["a b c"] * 4, "long " * 60, "a")
    batches = [[item.num for item in batch] for batch in reader.batches(many)]
    assert [num for batch in batches for num in batch] == [1, 2, 3, 4, 5, 6]
    assert max(map(len, batches)) == 3
    assert [5] in batches
    assert reader.cost(many[:1])[0] > 100
    with pytest.raises(InvalidInput, match="notes_at_once=0"):
        FactReader(Scripted(), notes_at_once=0)


def test_a_server_is_given_the_schema_and_one_that_refuses_it_is_asked_without(connect: Connect) -> None:
    def answers(turns: list[Turn]) -> str:
        return told(LISBON)

    refusing = Reply(b'{"error": "response_format is not supported"}', status=400)
    with ChatServer(refusing, model=answers) as server:
        reader = FactReader(EndpointModel(server.url, "qwen3"))
        for _ in range(2):
            assert reader.read(notes("I moved to Lisbon."))
        schema = server.requests[0]["response_format"]["json_schema"]["schema"]
        assert "span" in schema["properties"]["facts"]["items"]["properties"]
        assert ["response_format" in request for request in server.requests] == [True, False, False]
    with ChatServer(Reply(completion(told(LISBON)))) as server:
        assert FactReader(EndpointModel(server.url, "qwen3")).read(notes("I moved to Lisbon.")).found[1]


def test_a_server_that_fails_is_an_error_and_no_refusal(connect: Connect) -> None:
    model, server = connect(Reply(b"down", status=500))
    with pytest.raises(EndpointError, match="500"):
        FactReader(model).read(notes("I moved to Lisbon."))
    assert len(server.requests) == 1
