import contextlib
import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import shared_model, tiny_model, tiny_tokenizer, words  # type: ignore[import-not-found]

from tercet.engines.chat import ChatModel, Message
from tercet.engines.local_model import LocalModel
from tercet.engines.text_sink import TextSink, one_turn
from tercet.store.errors import EngineError, MissingExtra, UnsupportedModel

TEMPLATE = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system here') }}{% endif %}"
    "{{ m.content + ' ' }}{% endfor %}{% if add_generation_prompt %}w4{% endif %}"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("models") / "tiny-llama"
    tiny_model("llama").save_pretrained(folder)
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def user(text: str) -> list[Message]:
    return [Message("user", text)]


def plain(model: LocalModel, tokens: list[int], length: int) -> list[int]:
    ids = torch.tensor([tokens])
    found = model.model.generate(ids, max_new_tokens=length, do_sample=False, pad_token_id=0)  # type: ignore[operator]
    return [int(token) for token in found[0, len(tokens) :] if token > 2]


def test_it_is_a_chat_model(folder: Path) -> None:
    model: ChatModel = LocalModel(folder)
    assert model.name == "tiny-llama"
    assert model.count(words(5, 6, 7)) == 3


def test_it_answers_greedily_what_the_template_lays_out(folder: Path) -> None:
    model = LocalModel(folder, device="cpu", dtype="float32")
    answer = model.generate([Message("user", words(5, 6)), Message("assistant", "w9"), *user("w7")], max_tokens=12)
    assert answer == words(*plain(model, [5, 6, 9, 7, 4], 12))
    assert 0 < len(answer.split()) <= 12


def test_pieces_together_are_the_answer(folder: Path) -> None:
    model = LocalModel(folder)
    pieces = list(model.stream(user("w5 w6"), max_tokens=9))
    assert len(pieces) == 9
    assert "".join(pieces) == model.generate(user("w5 w6"), max_tokens=9)


def test_it_stops_where_the_model_ends(copy: Path) -> None:
    model = LocalModel(copy)
    tokens = plain(model, [5, 6, 4], 8)
    settings = json.loads((copy / "generation_config.json").read_text())
    (copy / "generation_config.json").write_text(json.dumps(settings | {"eos_token_id": [2, tokens[4]]}))
    ended = LocalModel(copy).generate(user("w5 w6"), max_tokens=50)
    assert ended.split()[: tokens.index(tokens[4])] == words(*tokens).split()[: tokens.index(tokens[4])]
    assert len(ended.split()) == tokens.index(tokens[4]) + 1


