"""What a reply tells about its memories in attention: where they were read, and what each did for the answer."""

from pathlib import Path

import pytest
import torch
from factories import Memories  # type: ignore[import-not-found]

from tercet.engines.endpoint import EndpointModel
from tercet.engines.local_model import LocalModel
from tercet.sdk import Dialogue, Memory
from tercet.sdk.attributing import attribute
from tercet.store.errors import InvalidInput, UnsupportedModel

torch.set_num_threads(1)  # a model this small gains nothing from threads, and loses much on a busy machine

STORIES = Path(__file__).parents[2] / "adapters" / "cli" / "demo" / "stories260K"


@pytest.fixture(scope="module")
def stories() -> LocalModel:
    return LocalModel(STORIES, device="cpu")


@pytest.fixture
def ada(memory: Memories) -> Memory:
    made: Memory = memory()
    return made


def test_a_reply_tells_where_in_the_model_each_memory_was_read(ada: Memory, stories: LocalModel) -> None:
    ada.write_many(["Lily has a red ball.", "Tom has a big blue car."])
    reply = Dialogue(ada, stories, attend=True, k=2, system="", max_tokens=9).say("What does Lily have?")
    shares = reply.attention
    assert shares is not None
    config = stories.model.config
    assert shares.by_head.shape == (config.num_hidden_layers, config.num_attention_heads, 3)
    assert shares.layers == tuple(range(config.num_hidden_layers))
    assert shares.by_layer.sum(1) == pytest.approx(1, abs=1e-5)
    assert shares == pytest.approx(tuple(shares.by_layer.mean(0)[:-1]))


def test_a_reply_tells_on_request_what_each_memory_did_for_it(ada: Memory, stories: LocalModel) -> None:
    ada.write_many(["Lily has a red ball.", "Tom has a big blue car."])
    dialogue = Dialogue(ada, stories, attend=True, k=2, system="", max_tokens=9)
    reply = dialogue.say("What does Lily have?")
    found = reply.effects()
    prompt = "User: What does Lily have?\nAssistant:"
    tokenizer, model = stories.tokenizer, stories.model
    given = [tokenizer.bos_token_id, *tokenizer(prompt, add_special_tokens=False)["input_ids"]]
    with reply.recall.attend(stories) as attention:
        ids = model.generate(torch.tensor([given]), max_new_tokens=9, do_sample=False)[0].tolist()  # type: ignore[operator]
        wanted = attention.effects(given, ids[len(given) :])
    assert found.tokens == 9
    assert found.each == pytest.approx(wanted.each, abs=1e-4)
    assert found.together == pytest.approx(wanted.together, abs=1e-4)
    with stories.attention.attend([]):
        logits = model(torch.tensor([ids])).logits[0, len(given) - 1 : -1].detach().log_softmax(1)
    alone = float(logits.gather(1, torch.tensor(ids[len(given) :])[:, None]).sum())
    assert found.alone == pytest.approx(alone, abs=1e-3)
    assert reply.effects() == found, "it changes nothing, and can be asked again"


def test_effects_end_with_the_notes_that_an_answer_stood_on(ada: Memory, stories: LocalModel) -> None:
    ball = ada.write("Lily has a red ball.")
    ada.write("Tom has a big blue car.")
    dialogue = Dialogue(ada, stories, attend=True, k=2, system="", max_tokens=5)
    first = dialogue.say("What does Lily have?")
    second = dialogue.say("And Tom?")
    ada.forget(first.note.id)
    for reply in (first, second):  # the second had the first in its prompt
        with pytest.raises(InvalidInput, match="forgotten or set aside"):
            reply.effects()
    ada.forget(ball.id)
    third = dialogue.say("What does Lily have?")
    assert ball.id not in {note.id for note in third.recall.notes}
    assert third.attention is not None
    assert len(third.effects().each) == len(third.attention) == len(third.recall)


def test_an_answer_from_words_has_no_effects(ada: Memory, stories: LocalModel) -> None:
    ada.write("Lily has a red ball.")
    reply = Dialogue(ada, stories, max_tokens=3).say("Lily?")
    with pytest.raises(InvalidInput, match="attend=True"):
        reply.effects()


def test_an_attribution_is_what_a_dialogue_would_say_and_writes_nothing(ada: Memory, stories: LocalModel) -> None:
    ada.write_many(["Lily has a red ball.", "Tom has a big blue car."])
    before = ada.stats().change
    found = attribute(ada, stories, "What does Lily have?", k=2, max_tokens=9)
    assert ada.stats().change == before
    reply = Dialogue(ada, stories, attend=True, k=2, max_tokens=9).say("What does Lily have?")
    assert found.answer == reply.text
    assert found.recall.notes == reply.recall.notes
    assert found.attention == pytest.approx(reply.attention, abs=1e-6)
    assert found.effects is not None
    assert found.effects.each == pytest.approx(reply.effects().each, abs=1e-4)


def test_an_attribution_of_nothing_and_of_bad_input(ada: Memory, stories: LocalModel) -> None:
    found = attribute(ada, stories, "What does Lily have?", max_tokens=3)
    assert (found.attention, found.effects, len(found.recall)) == ((), None, 0)
    for question, k, most in ((" ", 1, 1), ("Lily?", 0, 1), ("Lily?", 1, 0)):
        with pytest.raises(InvalidInput):
            attribute(ada, stories, question, k=k, max_tokens=most)
    far = EndpointModel("http://127.0.0.1:9/v1", "qwen3")
    with pytest.raises(UnsupportedModel, match="qwen3 does not run in this process"):
        attribute(ada, far, "Lily?")
    far.close()
