"""Whatever a model prefers, every call that it begins ends in time and parses."""

from collections.abc import Sequence
from functools import cache
from random import Random

import numpy as np
import pytest
import torch
from call_tokenizers import KINDS, call_tokenizer, random_tokenizer  # type: ignore[import-not-found]
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import shared_model, tiny_model, tiny_tokenizer  # type: ignore[import-not-found]
from transformers import AutoModelForCausalLM, AutoTokenizer, LogitsProcessor, PreTrainedModel

from tercet.engines.calls.acceptor import CLOSED, FREE, HUSHED, MUTE, OPENING, State
from tercet.engines.calls.constraint import DEAD, CallConstraint, Place
from tercet.engines.calls.grammar import Verb, find_calls, parse_call
from tercet.engines.calls.processor import AtClosing, CallProcessor
from tercet.engines.mini import MINI
from tercet.store.errors import EngineError, UnsupportedModel

FAMILIES = ("llama", "gpt2", "qwen3", "gemma3", "bloom", "falcon_h1")
LIMITS = (18, 23, 47)  # of tokens, in the middle of most calls

_constraints: dict[str, CallConstraint] = {}


def constraint_of(kind: str) -> CallConstraint:
    if kind not in _constraints:
        _constraints[kind] = CallConstraint(call_tokenizer(kind))
    return _constraints[kind]


class Prefers(LogitsProcessor):
    """A model that likes some tokens better or worse than it should."""

    def __init__(self, tokens: list[int], gain: float) -> None:
        self._tokens, self._gain = tokens, gain

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        scores = scores.clone()
        scores[:, self._tokens] += self._gain
        return scores


class Writes(LogitsProcessor):
    """A model that would write certain tokens after a few others, if it may."""

    def __init__(self, tokens: list[int], *, after: int) -> None:
        self._tokens, self._after = tokens, after

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        place = input_ids.shape[1] - self._after
        if 0 <= place < len(self._tokens):
            scores = scores.clone()
            scores[:, self._tokens[place]] += 1e4
        return scores


def generated(
    model: PreTrainedModel,
    constraint: CallConstraint,
    *,
    limit: int,
    start: State = FREE,
    before: Sequence[LogitsProcessor] = (),
    **options: float,
) -> list[str]:
    prompt = torch.tensor([[1, 5, 9, 7], [1, 8, 8, 6], [1, 5, 6, 4]])
    processor = constraint.processor(prompt=4, max_tokens=limit, start=start, call_tokens=40)
    with torch.random.fork_rng():
        torch.manual_seed(limit)
        found = model.generate(  # type: ignore[operator]
            input_ids=prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=limit,
            logits_processor=[*before, processor],
            pad_token_id=0,
            **options,
        )
    return [constraint.vocabulary.text(row) for row in found[:, 4:].tolist()]


def all_parse(texts: list[str], *, least: int) -> None:
    calls = [call for text in texts for call in find_calls(text)]
    assert len(calls) >= least
    for call in calls:
        parse_call(call)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_call_of_any_model_parses(family: str, kind: str) -> None:
    constraint = constraint_of(kind)
    size = len(constraint.vocabulary.pieces)
    model = tiny_model(family, vocab_size=size + 7)  # models score more numbers than there are tokens
    for limit in LIMITS if family == "llama" else LIMITS[1:2]:
        for options in (
            {"do_sample": False},
            {"do_sample": True, "temperature": 5.0, "top_k": 0},
            {"do_sample": True, "top_k": 3},
        ):
            all_parse(generated(model, constraint, limit=limit, start=OPENING, **options), least=3)