def test_the_settings_of_a_model_for_sampling_do_not_make_it_sample(
    copy: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    wanted = LocalModel(copy).generate(user("w5 w6"), max_tokens=20)
    settings = json.loads((copy / "generation_config.json").read_text())
    settings |= {"do_sample": True, "temperature": 2.0, "top_p": 0.9, "top_k": 5, "max_length": 40}
    (copy / "generation_config.json").write_text(json.dumps(settings))
    model = LocalModel(copy)
    assert [model.generate(user("w5 w6"), max_tokens=20) for _ in range(3)] == [wanted] * 3
    assert not caplog.records
    assert capfd.readouterr().err == ""


def test_nothing_is_cut_off_silently(folder: Path) -> None:
    model = LocalModel(folder)
    with pytest.raises(
        EngineError, match="prompt of 301 tokens leaves no room in the context of tiny-llama, which is 256"
    ):
        model.generate(user(words(*[5] * 300)))
    assert len(model.generate(user(words(*[5] * 250)), max_tokens=99).split()) <= 5


def test_messages_that_the_template_refuses_are_an_error(folder: Path) -> None:
    with pytest.raises(EngineError, match="template of tiny-llama refuses messages of system, user: no system here"):
        LocalModel(folder).generate([Message("system", "w5"), *user("w6")])
    with pytest.raises(EngineError, match="no message"):
        LocalModel(folder).generate([])


def test_streaming_ends_its_thread_when_nobody_reads_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = LocalModel(folder)

    def endless(*, streamer: TextSink, **_: object) -> None:
        while True:
            streamer.put(torch.tensor([5]))
            time.sleep(0.001)

    monkeypatch.setattr(model.model, "generate", endless)

    def working() -> int:
        return sum(thread.name == "tercet-answer" for thread in threading.enumerate())

    with contextlib.closing(model.stream(user("w5"))) as pieces:
        assert next(pieces) == "w5"
        assert working() == 1
    assert working() == 0


def test_an_error_in_the_model_reaches_the_reader(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = LocalModel(folder)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(model.model, "generate", broken)
    with pytest.raises(EngineError, match="the model failed with RuntimeError: out of luck"):
        model.generate(user("w5"))
    with pytest.raises(EngineError, match="max_tokens is 0"):
        model.generate(user("w5"), max_tokens=0)


def test_an_answer_reads_the_memories_of_its_block_in_its_own_thread(folder: Path) -> None:
    model = LocalModel(folder)
    without = model.generate(user("w5 w6"), max_tokens=12)
    engine = model.attention
    with engine.attend(engine.encode([words(20, 21, 22)])) as attention:
        inside = "".join(model.stream(user("w5 w6"), max_tokens=12))
    assert inside != without
    assert 0 < attention.masses[0] < 1
    assert model.generate(user("w5 w6"), max_tokens=12) == without


def test_a_model_without_attention_for_memories_answers_and_refuses_them(tmp_path: Path) -> None:
    tiny_model("gpt2").save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    model = LocalModel(tmp_path)
    assert model.generate(user("w5"), max_tokens=3)
    with pytest.raises(UnsupportedModel, match="absolute"):
        _ = model.attention


@pytest.mark.parametrize("name", ["~/no/such/folder", "/no/such/folder", "./missing", "../missing", "a/b/c"])
def test_a_missing_folder_is_an_error(name: str) -> None:
    with pytest.raises(EngineError, match="there is no folder"):
        _ = LocalModel(name).model


def test_an_incomplete_folder_is_an_error_that_names_what_is_missing(copy: Path) -> None:
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(EngineError, match=r"has no \*.safetensors.*pickled weights are never loaded"):
        _ = LocalModel(copy).model
    (copy / "pytorch_model.bin").rename(copy / "model.safetensors")
    (copy / "tokenizer.json").unlink()
    with pytest.raises(EngineError, match=r"has no tokenizer\.json"):
        _ = LocalModel(copy).tokenizer
    (copy / "config.json").unlink()
    with pytest.raises(EngineError, match=r"has no config\.json"):
        _ = LocalModel(copy).tokenizer


def test_damaged_and_foreign_files_are_errors(copy: Path) -> None:
    (copy / "tokenizer.json").write_text("{broken")
    with pytest.raises(EngineError, match="cannot load"):
        _ = LocalModel(copy).tokenizer
    (copy / "model.safetensors").write_bytes(b"junk")
    with pytest.raises(EngineError, match="cannot load"):
        _ = LocalModel(copy).model
    (copy / "config.json").write_text('{"model_type": "nonesuch", "auto_map": {"AutoConfig": "evil.Config"}}')
    (copy / "evil.py").write_text("raise SystemExit('the code of a model was run')")
    with pytest.raises(EngineError, match="cannot load"):
        _ = LocalModel(copy).model


def test_weights_that_are_not_all_there_are_an_error(copy: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(copy / "model.safetensors")
    del weights["model.layers.2.mlp.up_proj.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EngineError, match=r"lack 1 of the model's weights, for example model\.layers\.2\.mlp\.up_proj"):
        _ = LocalModel(copy).model


def test_a_hub_that_cannot_be_reached_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(EngineError, match="hf download nobody/nothing-here"):
        _ = LocalModel("nobody/nothing-here").model


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from tercet.engines import encoder_files

    monkeypatch.setattr(encoder_files, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"pip install 'tercet\[local\]'"):
        LocalModel("Qwen/Qwen3-0.6B")


def test_nothing_is_loaded_before_it_is_used_and_then_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoModelForCausalLM

    loads: list[object] = []
    load = AutoModelForCausalLM.from_pretrained

    def counted(*args: Any, **options: Any) -> object:  # noqa: ANN401
        loads.append(1)
        return load(*args, **options)

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", counted)
    model = LocalModel(folder)
    model.count("w5")
    assert loads == []
    assert model.model is model.model
    assert loads == [1]
    assert model.model.dtype == torch.float32
    assert not model.model.training


@pytest.mark.data
def test_a_trained_model_without_a_template_continues_a_transcript() -> None:
    model = LocalModel(shared_model("stories260K"))
    assert model.name == "stories260K"
    answer = model.generate(user("Once upon a time, there was a cat."), max_tokens=40)
    assert len(answer.split()) > 10
    assert answer == "".join(model.stream(user("Once upon a time, there was a cat."), max_tokens=40))
    assert answer == answer.lstrip()


def test_a_turn_ends_where_the_user_would_speak() -> None:
    def spoken(*pieces: str) -> list[str]:
        return list(one_turn(pieces, end="\nUser:"))

    assert spoken(" \n", " In Lis", "bon.\nUs", "er: And", " you?") == ["In Lis", "bon."]
    assert spoken("One\n", "Two\nUsual", "\nUse") == ["One", "\nTwo\nUsual", "\nUse"]
    assert spoken("\nUser: me") == []
    assert "".join(one_turn(["  a\nUser:", " b"], end="")) == "a\nUser: b"


def test_half_characters_wait_for_their_other_half() -> None:
    data = "aé€b".encode()
    sink = TextSink(lambda tokens: bytes(tokens).decode(errors="replace"))
    sink.put(torch.tensor([[1, 2, 3]]))  # the prompt
    for byte in data:
        sink.put(torch.tensor([byte]))
    sink.end()
    assert list(sink) == ["a", "é", "€", "b"]


def test_what_is_left_at_the_end_is_handed_on() -> None:
    def pieces() -> Iterator[str]:
        sink = TextSink(lambda tokens: bytes(tokens).decode(errors="replace"))
        sink.put(torch.tensor([[0]]))
        sink.put(torch.tensor([0xC3]))
        sink.end()
        yield from sink

    assert list(pieces()) == ["\ufffd"]
