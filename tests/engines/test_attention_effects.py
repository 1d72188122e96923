"""What each memory got, head by head, and what it did for an answer: against the slow way, and by what must be true."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from one_prompt import reference  # type: ignore[import-not-found]
from tiny_models import shared_engine, tiny_model, tiny_tokenizer, words  # type: ignore[import-not-found]

from tercet.engines import LocalModel
from tercet.engines.attention import Attention, AttentionEngine, Recipe, Shares
from tercet.engines.attention import ablation as module
from tercet.engines.chat import Message
from tercet.engines.mini import MINI
from tercet.engines.prompt import compose
from tercet.sdk.dialogue import SYSTEM
from tercet.store.errors import EngineError
from tercet.store.form import Record

MEMORIES = [[1, *range(10, 27)], [1, *range(40, 51)], [1, 30, 31, 32, 33]]
PROMPT, ANSWER = [60, 71, 62, 73], [64, 75, 66, 20, 21]


def records(engine: AttentionEngine, memories: Sequence[Sequence[int]] = MEMORIES) -> list[Record]:
    return [engine.encode_tokens(memory, drop=1) for memory in memories]


def slow_likelihood(engine: AttentionEngine, memories: Sequence[Sequence[int]], bias: float) -> float:
    """The answer's log-likelihood with memories and context as one prompt, by a mask of its own."""
    context = [*PROMPT, *ANSWER]
    if memories:
        logits, _ = reference(engine, memories, context, drop=1, bias=bias)
    else:
        with torch.no_grad():
            logits = engine.model(torch.tensor([context])).logits[0]
    places = range(len(PROMPT) - 1, len(context) - 1)
    return sum(float(logits[place].log_softmax(0)[context[place + 1]]) for place in places)


@pytest.mark.parametrize("family", ["gpt_neox", "llama", "phi3", "qwen3", "smollm3", "yarn"])
def test_an_effect_is_the_difference_of_two_likelihoods_computed_the_slow_way(family: str) -> None:
    engine = shared_engine(family, "eager")
    bias = -math.log(len(MEMORIES))
    whole = slow_likelihood(engine, MEMORIES, bias)
    without = [slow_likelihood(engine, [*MEMORIES[:n], *MEMORIES[n + 1 :]], bias) for n in range(len(MEMORIES))]
    alone = slow_likelihood(engine, [], bias)
    with engine.attend(records(engine)) as attention:
        found = attention.effects(PROMPT, ANSWER)
    assert found.tokens == len(ANSWER)
    assert found.likelihood == pytest.approx(whole, abs=2e-3)
    assert found.each == pytest.approx([whole - one for one in without], abs=2e-3)
    assert found.together == pytest.approx(whole - alone, abs=2e-3)
    assert max(map(abs, found.each)) > 0.1, "else anything would pass"


@pytest.mark.parametrize("family", ["gemma3", "gpt_oss", "mistral_sliding", "qwen2"])
def test_an_effect_is_what_reading_the_others_alone_gives(family: str) -> None:
    engine = shared_engine(family)
    made = records(engine)
    ids = torch.tensor([[*PROMPT, *ANSWER]])

    def likelihood(kept: Sequence[Record]) -> float:
        with torch.no_grad(), engine.attend(kept, bias=-math.log(len(made))):
            logits = engine.model(ids).logits[0, len(PROMPT) - 1 : -1].log_softmax(1)
        return float(logits.gather(1, torch.tensor(ANSWER)[:, None]).sum())

    with engine.attend(made) as attention:
        found = attention.effects(PROMPT, ANSWER)
    assert found.likelihood == pytest.approx(likelihood(made), abs=1e-3)
    assert found.without == pytest.approx([likelihood([*made[:n], *made[n + 1 :]]) for n in range(3)], abs=1e-3)
    assert found.alone == pytest.approx(likelihood([]), abs=1e-3)
    assert found.together != pytest.approx(0, abs=0.01)