@pytest.mark.parametrize("opener", ["MEM_READ(", "MEM_WRITE(", "MEM_READ(a >> \\", "MEM_WRITE(a >> b >> \\u00"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_call_that_a_model_begins_by_itself_is_ended(kind: str, opener: str) -> None:
    constraint = constraint_of(kind)
    tokens = call_tokenizer(kind)(opener, add_special_tokens=False)["input_ids"]
    model = tiny_model("llama", vocab_size=len(constraint.vocabulary.pieces))
    for limit in (8, 20, 33, 70, 150):
        eager = [Writes(tokens, after=7)]
        texts = generated(model, constraint, limit=limit, before=eager, do_sample=True, top_k=0, temperature=1.5)
        all_parse(texts, least=3 if limit >= 70 else 0)
        if limit < 20:
            assert not any(find_calls(text) for text in texts), "none begins that could not end"


@pytest.mark.parametrize("kind", KINDS)
def test_beams_change_places(kind: str) -> None:
    constraint = constraint_of(kind)
    model = tiny_model("llama", vocab_size=len(constraint.vocabulary.pieces))
    all_parse(generated(model, constraint, limit=30, start=OPENING, num_beams=4, do_sample=False), least=3)


def test_what_other_processors_rule_out_ends_no_call_early() -> None:
    constraint = constraint_of("byte level")
    model = tiny_model("llama", vocab_size=len(constraint.vocabulary.pieces))
    closing = [token for token, piece in enumerate(constraint.vocabulary.pieces) if piece and b")" in piece]
    all_parse(generated(model, constraint, limit=30, start=OPENING, before=[Prefers(closing, -torch.inf)]), least=3)


@given(st.data())
@settings(max_examples=60)
def test_prices_are_those_of_walking_every_token(data: st.DataObject) -> None:
    constraint = constraint_of(data.draw(st.sampled_from(KINDS)))
    place = Place(data.draw(st.sampled_from([FREE, HUSHED, MUTE, OPENING])))
    pieces = constraint.vocabulary.pieces
    letters = "MEM_READ(MEM_WRITE(a >> b >>?)\\u00d" if place.state == OPENING else "MEM_READ(a >>\\u00é>> ?."
    for byte in data.draw(st.text(letters, max_size=30)).encode():
        moved = constraint.after(place, bytes([byte]))
        if moved is not None and moved.state != CLOSED:
            place = moved
    prices = constraint.prices(place)
    for token, piece in enumerate(pieces):
        after = constraint.after(place, piece) if piece else (place if place.state.outside else None)
        expected = DEAD if after is None else constraint._price(after)
        assert prices[token] == expected, (place, piece)
    if not place.state.outside:
        steps = 0
        while place.state != CLOSED:
            token = int(prices.argmin())
            moved = constraint.after(place, pieces[token] or b"")
            assert moved is not None
            place, prices, steps = moved, constraint.prices(moved) if moved.state != CLOSED else prices, steps + 1
            assert steps < 30


@given(st.integers(0, 7), st.integers(0, 10**6), st.integers(18, 60), st.sampled_from([FREE, OPENING, HUSHED]))
@settings(max_examples=150)
def test_whatever_is_chosen_out_of_what_may_come_parses(vocabulary: int, seed: int, limit: int, start: State) -> None:
    constraint = random_constraint(vocabulary)
    pieces, random = constraint.vocabulary.pieces, Random(seed)
    likes = np.array([1.0 + 20 * any(part in (piece or b"") for part in (b"MEM", b"(")) for piece in pieces])
    processor = constraint.processor(prompt=1, max_tokens=limit, start=start, call_tokens=random.randint(18, 60))
    tokens: list[int] = []
    for _ in range(limit):
        scores = processor(torch.tensor([[1, *tokens]]), torch.zeros(1, len(pieces)))[0]
        allowed = np.flatnonzero((scores == 0).numpy())
        assert len(allowed)
        tokens.append(int(random.choices(allowed.tolist(), likes[allowed].tolist())[0]))
    all_parse([constraint.vocabulary.text(tokens)], least=start == OPENING)


@cache
def random_constraint(seed: int) -> CallConstraint:
    return CallConstraint(random_tokenizer(seed))


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_make_the_text(kind: str) -> None:
    tokenizer, words = call_tokenizer(kind), constraint_of(kind).vocabulary
    for text in ("Ada >> lives in >> Lisbon?)", "MEM_READ(Zoë >> 東京 >> ?)", "(x >> 2)\\n [x] <y>"):
        tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
        if tokenizer.unk_token_id not in tokens:
            assert words.text(tokens).lstrip() == text
    assert words.text([0, 1, 2, 10**6]) == ""


def test_characters_are_never_left_half_written() -> None:
    constraint = constraint_of("byte level")
    half = Place(State("write", "x", 2), "é".encode()[:1])
    prices = constraint.prices(half)
    allowed = [constraint.vocabulary.pieces[token] for token in np.flatnonzero(prices < DEAD)]
    assert allowed
    assert all(piece and 0x80 <= piece[0] < 0xC0 for piece in allowed)
    assert constraint.after(Place(State("write", "x", 2)), b"\xff") is None
    assert constraint.after(Place(State("write", "x", 2)), b"\xf4\x8f") is None, "nothing visible begins so"
    assert constraint.after(Place(State("write", "x", 2)), "\u200b".encode()) is None


@pytest.mark.data
@pytest.mark.parametrize("temperature", [0.0, 0.7, 4.0])
def test_real_models_call_under_the_constraint(temperature: float) -> None:
    for folder in (shared_model("stories260K"), MINI):
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForCausalLM.from_pretrained(folder)
        model.generation_config.max_length = None
        sampling = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
        constraint = CallConstraint(tokenizer)
        for limit in LIMITS:
            all_parse(generated(model, constraint, limit=limit, start=OPENING, **sampling), least=3)


@pytest.mark.data
def test_a_tokenizer_that_cannot_spell_a_call_is_refused() -> None:
    with pytest.raises(UnsupportedModel, match="105 tokens has none for _ alone"):
        CallConstraint(AutoTokenizer.from_pretrained(shared_model("babyllama-char105")))


def test_tokenizers_of_whole_words_are_refused() -> None:
    with pytest.raises(UnsupportedModel, match=r"has none for \( \) > \? A D E I M R T W _ alone"):
        CallConstraint(tiny_tokenizer())


def test_only_the_named_verbs_are_called() -> None:
    verb: Verb
    for verb in ("read", "write"):
        constraint = CallConstraint(call_tokenizer("unigram"), verbs=[verb])
        model = tiny_model("llama", vocab_size=len(constraint.vocabulary.pieces))
        texts = generated(model, constraint, limit=30, start=OPENING, do_sample=True, temperature=3.0)
        assert {parse_call(call).verb for text in texts for call in find_calls(text)} == {verb}
    with pytest.raises(EngineError, match="verbs"):
        CallConstraint(call_tokenizer("unigram"), verbs=[])


def test_too_few_tokens_for_a_call_are_an_error() -> None:
    constraint = constraint_of("characters")
    assert constraint.shortest == len("MEM_WRITE(x>>x>>x)")
    with pytest.raises(EngineError, match="18 tokens at the least"):
        constraint.processor(prompt=1, max_tokens=17, start=OPENING)
    with pytest.raises(EngineError, match="call_tokens=5"):
        constraint.processor(prompt=1, max_tokens=99, call_tokens=5)


def test_a_processor_serves_one_run() -> None:
    constraint = constraint_of("characters")
    processor = constraint.processor(prompt=1, max_tokens=2)
    size = len(constraint.vocabulary.pieces)
    assert (processor(torch.tensor([[1, 4]]), torch.zeros(1, size)) == 0).all()
    with pytest.raises(
        EngineError, match="token 3 is asked for, and the processor was made for 2 behind a prompt of 1"
    ):
        processor(torch.tensor([[1, 4, 4]]), torch.zeros(1, size))


def spelled(constraint: CallConstraint, text: str) -> list[int]:
    return [constraint.vocabulary.pieces.index(bytes([byte])) for byte in text.encode()]


def followed(processor: CallProcessor, tokens: list[int], size: int) -> None:
    """Walks a processor through tokens, each of which it must allow."""
    for place, token in enumerate(tokens):
        scores = processor(torch.tensor([[1, *tokens[:place]]]), torch.zeros(1, size))
        assert scores[0, token] == 0, f"{place} of {tokens}"


def test_a_call_that_a_limit_ended_is_known_as_cut() -> None:
    constraint = constraint_of("characters")
    size = len(constraint.vocabulary.pieces)
    whole = spelled(constraint, "so MEM_READ(Ada>>is>>?)")
    roomy = constraint.processor(prompt=1, max_tokens=60)
    followed(roomy, whole, size)
    assert roomy.row(whole).closed
    assert not roomy.row(whole).cut
    narrow = constraint.processor(prompt=1, max_tokens=len(whole))
    followed(narrow, whole, size)
    assert narrow.row(whole).cut
    short = constraint.processor(prompt=1, max_tokens=200, call_tokens=19)
    tokens = spelled(constraint, "MEM_READ(Ada")
    followed(short, tokens, size)
    assert AtClosing(short)(torch.tensor([[1, *tokens]]), torch.zeros(1)).tolist() == [False]
    assert AtClosing(short, end="Ada")(torch.tensor([[1, *tokens]]), torch.zeros(1)).tolist() == [True]
    assert AtClosing(roomy)(torch.tensor([[1, *whole]]), torch.zeros(1)).tolist() == [True]


def test_no_token_goes_on_behind_a_call() -> None:
    constraint = constraint_of("byte level")
    pieces = constraint.vocabulary.pieces
    prices = constraint.prices(Place(State("read", "?", 2, True)))
    ends = {pieces[token] for token in np.flatnonzero(prices < DEAD) if b")" in (pieces[token] or b"")}
    assert b")" in ends
    assert all(end and end.strip(b" ") == b")" and end.endswith(b")") for end in ends)
    assert b"?) MEM_READ(" in pieces
    assert prices[pieces.index(b"?) MEM_READ(")] == DEAD
