from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tercet
from tercet.adapters.dialogues import FILE_LIMIT, Transcript, read_dialogue
from tercet.store.draft import checked_draft
from tercet.store.errors import InvalidInput, LimitExceeded

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "adapters" / "cli" / "demo"
DATA = Path(os.environ.get("TERCET_DATA", ROOT.parent / "shared" / "data"))


def turn(number: int, **more: object) -> dict[str, object]:
    return {"speaker": "Nora", "dia_id": f"D1:{number}", "text": f"turn {number}", **more}


def dialogue(**conversation: object) -> dict[str, Any]:
    sessions = conversation or {"session_1": [turn(1)], "session_1_date_time": "1:56 pm on 8 May, 2023"}
    return {"sample_id": "conv-1", "conversation": {"speaker_a": "Nora", "speaker_b": "Theo", **sessions}}


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[object], Path]:
    def save(content: object) -> Path:
        path = tmp_path / "talk.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return save


def read_one(path: Path) -> Transcript:
    (only,) = read_dialogue(path)
    return only


# --- what a file becomes ---------------------------------------------------------------------------------------


def test_a_turn_becomes_the_keywords_of_write(saved: Callable[[object], Path]) -> None:
    fact = {"subject": "Nora", "relation": "lives in", "object": "Leeds", "valid_from": "2023-10"}
    path = saved(
        [
            dialogue(
                session_1=[turn(1, facts=[fact, ["Lena", "sister of", "Theo"]], img_url=["x.png"])],
                session_1_date_time="12:05 am on 8 May, 2023",
            )
        ]
    )
    assert read_one(path).turns == (
        {
            "text": "turn 1",
            "speaker": "Nora",
            "source": "conv-1:D1:1",
            "thread": "conv-1",
            "happened": "2023-05-08T00:05",
            "metadata": {"session": 1},
            "facts": [fact, {"subject": "Lena", "relation": "sister of", "object": "Theo"}],
        },
    )


def test_sessions_are_read_in_the_order_of_their_numbers(saved: Callable[[object], Path]) -> None:
    path = saved([dialogue(session_10=[turn(3)], session_2=[turn(2)], session_1=[turn(1)])])
    turns = read_one(path).turns
    assert [item["text"] for item in turns] == ["turn 1", "turn 2", "turn 3"]
    assert [item["metadata"] for item in turns] == [{"session": 1}, {"session": 2}, {"session": 10}]


@pytest.mark.parametrize(
    ("written", "happened"),
    [
        ("12:00 am on 1 January, 2024", "2024-01-01T00:00"),
        ("12:30 pm on 29 February, 2024", "2024-02-29T12:30"),
        ("1:56 pm on 8 May, 2023", "2023-05-08T13:56"),
        ("11:59 PM on 31 december 2023", "2023-12-31T23:59"),
        ("", ""),
        (None, ""),
    ],
)
def test_the_moment_of_a_session_is_iso(saved: Callable[[object], Path], written: object, happened: str) -> None:
    path = saved([dialogue(session_1=[turn(1)], session_1_date_time=written)])
    assert read_one(path).turns[0]["happened"] == happened


def test_a_session_without_a_date_has_an_empty_moment(saved: Callable[[object], Path]) -> None:
    assert read_one(saved([dialogue(session_1=[turn(1)])])).turns[0]["happened"] == ""


def test_a_caption_follows_the_words(saved: Callable[[object], Path]) -> None:
    rows = [
        turn(1, blip_caption="a dog in a bath"),
        turn(2, text="", blip_caption="a boat"),
        turn(3, text=" ", blip_caption=None),
        turn(4, blip_caption=" "),
    ]
    texts = [item["text"] for item in read_one(saved([dialogue(session_1=rows)])).turns]
    assert texts == ["turn 1 [image: a dog in a bath]", "[image: a boat]", "turn 4"]


def test_dialogues_without_an_id_are_named_by_place(saved: Callable[[object], Path]) -> None:
    first, second = dialogue(), dialogue()
    del second["sample_id"]
    assert [item.id for item in read_dialogue(saved([first, second]))] == ["conv-1", "dialogue-2"]


def test_questions_keep_their_evidence_and_answers(saved: Callable[[object], Path]) -> None:
    whole = dialogue() | {
        "qa": [
            {"question": "When?", "answer": 2022, "evidence": ["D1:1", "D9:9"], "category": 2},
            {"question": "Never said?", "adversarial_answer": "x", "evidence": [], "category": 5},
        ]
    }
    dated, never = read_one(saved([whole])).questions
    assert (dated.text, dated.answer, dated.category) == ("When?", "2022", 2)
    assert dated.evidence == ("conv-1:D1:1", "conv-1:D9:9")
    assert (never.answer, never.evidence) == ("", ())


