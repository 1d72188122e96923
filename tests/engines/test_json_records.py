"""JSON that a local model cannot get wrong, and where its tokenizer does not allow that, free text."""

import json
from pathlib import Path

import pytest
import torch
from call_tokenizers import call_tokenizer  # type: ignore[import-not-found]
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import tiny_model, tiny_tokenizer  # type: ignore[import-not-found]

from tercet.engines.chat import Message, NoRoom, StructuredModel
from tercet.engines.json_records import END, Records, Spot, schema_of
from tercet.engines.local_model import LocalModel
from tercet.store.errors import EngineError

RECORDS = Records("facts", ("subject", "object"))
ASK = [Message("user", "Which facts?")]


def walked(records: Records, text: bytes) -> Spot | None:
    spot: Spot | None = records.start
    for byte in text:
        spot = records.step(spot, byte) if spot else None
    return spot


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)


@given(st.lists(st.tuples(texts, texts), max_size=3))
def test_every_object_of_records_is_taken_and_can_be_ended_from_everywhere(facts: list[tuple[str, str]]) -> None:
    whole = {"facts": [{"subject": subject, "object": object} for subject, object in facts]}
    text = json.dumps(whole, ensure_ascii=False).encode()
    end = walked(RECORDS, text)
    assert end == Spot(b"", END)
    for size in range(len(text)):
        spot = walked(RECORDS, text[:size])
        assert spot
        rest = RECORDS.closing(spot)
        assert len(rest) <= RECORDS.longest_end
        assert walked(RECORDS, text[:size] + rest) == end
        json.loads((text[:size] + rest).decode("utf-8", "replace"))


@pytest.mark.parametrize(
    "text", ['{"facts": [{"object"', '{"facts": [}', '{"facts": [{"subject": "a\n', '{"facts": [{"subject": "\\q', "x"]
)
def test_nothing_else_is_taken(text: str) -> None:
    assert walked(RECORDS, text.encode()) is None


def test_the_schema_is_of_the_same_objects() -> None:
    schema = schema_of("facts", ("subject", "object"))
    assert json.loads(json.dumps(schema)) == schema
    assert schema["required"] == ["facts"]


def written(model: LocalModel, max_tokens: int) -> str:
    """Returns the object, also where the model had more to say."""
    try:
        answer = model.generate_json(ASK, name="facts", fields=("subject", "object"), max_tokens=max_tokens)
    except NoRoom as cut:
        answer = cut.answer
    return answer


@pytest.mark.parametrize("kind", ["byte level", "byte fallback"])
@pytest.mark.parametrize("max_tokens", [60, 64, 200])
def test_whatever_a_model_wants_it_writes_records(kind: str, max_tokens: int, tmp_path: Path) -> None:
    tokenizer = call_tokenizer(kind)
    for seed in range(2):
        tiny_model("llama", vocab_size=len(tokenizer), max_position_embeddings=400, seed=seed).save_pretrained(tmp_path)
        tokenizer.save_pretrained(tmp_path)
        model = LocalModel(tmp_path)
        assert isinstance(model, StructuredModel)
        answer = written(model, max_tokens)
        facts = json.loads(answer)["facts"]
        assert all(list(fact) == ["subject", "object"] for fact in facts)
        assert written(model, max_tokens) == answer


def test_too_little_room_is_said(tmp_path: Path) -> None:
    tokenizer = call_tokenizer("byte level")
    tiny_model("llama", vocab_size=len(tokenizer)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(EngineError, match="max_tokens=8 is too few"):
        LocalModel(tmp_path).generate_json(ASK, name="facts", fields=("subject",), max_tokens=8)


def test_a_tokenizer_that_cannot_spell_json_leaves_the_answer_free(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    tiny_model("llama").save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = LocalModel(tmp_path)
    free = model.generate(ASK, max_tokens=12)
    assert model.generate_json(ASK, name="facts", fields=("subject",), max_tokens=12) == free
    assert torch.is_grad_enabled()
