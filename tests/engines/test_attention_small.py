"""Small memories: bits with their bounds, chosen tokens, chosen heads."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import shared_engine, shared_model, tiny_model, tiny_tokenizer, words  # type: ignore[import-not-found]
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer

from tercet.engines.attention import EXACT, SMALL, AttentionEngine, Recipe, attention_engine
from tercet.engines.attention.capture import trace
from tercet.engines.attention.function import Call, Listener, Output, listening
from tercet.engines.attention.quantise import logit_error, output_error, quantise, restored, weight_error
from tercet.engines.attention.select import best, scores
from tercet.store.errors import EngineError, InvalidInput
from tercet.store.form import Record
from tercet.store.packed import unpacked

NOTE = [1, *range(10, 27)]
OTHER = [1, *range(40, 51)]
CONTEXT = [60, 71, 62, 73, 64, 75, 66]
SCORES = ["memory3", "probe", "surprisal", "reconstruction"]
FULL = ["gpt_neox", "llama", "qwen3", "smollm3", "yarn"]


def engine_of(family: str, recipe: Recipe) -> AttentionEngine:
    shared = shared_engine(family)
    return AttentionEngine(shared.model, shared.tokenizer, recipe=recipe)


def logits(engine: AttentionEngine, records: Sequence[Record], bias: float = 0.0) -> Tensor:
    with torch.no_grad(), engine.attend(records, bias=bias):
        found: Tensor = engine.model(torch.tensor([CONTEXT])).logits[0]
    return found


def far(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).abs().max() / wanted.std())


def masked_prompt(engine: AttentionEngine, visible: Sequence[Tensor]) -> Tensor:
    """Runs note and context as one prompt, where the context sees ``visible`` tokens of the note only.

    Args:
        engine: of the model.
        visible: for each layer which KV head sees which token, bool, shape (KV heads, tokens of the note).
    """
    start, length = len(NOTE), len(NOTE) + len(CONTEXT)

    def hiding(seen: Tensor) -> Listener:
        def answer(call: Call) -> Output:
            allowed = torch.ones(length, length).tril().bool().repeat(call.query.shape[1], 1, 1)
            allowed[:, start:, :start] &= seen.repeat_interleave(call.query.shape[1] // seen.shape[0], 0)[:, None]
            mask = torch.zeros(allowed.shape).masked_fill(~allowed, torch.finfo(torch.float32).min)
            return dataclasses.replace(call, mask=mask[None]).plain()

        return answer

    listeners: dict[nn.Module, Listener | None] = {
        engine.model.get_submodule(layer.path): hiding(seen) for layer, seen in zip(engine.layers, visible, strict=True)
    }
    with torch.no_grad(), listening(engine.model, listeners):
        found: Tensor = engine.model(torch.tensor([NOTE + CONTEXT])).logits[0, start:]
    return found


def kept(engine: AttentionEngine, record: Record) -> list[Tensor]:
    """Returns which KV head of which layer keeps which token of a record."""
    found = []
    for number, layer in enumerate(engine.layers):
        seen = torch.zeros(layer.shape[0], len(record["tokens"]), dtype=torch.bool)
        rows = np.flatnonzero(record["heads"][number]) if "heads" in record else np.arange(layer.shape[0])
        places = record.get(f"layers.{number}.places")
        for row, head in enumerate(rows):
            seen[head, slice(None) if places is None else torch.from_numpy(places[row]).long()] = True
        found.append(seen)
    return found


def nbytes(record: Record) -> int:
    return sum(array.nbytes for name, array in record.items() if name.startswith("layers."))


@pytest.mark.parametrize("family", FULL)
@pytest.mark.parametrize(("bits", "close"), [(8, 0.15), (4, 2.0)])
def test_few_bits_are_near_full_precision(family: str, bits: int, close: float) -> None:
    engine = engine_of(family, Recipe(bits=bits))
    exact, small = engine_of(family, EXACT).encode_tokens(NOTE), engine.encode_tokens(NOTE)
    assert nbytes(small) < nbytes(exact) * (bits / 32 + 0.1)
    wanted = logits(engine, [exact])
    assert 0 < far(logits(engine, [small]), wanted) < close < far(logits(engine, []), wanted)


@pytest.mark.parametrize("bits", [8, 4])
def test_what_is_restored_on_the_device_is_what_the_store_unpacks(bits: int) -> None:
    record = engine_of("llama", Recipe(bits=bits)).encode_tokens(NOTE)
    for name in ("layers.2.key", "layers.3.value"):
        assert np.array_equal(restored([record], [name]).numpy(), unpacked(record, name))


def check_bounds(engine: AttentionEngine, tokens: list[int], number: int, bits: int, spread: float) -> None:
    """Compares the attention of true queries over true and packed keys with what the scales say of it."""
    seen = trace(engine.model, tokens)[number]
    exact = engine.encode_tokens(tokens)
    packed = quantise(exact, bits=bits)
    queries = spread * seen.query.float().reshape(seen.key.shape[0], -1, seen.key.shape[2])
    rotation, places = engine.layers[number].rotation, torch.arange(len(tokens))

    def read(record: Record) -> tuple[Tensor, Tensor, Tensor]:
        key, value = (restored([record], [f"layers.{number}.{part}"]) for part in ("key", "value"))
        if rotation is not None:
            key = rotation.turn(engine.model, seen.module, key, places)
        products = queries @ key.transpose(1, 2) * seen.scaling
        return products, products.softmax(-1), products.softmax(-1) @ value

    (true, weights, output), (near, near_weights, near_output) = read(exact), read(packed)
    error = logit_error(packed, number, queries, scaling=seen.scaling)
    room = 1 + 1e-4
    off = (near - true).abs().amax(-1)
    assert (off <= error * room + 1e-5).all()
    assert ((near_weights - weights).abs().sum(-1) / 2 <= weight_error(error) * room + 1e-5).all()
    assert ((near_output - output).norm(dim=-1) <= output_error(packed, number, error) * room + 1e-5).all()
    assert off.max() > error.max() / 50  # the bound is of the size of what it bounds
    assert not logit_error(exact, number, queries, scaling=seen.scaling).any()
    assert not output_error(exact, number, torch.zeros(error.shape)).any()


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(3, 95), min_size=2, max_size=30),
    st.sampled_from(["llama", "qwen3", "gpt_neox", "smollm3"]),
    st.sampled_from([8, 4]),
    st.sampled_from([0.1, 1.0, 5.0]),
)
def test_the_bounds_hold_on_every_query(tokens: list[int], family: str, bits: int, spread: float) -> None:
    engine = engine_of(family, EXACT)
    for number in range(4):
        check_bounds(engine, [1, *tokens], number, bits, spread)


@pytest.mark.data
@pytest.mark.parametrize("name", ["stories260K", "babyllama-char105"])
@pytest.mark.parametrize("bits", [8, 4])
def test_the_bounds_hold_on_real_keys(name: str, bits: int) -> None:
    folder = shared_model(name)
    model = AutoModelForCausalLM.from_pretrained(folder)  # in evaluation mode, as it comes
    engine = AttentionEngine(model, AutoTokenizer.from_pretrained(folder))
    text = "Once upon a time there was a little girl who lived near the forest. One day she found a red ball."
    tokens = [1, *engine.tokenizer(text, add_special_tokens=False)["input_ids"]]
    for number in range(len(engine.layers)):
        check_bounds(engine, tokens, number, bits, 1.0)


@pytest.mark.parametrize("family", [*FULL, "gpt_oss", "gemma2"])
@pytest.mark.parametrize("score", SCORES)
def test_chosen_tokens_are_the_prompt_with_the_others_masked(family: str, score: str) -> None:
    engine = engine_of(family, Recipe(tokens=5, score=score, residual=False, questions=(words(30, 31), words(32))))  # type: ignore[arg-type]
    record = engine.encode_tokens(NOTE)
    if any(layer.window for layer in engine.layers):
        assert not {f"layers.{n}.key" for n, layer in enumerate(engine.layers) if layer.window} & set(record)
        seen = [one & layer.remembers for one, layer in zip(kept(engine, record), engine.layers, strict=True)]
    else:
        seen = kept(engine, record)
        assert all((one.sum(1) == 5).all() for one in seen)
        if score != "surprisal":
            assert any((one[0] != one[1]).any() for one in seen if len(one) > 1)  # the heads choose for themselves
    sliding = [layer.window for layer in engine.layers]
    if not any(sliding):  # a sliding layer's own mask is not that of this reference
        assert far(logits(engine, [record]), masked_prompt(engine, seen)) < 1e-4
    assert far(logits(engine, [record]), logits(engine, [])) > 1e-2


@pytest.mark.parametrize("family", FULL)
def test_chosen_heads_are_the_prompt_with_the_others_masked(family: str) -> None:
    count = shared_engine(family).layers[0].shape[0]
    heads = ((0,), (), tuple(range(count)), (count - 1,))
    engine = engine_of(family, Recipe(heads=heads))
    record = engine.encode_tokens(NOTE)
    assert not [name for name in record if name.startswith("layers.1.")]
    wanted = masked_prompt(engine, kept(engine, record))
    assert far(logits(engine, [record]), wanted) < 1e-4
    assert far(wanted, logits(engine, [engine_of(family, EXACT).encode_tokens(NOTE)])) > 1e-2
    with torch.no_grad(), engine.attend([record]) as attention:
        engine.model(torch.tensor([CONTEXT]))
    assert attention.layers == (0, 2, 3)
    assert sum(attention.masses) + attention.local == pytest.approx(1, abs=1e-5)


def test_records_of_every_kind_are_read_together_as_each_alone() -> None:
    recipes = [
        EXACT,
        Recipe(tokens=3, residual=False),
        Recipe(heads=((), (1,), (0, 1), ())),
        Recipe(tokens=4, heads=((0,), (), (), (1,))),
    ]
    recipes.append(Recipe(tokens=2, residual=True))
    engine = engine_of("llama", EXACT)
    notes = [[1, *range(10 * n, 10 * n + 8 + n)] for n in range(1, 6)]
    records = [engine_of("llama", r).encode_tokens(note) for r, note in zip(recipes, notes, strict=True)]
    together = logits(engine, records)
    assert far(logits(engine, records[::-1]), together) < 1e-4
    widened = [_spelled_out(engine, record) for record in records]
    assert far(logits(engine, widened), together) < 1e-4
    with torch.no_grad(), engine.attend(records) as attention:
        engine.model(torch.tensor([CONTEXT]))
    assert all(mass > 0 for mass in attention.masses)
    with torch.no_grad(), engine.attend(widened) as spelled:
        engine.model(torch.tensor([CONTEXT]))
    assert attention.masses == pytest.approx(spelled.masses, abs=1e-6)


def _spelled_out(engine: AttentionEngine, record: Record) -> Record:
    """Returns the record with every head and layer present; what was not kept has keys that nothing attends to."""
    whole: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {"tokens": record["tokens"]}
    for number, layer in enumerate(engine.layers):
        heads, width, value_width = layer.shape
        start = f"layers.{number}."
        rows = np.flatnonzero(record["heads"][number]) if "heads" in record else np.arange(heads)
        slots = record[f"{start}key"].shape[1] if len(rows) else 1
        arrays = {
            "key": np.zeros((heads, slots, width), np.float32),
            "value": np.zeros((heads, slots, value_width), np.float32),
            "places": np.zeros((heads, slots), np.int32),
            "counts": np.zeros((heads, slots), np.float32),  # stands for none: its logit is minus infinity
        }
        if len(rows):
            arrays["key"][rows], arrays["value"][rows] = record[f"{start}key"], record[f"{start}value"]
            arrays["places"][rows] = record.get(f"{start}places", np.arange(slots))
            arrays["counts"][rows] = record.get(f"{start}counts", 1)
        whole |= {f"{start}{name}": array for name, array in arrays.items()}
    return whole


@pytest.mark.parametrize("asked", [range(20, 50), [20]])  # as a prompt is read, as a token is decoded
def test_whichever_heads_read_they_read_what_is_theirs(asked: Sequence[int]) -> None:
    model = tiny_model("llama", num_attention_heads=8, num_key_value_heads=4)
    chosen = ((0, 2), (1, 3), (0, 1, 3), (0, 3))
    engine = AttentionEngine(model, tiny_tokenizer(), recipe=Recipe(heads=chosen))
    record = engine.encode_tokens(NOTE)
    found = []
    for records in ([record], [_spelled_out(engine, record)]):
        with torch.no_grad(), engine.attend(records):
            found.append(model(torch.tensor([list(asked)])).logits[0])
    assert far(*found) < 1e-4


@pytest.mark.parametrize("family", FULL)
def test_one_token_that_stands_for_one_is_that_token(family: str) -> None:
    engine = engine_of(family, Recipe(tokens=len(NOTE) - 1, residual=True))
    record = engine.encode_tokens(NOTE)
    assert record["layers.0.counts"].tolist() == [[1] * len(NOTE)] * engine.layers[0].shape[0]
    assert far(logits(engine, [record]), logits(engine, [engine_of(family, EXACT).encode_tokens(NOTE)])) < 1e-4


@pytest.mark.parametrize("family", ["llama", "smollm3"])
def test_the_rest_weighs_as_many_as_it_stands_for(family: str) -> None:
    engine = engine_of(family, Recipe(tokens=6, residual=True))
    record = engine.encode_tokens(NOTE)
    seen = trace(engine.model, NOTE)
    for number, layer in enumerate(engine.layers):
        places, counts = record[f"layers.{number}.places"], record[f"layers.{number}.counts"]
        assert counts[:, -1].tolist() == [len(NOTE) - 6] * layer.shape[0]
        rotation = layer.rotation
        for head in range(layer.shape[0]):
            dropped = sorted(set(range(len(NOTE))) - set(places[head, :-1].tolist()))
            key = torch.from_numpy(record[f"layers.{number}.key"])[head : head + 1, -1:]
            if rotation is not None:
                key = rotation.turn(engine.model, seen[number].module, key, torch.tensor([places[head, -1]]))
            assert torch.allclose(key[0, 0], seen[number].key[head, dropped].mean(0), atol=1e-5)
            value = torch.from_numpy(record[f"layers.{number}.value"])[head, -1]
            assert torch.allclose(value, seen[number].value[head, dropped].mean(0), atol=1e-5)


def test_a_memory_no_longer_than_what_is_kept_is_kept_whole() -> None:
    engine = engine_of("llama", Recipe(tokens=len(NOTE), residual=True))
    assert set(engine.encode_tokens(NOTE)) == set(engine_of("llama", EXACT).encode_tokens(NOTE))


def test_the_score_without_mask_and_positions_is_what_it_says() -> None:
    engine = engine_of("smollm3", EXACT)
    seen = trace(engine.model, NOTE)
    found = scores(engine.model, engine.layers, seen, NOTE, drop=1, score="memory3")
    for number, layer in enumerate(engine.layers):
        keys = torch.from_numpy(engine.encode_tokens(NOTE)[f"layers.{number}.key"])[:, 1:]
        queries = seen[number].query
        if layer.rotation is not None:
            places = torch.arange(len(NOTE))
            queries = layer.rotation.turn(engine.model, seen[number].module, queries, places, back=True)
        for head in range(2):
            wanted = torch.zeros(len(NOTE) - 1)
            for query in queries[2 * head : 2 * head + 2, 1:].reshape(-1, 16):
                wanted += (keys[head] @ query / 4).softmax(0)
            assert torch.allclose(found[number][head], wanted, atol=1e-4)


def test_questions_and_a_second_saying_are_weighed_as_the_model_attends() -> None:
    engine = AttentionEngine(shared_engine("llama", "eager").model, tiny_tokenizer())
    seen = trace(engine.model, NOTE)
    question = [50, 51, 52]
    for score, after in (("probe", question), ("reconstruction", NOTE[1:])):
        options = {"questions": [question]} if score == "probe" else {}
        found = scores(engine.model, engine.layers, seen, NOTE, drop=1, score=score, **options)  # type: ignore[arg-type]
        with torch.no_grad():
            weights = engine.model(torch.tensor([NOTE + after]), output_attentions=True).attentions
        for number in range(4):
            read = weights[number][0, :, len(NOTE) :, 1 : len(NOTE)].reshape(2, -1, len(NOTE) - 1)
            assert torch.allclose(found[number], read.sum(1) if score == "probe" else read.amax(1), atol=1e-5)


def test_a_long_memory_is_said_again_in_pieces_and_one_without_room_is_an_error() -> None:
    engine = engine_of("llama", Recipe(tokens=4, score="reconstruction", residual=False))
    record = engine.encode_tokens([1, *(3 + n % 90 for n in range(199))])
    assert record["layers.0.key"].shape == (2, 4, 16)
    with pytest.raises(EngineError, match="no room after a memory of 256 tokens"):
        engine.encode_tokens([5] * 256)


def test_the_best_are_kept_in_their_order_and_the_first_wins_a_tie() -> None:
    assert best(torch.tensor([[0.0, 3, 1, 2], [1, 1, 1, 1]]), 2).tolist() == [[1, 3], [0, 1]]


def test_the_product_keeps_eight_bits_and_exactness_has_all() -> None:
    shared = shared_engine("qwen3")
    engine = attention_engine(shared.model, tokenizer=shared.tokenizer)
    assert engine.recipe == SMALL
    (record,) = engine.encode([words(5, 6, 7)])
    assert record["layers.0.key"].dtype == np.int8
    assert shared.recipe == EXACT
    names = {engine_of("qwen3", recipe).fingerprint for recipe in (EXACT, SMALL, Recipe(bits=4), Recipe(tokens=3))}
    assert len(names) == 4
    assert engine.model_fingerprint == shared.fingerprint


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"bits": 3}, "bits is 3"),
        ({"tokens": 0}, "tokens is 0"),
        ({"score": "norm"}, "score is 'norm'"),
        ({"heads": ((), ())}, "heads names none"),
        ({"score": "probe", "questions": ()}, "no question"),
    ],
)
def test_a_recipe_that_cannot_be_is_an_error(values: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        Recipe(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("heads", [((0,),), ((0,), (1,), (2,), ()), ((0,), (), (), (-1,))])
def test_heads_that_a_model_has_not_are_an_error(heads: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(InvalidInput, match="not those of a model of 4 layers"):
        engine_of("llama", Recipe(heads=heads)).encode_tokens(NOTE)


def test_a_record_with_heads_of_another_model_is_an_error() -> None:
    record = dict(engine_of("llama", Recipe(heads=((0,), (), (), ()))).encode_tokens(NOTE))
    engine = shared_engine("llama")
    for wrong in (record["heads"][:3], np.ones((4, 3), np.bool_)):
        with pytest.raises(EngineError, match="another model"):
            logits(engine, [record | {"heads": wrong}])


@pytest.mark.parametrize("bias", [math.nan, math.inf, "log", None, True])
def test_a_bias_is_a_number_below_infinity_or_log_n(bias: object) -> None:
    engine = shared_engine("llama")
    records = engine.encode_tokens([1, 5, 6, 7])
    with pytest.raises(InvalidInput, match="bias is"), engine.attend([records], bias=bias):
        pass


def test_heads_of_layers_that_read_no_memories_are_refused() -> None:
    engine = shared_engine("gemma3")
    sliding = next(number for number, layer in enumerate(engine.layers) if not layer.remembers)
    heads = tuple((0,) if number == sliding else () for number in range(len(engine.layers)))
    small = AttentionEngine(engine.model, engine.tokenizer, recipe=Recipe(heads=heads))
    with pytest.raises(InvalidInput, match="read no memories"):
        small.encode_tokens([1, 5, 6, 7])


@pytest.mark.parametrize("tokens", [2.5, "4", True, 0])
def test_tokens_are_counted_in_whole_numbers(tokens: object) -> None:
    with pytest.raises(InvalidInput, match="tokens is"):
        Recipe(tokens=tokens)  # type: ignore[arg-type]