def test_rows_in_several_passes_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = shared_engine("llama")
    with engine.attend(records(engine)) as attention:
        wanted = attention.effects(PROMPT, ANSWER)
        monkeypatch.setattr(module, "_TOKENS", 2 * len(PROMPT + ANSWER))
        found = attention.effects(PROMPT, ANSWER)
    assert found.without == pytest.approx(wanted.without, abs=1e-4)
    assert (found.likelihood, found.alone) == pytest.approx((wanted.likelihood, wanted.alone), abs=1e-4)


def test_kv_heads_that_keep_nothing_get_nothing_and_have_effects_all_the_same() -> None:
    heads: tuple[tuple[int, ...], ...] = ((1,), (), (0, 1), (0,))
    base = shared_engine("llama")
    engine = AttentionEngine(base.model, base.tokenizer, recipe=Recipe(heads=heads))
    with engine.attend(records(engine)) as attention:
        engine.model(torch.tensor([PROMPT]))
        found = attention.effects(PROMPT, ANSWER)
    assert attention.layers == (0, 2, 3)
    given = attention.by_head[:, :, :-1].sum(2) > 0
    assert given.tolist() == [[False, False, True, True], [True] * 4, [True, True, False, False]]
    np.testing.assert_allclose(attention.by_head.sum(2), 1, atol=1e-5)
    np.testing.assert_allclose(attention.by_layer, attention.by_head.mean(1), atol=1e-6)
    assert min(map(abs, found.each)) > 1e-4


@pytest.mark.parametrize("family", ["gpt_neox", "llama", "qwen3"])
def test_shares_of_heads_are_those_of_one_softmax(family: str) -> None:
    engine = shared_engine(family, "eager")
    tokens = [*MEMORIES[0], *PROMPT]
    with torch.no_grad():
        weights = torch.stack(engine.model(torch.tensor([tokens]), output_attentions=True).attentions)[:, 0]
    start = len(MEMORIES[0])
    wanted = weights[:, :, start:, :start].sum(3).mean(2)  # (layers, heads)
    with engine.attend([engine.encode_tokens(MEMORIES[0])]) as attention:
        engine.model(torch.tensor([PROMPT]))
    np.testing.assert_allclose(attention.by_head[:, :, 0], wanted.numpy(), atol=1e-5)
    assert attention.by_head.std() > 0.05, "heads differ"


def test_shares_of_a_padded_batch_and_of_steps_are_means_over_what_is_no_padding() -> None:
    engine = shared_engine("llama")
    short = PROMPT[:2]
    ids = torch.tensor([PROMPT, [0, 0, *short]])
    made = records(engine)
    with engine.attend(made) as both:
        engine.model(ids, attention_mask=(ids != 0).long(), position_ids=torch.tensor([[0, 1, 2, 3], [0, 0, 0, 1]]))
    with engine.attend(made) as one:
        engine.model(torch.tensor([PROMPT]))
    with engine.attend(made) as other:
        engine.model(torch.tensor([short]))
    wanted = (one.by_head * len(PROMPT) + other.by_head * len(short)) / (len(PROMPT) + len(short))
    np.testing.assert_allclose(both.by_head, wanted, atol=1e-5)


def test_half_precision_keeps_shares_in_full_and_they_sum_to_one() -> None:
    engine = AttentionEngine(tiny_model("llama").to(torch.bfloat16), tiny_tokenizer())
    with engine.attend(records(engine)) as attention:
        engine.model.generate(  # type: ignore[operator]
            torch.tensor([PROMPT]), max_new_tokens=70, do_sample=False, pad_token_id=0
        )
    assert attention.by_head.dtype == np.float32
    np.testing.assert_allclose(attention.by_head.sum(2), 1, atol=1e-5)
    assert sum(attention.masses) + attention.local == pytest.approx(1, abs=1e-5)
    assert attention.by_head.min() >= 0


def test_a_forgotten_memory_has_no_share_and_no_effect() -> None:
    engine = shared_engine("llama")
    with engine.attend(records(engine)[:2]) as attention:
        engine.model(torch.tensor([PROMPT]))
        assert len(attention.effects(PROMPT, ANSWER).each) == len(attention.masses) == 2
    assert attention.by_head.shape[2] == 3


