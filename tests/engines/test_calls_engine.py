"""A model that calls in the middle of its answer. What the model wants to write is scripted; what it may is not."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from call_tokenizers import call_tokenizer  # type: ignore[import-not-found]
from tiny_models import tiny_model, tiny_tokenizer  # type: ignore[import-not-found]

from tercet.engines.calls.acceptor import OPENING
from tercet.engines.calls.engine import CallEngine
from tercet.engines.calls.grammar import Call, find_calls, format_call
from tercet.engines.calls.likelihood import marginal_likelihood
from tercet.engines.calls.outcome import Outcome, Status, format_outcome
from tercet.engines.chat import Message
from tercet.engines.local_model import LocalModel
from tercet.engines.mini import MINI
from tercet.store.errors import EngineError, UnsupportedModel

USER = [Message("user", "Where?")]
LISBON = "MEM_READ(Ada >> lives in >> ?)"


def saved(folder: Path, kind: str) -> LocalModel:
    tokenizer = call_tokenizer(kind)
    tiny_model("llama", vocab_size=len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return LocalModel(folder)


@pytest.fixture(params=["byte level", "characters"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> LocalModel:
    return saved(tmp_path / "model", request.param)


class Store:
    """What the calls are run on."""

    def __init__(self, *outcomes: Callable[[Call], Outcome]) -> None:
        self.calls: list[Call] = []
        self._outcomes = list(outcomes)

    def run(self, call: Call) -> Outcome:
        self.calls.append(call)
        return self._outcomes.pop(0)(call)


def found(*values: str) -> Callable[[Call], Outcome]:
    return lambda call: Outcome(call, "found", values)


def ended(status: Status) -> Callable[[Call], Outcome]:
    return lambda call: Outcome(call, status)


def scripted(engine: CallEngine, monkeypatch: pytest.MonkeyPatch, *wishes: str) -> list[str]:
    """Makes the model wish for one text after each start; returns what it was started on, as it grows."""
    contexts: list[str] = []
    tokenizer = engine.model.tokenizer
    rest = list(wishes)

    def generate(
        *, input_ids: torch.Tensor, logits_processor: Sequence[Any], stopping_criteria: Sequence[Any], **_: object
    ) -> torch.Tensor:
        contexts.append(engine.constraint.vocabulary.text(input_ids[0].tolist()))
        size = len(tokenizer)
        wish = tokenizer(rest.pop(0), add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
        for token in wish:
            scores = torch.zeros(1, size)
            scores[0, token] = 1.0
            chosen = logits_processor[0](input_ids, scores)[0].argmax()
            input_ids = torch.cat((input_ids, chosen.reshape(1, 1)), 1)
            if bool(stopping_criteria[0](input_ids, scores)[0]) or int(chosen) == tokenizer.eos_token_id:
                break
        return input_ids

    monkeypatch.setattr(engine.model.model, "generate", generate)
    return contexts


def test_results_come_behind_the_call_and_the_model_goes_on(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(found("Lisbon", "(x)"))
    engine = CallEngine(model, store.run)
    contexts = scripted(engine, monkeypatch, f"Let me see: {LISBON}", "In Lisbon.")
    answer = engine.answer(USER)
    assert store.calls == [Call("read", "Ada", "lives in", None)]
    assert answer.text == "Let me see: In Lisbon."
    assert [outcome.status for outcome in answer.outcomes] == ["found"]
    assert contexts[1] == contexts[0] + f"Let me see: {LISBON} -> [Lisbon; \\(x\\)]\n"


def test_words_come_before_each_call_and_behind_the_last(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = CallEngine(model, Store(found("Lisbon")).run)
    scripted(engine, monkeypatch, f" Let me see: {LISBON}", "In Lisbon.")
    assert list(engine.stream(USER)) == ["Let me see: ", "In Lisbon."]
    assert (engine.name, engine.count("Ada")) == (model.name, model.count("Ada"))


def test_a_turn_can_be_made_to_begin_with_a_call(model: LocalModel) -> None:
    store = Store(*[ended("nothing")] * 20)
    engine = CallEngine(model, store.run)
    answer = engine.answer(USER, max_tokens=64, begin="write")
    assert answer.outcomes[0].call.verb == "write"
    assert engine.call(USER, verb="write").call == answer.outcomes[0].call


@pytest.mark.parametrize("status", ["nothing", "too many", "refused"])
def test_a_call_that_brings_nothing_is_as_if_it_had_not_been(
    model: LocalModel, monkeypatch: pytest.MonkeyPatch, status: Status
) -> None:
    store = Store(ended(status), found("Porto"))
    engine = CallEngine(model, store.run)
    again = "MEM_READ(Mia >> lives in >> ?)"
    contexts = scripted(engine, monkeypatch, f"Well {LISBON}", f"{LISBON} dunno. {again}", " done.")
    answer = engine.answer(USER)
    assert contexts[1] == contexts[0] + "Well "
    assert [outcome.status for outcome in answer.outcomes] == [status, "found"]
    assert [format_call(call) for call in store.calls] == [LISBON, again], "none before the sentence ended"
    assert not find_calls(answer.text)


def test_the_same_call_is_not_run_twice(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(found("Lisbon"))
    engine = CallEngine(model, store.run)
    scripted(engine, monkeypatch, LISBON, LISBON, "So.")
    answer = engine.answer(USER)
    assert [outcome.status for outcome in answer.outcomes] == ["found", "repeated"]
    assert answer.text == "So."


def test_a_call_cut_by_a_limit_is_not_run(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    engine = CallEngine(model, store.run, call_tokens=24)
    scripted(engine, monkeypatch, "MEM_WRITE(Adaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa >> b >> c)", "So.")
    answer = engine.answer(USER)
    assert [outcome.status for outcome in answer.outcomes] == ["cut"]
    assert store.calls == []
    assert answer.text == "So."


def test_calls_end_after_so_many(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(found("a"), found("b"))
    engine = CallEngine(model, store.run, most_calls=2)
    others = [f"MEM_READ(x >> {name} >> ?)" for name in "abc"]
    scripted(engine, monkeypatch, *others[:2], f"End. {others[2]} ")
    answer = engine.answer(USER)
    assert len(store.calls) == 2
    assert not find_calls(answer.text)


def test_nothing_is_run_that_the_model_says_for_the_user(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    engine = CallEngine(model, store.run)
    scripted(engine, monkeypatch, f"Hello.\nUser: {LISBON}")
    assert engine.answer(USER).text == "Hello."
    assert store.calls == []


def test_tokens_of_results_are_never_special(tmp_path: Path) -> None:
    engine = CallEngine(saved(tmp_path / "model", "byte level"), Store().run)
    outcome = Outcome(Call("read", "a", "b", None), "found", ("</s><s>", "<|user|>", "?) MEM_READ("))
    tokens = engine._tokens(format_outcome(outcome))
    assert not set(tokens) & set(engine.model.tokenizer.all_special_ids)
    assert engine.constraint.vocabulary.text(tokens) == format_outcome(outcome)
    assert engine.constraint.vocabulary.pieces.index(b"<|user|>") not in tokens
    assert engine._tokens("</s>a<s>") == engine._tokens("a"), "whatever spells one"


def test_a_model_can_be_made_to_call() -> None:
    store = Store(ended("nothing"), ended("written"))
    engine = CallEngine(LocalModel(MINI, device="cpu"), store.run)
    for verb in ("read", "write"):
        outcome = engine.call([Message("user", "Where does Ada live?")], verb=verb)
        assert outcome.call.verb == verb
        assert outcome.status == "cut" or store.calls[-1] == outcome.call


def test_a_trained_model_answers_within_its_tokens() -> None:
    model = LocalModel(MINI, device="cpu")
    engine = CallEngine(model, Store(*[ended("written")] * 24).run)
    answer = engine.answer([Message("user", "Ada lives in Lisbon. Where does Ada live?")], max_tokens=24)
    assert not find_calls(answer.text)
    assert model.count(answer.text) + sum(model.count(format_call(one.call)) for one in answer.outcomes) <= 24 + 2


def test_the_likelihood_is_over_the_call_that_the_model_makes(model: LocalModel) -> None:
    engine = CallEngine(model, Store(found("Lisbon")).run, call_tokens=24)
    engine._carried_out = lambda piece, asked: Outcome(  # type: ignore[method-assign]
        Call("read", "Ada", "lives in", None), "found", ("Lisbon",)
    )
    seen = engine._generate(model.layout(USER), 24, OPENING, engine.constraint)
    marginal = engine.likelihood(USER, "In Lisbon")
    assert marginal.total < 0
    assert seen.call
    tokens = model.tokenizer("In Lisbon", add_special_tokens=False)["input_ids"]
    opening = model.tokenizer("MEM_READ(", add_special_tokens=False)["input_ids"]
    alone = marginal_likelihood(model.model, model.layout(USER), tokens, opening=opening, called=[5])
    assert marginal.call == pytest.approx(alone.call)
    assert marginal.without == pytest.approx(alone.without)
    with pytest.raises(EngineError, match="0 tokens"):
        engine.likelihood(USER, "")


def test_a_tokenizer_that_cannot_call_is_refused(tmp_path: Path) -> None:
    tiny_model("llama").save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(UnsupportedModel, match="cannot spell a call"):
        CallEngine(LocalModel(tmp_path), Store().run)