# --- what is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "this is no JSON"),
        (b"speaker: Nora", "this is no JSON"),
        (b"[{]", "this is no JSON"),
        (b'["\xff"]', "byte 2 is not UTF-8"),
        (b"[" + b"9" * 5000 + b"]", "this is no JSON"),
        (b"[NaN]", "NaN is no JSON number"),
        (b"[" * 65 + b"]" * 65, "deep, the limit is 64"),
        (b"[" * 200_000 + b"]" * 200_000, "deep, the limit is 64"),
        (b'[{"sample_id": "a", "sample_id": "b"}]', "the key 'sample_id' stands twice"),
        (b'["\\ud800"]', "lone surrogate"),
        (b'[{"\\udc00": 1}]', "lone surrogate"),
        (b'["a\\u0000b"]', "NUL character"),
        (b"{}", "the whole file: input should be a valid list"),
        (b"[5]", "[0]: input should be an object, not 5"),
        (b'[{"sample_id": "a"}]', "[0].conversation: field required"),
    ],
)
def test_malformed_files_are_refused(saved: Callable[[object], Path], content: bytes, complaint: str) -> None:
    path = saved(content)
    with pytest.raises(InvalidInput) as refused:
        read_dialogue(path)
    assert complaint in str(refused.value)
    assert str(refused.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("conversation", "complaint"),
    [
        ({"session_1": [turn(1), turn(2, text=5)]}, "[0].conversation.session_1[1].text: input should be a valid"),
        ({"session_1": [{"speaker": "Nora", "text": "hi"}]}, "[0].conversation.session_1[0].dia_id: field required"),
        ({"session_3": "hello"}, "[0].conversation.session_3: input should be a valid list, not 'hello'"),
        ({"session_1": [turn(1)], "session_1_date_time": 5}, "[0].conversation.session_1_date_time: input should be"),
        ({"session_1": [turn(1)], "session_1_date_time": "8 May"}, "session_1_date_time is not a moment: '8 May'"),
        ({"session_1": [turn(1)], "session_1_date_time": "1:00 pm on 31 April, 2023"}, "is not a moment"),
        ({"session_1": [turn(1)], "session_1_date_time": "13:00 pm on 1 April, 2023"}, "is not a moment"),
        ({"session_1": [turn(1, facts=[["a", "b"]])]}, "[0].conversation.session_1[0].facts[0]: "),
        ({"session_1": [turn(1, facts=[{"subject": "a", "relation": "b", "object": "c", "since": "2020"}])]}, "since"),
        ({"chapter_1": [turn(1)]}, "[0].conversation has no session_1"),
    ],
)
def test_wrong_shapes_are_named_by_path(
    saved: Callable[[object], Path], conversation: dict[str, object], complaint: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_dialogue(saved([dialogue(**conversation)]))
    assert complaint in str(refused.value)


def test_64_levels_are_still_read(saved: Callable[[object], Path]) -> None:
    nested: object = "deep"
    for _ in range(61):
        nested = [nested]
    assert read_one(saved([dialogue() | {"observation": nested}])).id == "conv-1"


def test_two_dialogues_of_one_name_are_refused(saved: Callable[[object], Path]) -> None:
    with pytest.raises(InvalidInput, match="sample_id 'conv-1' stands on 2 dialogues"):
        read_dialogue(saved([dialogue(), dialogue()]))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="it cannot be read"):
        read_dialogue(tmp_path / "none.json")
    with pytest.raises(InvalidInput, match="it cannot be read"):
        read_dialogue(tmp_path)


def test_a_file_over_the_limit_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    with path.open("wb") as stream:
        stream.truncate(FILE_LIMIT + 1)
    with pytest.raises(LimitExceeded, match="larger than 64 MiB"):
        read_dialogue(path)


# --- the files there are ---------------------------------------------------------------------------------------


def test_the_demo_dialogue_is_whole() -> None:
    demo = read_one(DEMO / "dialogue.json")
    sources = [turn["source"] for turn in demo.turns]
    moments = [str(turn["happened"]) for turn in demo.turns]
    assert len(demo.turns) == len(set(sources)) == 62
    assert {turn["speaker"] for turn in demo.turns} == {"Nora", "Theo"}
    assert moments == sorted(moments)
    assert len(set(moments)) == 7
    assert len(demo.questions) == 16
    assert {question.category for question in demo.questions} == {1, 2, 3, 4, 5}
    for question in demo.questions:
        assert question.evidence
        assert set(question.evidence) <= set(sources), question.text
    for turn in demo.turns:
        checked_draft(**turn, scope="demo")  # type: ignore[arg-type]  # one mapping, many value types


def test_the_demo_dialogue_holds_a_move_and_a_chain() -> None:
    facts = [
        fact
        for turn in read_one(DEMO / "dialogue.json").turns
        for fact in turn.get("facts", ())  # type: ignore[attr-defined]  # a list of mappings
    ]
    homes = {
        fact["object"]: fact["valid_from"]
        for fact in facts
        if fact["subject"] == "Nora" and fact["relation"] == "lives in"
    }
    assert homes == {"Leeds": "2023-10", "Bristol": "2024-07-27"}
    links = {(fact["subject"], fact["relation"]): fact["object"] for fact in facts}
    assert links["Lena", "sister of"] == "Theo"
    assert links[links["Lena", "works at"], "located in"] == "Whitby"


def test_the_demo_model_travels_with_its_licence() -> None:
    folder = Path(tercet.__file__).resolve().parent / "adapters" / "cli" / "demo" / "stories260K"
    assert "MIT License" in (folder / "LICENSE").read_text()
    assert "Andrej" in (folder / "README.md").read_text()
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {path.name for path in folder.iterdir()}


@pytest.mark.data
def test_locomo_is_read_whole() -> None:
    path = DATA / "locomo" / "locomo_open.json"
    if not path.exists():
        pytest.skip(f"no data set at {path}; set TERCET_DATA")
    dialogues = read_dialogue(path)
    assert [(item.id, len(item.turns), len(item.questions)) for item in dialogues] == [
        ("conv-26", 419, 199),
        ("conv-30", 369, 105),
        ("conv-41", 663, 193),
        ("conv-42", 629, 260),
    ]
    for item in dialogues:
        moments = [str(turn["happened"]) for turn in item.turns]
        assert moments == sorted(moments)
        sources = {turn["source"] for turn in item.turns}
        missing = [source for question in item.questions for source in question.evidence if source not in sources]
        assert len(missing) <= 2