def test_nothing_is_noted_when_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = shared_engine("llama")
    made = records(engine)

    def noted(*_: object) -> None:
        raise AssertionError("something was noted")

    monkeypatch.setattr(Attention, "note", noted)
    with engine.attend(made, watch=False) as attention:
        engine.model(torch.tensor([PROMPT]))
        with pytest.raises(EngineError, match="watch=True"):
            attention.effects(PROMPT, ANSWER)
    with pytest.raises(EngineError, match="watch=True"):
        _ = attention.masses


def test_asking_for_effects_notes_no_shares_and_leaves_the_block_as_it_was() -> None:
    engine = shared_engine("llama")
    ids = torch.tensor([PROMPT])
    with engine.attend(records(engine)) as attention:
        before = engine.model(ids).logits
        shares = attention.by_head
        attention.effects(PROMPT, ANSWER)
        assert np.array_equal(attention.by_head, shares)
        assert torch.equal(engine.model(ids).logits, before)


def test_effects_are_refused_where_there_is_nothing_to_tell() -> None:
    engine = shared_engine("llama")
    with engine.attend(records(engine)) as attention:
        for prompt, answer, said in (([], ANSWER, "the prompt has no token"), (PROMPT, [], "the answer has no token")):
            with pytest.raises(EngineError, match=said):
                attention.effects(prompt, answer)
        with pytest.raises(EngineError, match="have 260 tokens, the model's context has 256"):
            attention.effects(PROMPT * 64, PROMPT)
    with pytest.raises(EngineError, match="ask for effects inside it"):
        attention.effects(PROMPT, ANSWER)


def test_shares_are_a_tuple_with_more_to_tell() -> None:
    assert Shares() == ()
    assert Shares().by_head.shape == (0, 0, 1)
    by_head = np.asarray([[[0.2, 0.8], [0.4, 0.6]]], np.float32)
    shares = Shares([0.3], layers=(5,), by_head=by_head)
    np.testing.assert_allclose(shares.by_layer, np.asarray([[0.3, 0.7]]), atol=1e-7)
    assert shares == (0.3,)


@pytest.fixture(scope="module")
def mini() -> LocalModel:
    return LocalModel(MINI, device="cpu")


def test_the_memory_that_random_tokens_were_copied_from_has_the_largest_effect(mini: LocalModel) -> None:
    engine = mini.attention
    drawn = np.random.default_rng(3)
    first = 0
    for _ in range(10):
        memories = [drawn.choice(np.arange(300, 1000), 12, replace=False).tolist() for _ in range(5)]
        source = int(drawn.integers(5))
        copied = memories[source]
        with engine.attend([engine.encode_tokens([1, *memory], drop=1) for memory in memories]) as attention:
            found = attention.effects([1, *copied[:8]], copied[8:])
        first += int(np.argmax(found.each)) == source
    assert first >= 8


def test_the_note_that_says_it_has_the_largest_effect(mini: LocalModel) -> None:
    engine = mini.attention
    notes = {
        "Where does Mia live?": ("Mia lives in Lisbon.", "Lisbon."),
        "What is Ada's dog called?": ("Ada's dog is called Bolt.", "Bolt."),
        "What is Tom allergic to?": ("Tom is allergic to milk.", "milk."),
        "What colour is Nora's car?": ("Nora's car is green.", "green."),
    }
    first = 0
    with engine.attend(engine.encode([text for text, _ in notes.values()])) as attention:
        for place, (question, (_, answer)) in enumerate(notes.items()):
            prompt = mini.layout(compose(SYSTEM, [], question, ""))
            said = mini.tokenizer(f" {answer}", add_special_tokens=False)["input_ids"]
            first += int(np.argmax(attention.effects(prompt, said).each)) == place
    assert first >= 3


def test_a_local_model_tells_the_tokens_of_what_it_said(mini: LocalModel) -> None:
    stream = mini.stream([Message("user", "Where does Mia live?")], max_tokens=12)
    said = ""
    while True:
        try:
            said += next(stream)
        except StopIteration as end:
            tokens = end.value
            break
    assert str(mini.tokenizer.decode(tokens.answer)).strip().startswith(said.strip())
    assert mini.tokenizer.eos_token_id not in tokens.answer
    assert "Where does Mia live?" in mini.tokenizer.decode(tokens.prompt)
    assert words(5) not in said
