import math

import pytest
import torch
from tiny_models import shared_engine, words  # type: ignore[import-not-found]
from torch import Tensor, nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS  # noqa: F401  # what the file of a model has

from tercet.engines.attention import kernels
from tercet.engines.attention.function import Call
from tercet.engines.attention.merge import Reader
from tercet.engines.attention.report import Attention
from tercet.store.errors import EngineError


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def by_the_book(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, cap: float | None = None
) -> tuple[Tensor, Tensor]:
    """One softmax in float64, each KV head repeated."""
    shared = query.shape[1] // key.shape[1]
    key, value = (part.double().repeat_interleave(shared, 1) for part in (key, value))
    logits = query.double() @ key.transpose(2, 3) * 0.3
    if cap is not None:
        logits = cap * torch.tanh(logits / cap)
    logits = logits + mask
    return logits.softmax(-1) @ value, logits.logsumexp(-1)


def masks(queries: int, keys: int) -> dict[str, Tensor | None]:
    visible = torch.ones(2, 1, queries, keys, dtype=torch.bool).tril(keys - queries)
    visible[1, :, :, :3] = False
    return {
        "none": None,
        "true and false": visible,
        "added": torch.zeros(visible.shape).masked_fill(~visible, -math.inf),
    }


@pytest.mark.parametrize("mask", ["none", "true and false", "added"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("way", [kernels.attention, kernels.products])
def test_output_and_log_sum_exp_are_those_of_one_softmax(way, dtype: torch.dtype, mask: str) -> None:  # type: ignore[no-untyped-def]
    query, key, value = (
        drawn(2, 4, 5, 8).to(dtype),
        drawn(2, 2, 9, 8, seed=1).to(dtype),
        drawn(2, 2, 9, 8, seed=2).to(dtype),
    )
    given = masks(5, 9)[mask]
    added = masks(5, 9)["added"] if mask != "none" else torch.zeros(1)
    assert added is not None
    output, sums = way(query, key, value, mask=given, scaling=0.3)
    wanted, wanted_sums = by_the_book(query, key, value, added)
    assert sums.dtype == torch.float32
    torch.testing.assert_close(sums.double(), wanted_sums, atol=2e-6, rtol=1e-6)
    close = 2e-6 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(output.double(), wanted, atol=close, rtol=0)


def test_the_future_is_hidden_by_both_ways() -> None:
    query, key, value = drawn(2, 4, 6, 8), drawn(2, 2, 6, 8, seed=1), drawn(2, 2, 6, 8, seed=2)
    mask = torch.full((6, 6), -math.inf).triu(1)
    for way in (kernels.attention, kernels.products):
        output, sums = way(query, key, value, causal=True, scaling=0.3)
        wanted, wanted_sums = by_the_book(query, key, value, mask)
        torch.testing.assert_close(output.double(), wanted, atol=2e-6, rtol=0)
        torch.testing.assert_close(sums.double(), wanted_sums, atol=2e-6, rtol=1e-6)


@pytest.mark.parametrize("way", [kernels.attention, kernels.products])
def test_a_query_that_sees_nothing_has_no_weight_and_no_infinity(way) -> None:  # type: ignore[no-untyped-def]
    query, key, value = drawn(1, 2, 3, 8), drawn(1, 2, 4, 8, seed=1), drawn(1, 2, 4, 8, seed=2)
    for hidden in (torch.zeros(1, 1, 3, 4, dtype=torch.bool), torch.full((1, 1, 3, 4), -math.inf)):
        output, sums = way(query, key, value, mask=hidden)
        assert output.isfinite().all()
        assert sums.isfinite().all()
        assert (sums < -1e30).all()


def test_gradients_and_caps_leave_the_kernel_and_stay_right() -> None:
    query, key, value = drawn(1, 2, 3, 8).requires_grad_(), drawn(1, 2, 4, 8, seed=1), drawn(1, 2, 4, 8, seed=2)
    output, sums = kernels.attention(query, key, value, scaling=0.3, cap=2.0)
    wanted, wanted_sums = by_the_book(query, key, value, torch.zeros(1), cap=2.0)
    torch.testing.assert_close(output.double(), wanted, atol=2e-6, rtol=0)
    torch.testing.assert_close(sums.double(), wanted_sums, atol=2e-6, rtol=1e-6)
    (slope,) = torch.autograd.grad(output.sum() + sums.sum(), query)
    assert slope.abs().sum() > 0


def test_products_go_in_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    query, key, value = drawn(2, 4, 7, 8), drawn(2, 2, 7, 8, seed=1), drawn(2, 2, 7, 8, seed=2)
    whole = kernels.products(query, key, value, causal=True)
    monkeypatch.setattr(kernels, "_SCORES", 2 * 4 * 7 * 2)
    assert len(list(kernels.spans(query, 7))) == 4
    for part, wanted in zip(kernels.products(query, key, value, causal=True), whole, strict=True):
        torch.testing.assert_close(part, wanted, atol=1e-6, rtol=0)


def test_a_head_reads_only_what_is_not_hidden_from_it_and_may_read_nothing() -> None:
    # Three KV heads with two heads each; memories of 2 and 4 tokens.
    query, key, value = drawn(2, 6, 5, 8), drawn(2, 3, 5, 8, seed=1), drawn(2, 3, 5, 8, seed=2)
    keys, values = drawn(1, 3, 6, 8, seed=3), drawn(1, 3, 6, 8, seed=4)
    owners = torch.tensor([0, 0, 1, 1, 1, 1])
    hidden = torch.tensor([[False, True, False, False, True, True], [True] * 6, [False] * 6])
    offsets = torch.full((3, 6), 0.2).masked_fill(hidden, -math.inf)
    attention = Attention(2, (0,))
    places = torch.tensor([-2, -1, -4, -3, -2, -1])
    reader = Reader(
        keys[:, [0, 2]], values[:, [0, 2]], owners, places, -0.4, None, 0, attention, offsets[[0, 2]], (0, 2)
    )
    causal = torch.zeros(1, 1, 5, 5).masked_fill(torch.ones(5, 5, dtype=torch.bool).triu(1), -math.inf)
    visible = causal == 0
    found, weights = reader(Call(Plain(), "sdpa", query, key, value, visible, {"scaling": 0.3}))

    added = (offsets - 0.4).repeat_interleave(2, 0)[None, :, None].expand(1, -1, 5, -1)
    mask = torch.cat((added, causal.expand(1, 6, -1, -1)), -1)
    both = torch.cat((keys.expand(2, -1, -1, -1), key), 2), torch.cat((values.expand(2, -1, -1, -1), value), 2)
    wanted, sums = by_the_book(query, *both, mask)
    assert weights is None
    torch.testing.assert_close(found.double(), wanted.transpose(1, 2), atol=2e-6, rtol=0)
    logits = query.double() @ keys.double().repeat_interleave(2, 1).transpose(2, 3) * 0.3 + added
    shares = (logits - sums[..., None]).exp().mean((0, 1, 2))
    assert attention.masses == pytest.approx([float(shares[:2].sum()), float(shares[2:].sum())], abs=2e-6)


def test_reading_unwatched_says_the_same_and_notes_nothing() -> None:
    engine = shared_engine("llama")
    records = engine.encode([words(5, 6, 7), words(8, 9), words(11, 12, 13, 14)])
    ids = torch.tensor([[60, 71, 62, 73]])
    with torch.no_grad():
        with engine.attend(records):
            wanted = engine.model(ids).logits
        with engine.attend(records, watch=False) as attention:
            found = engine.model(ids).logits
    torch.testing.assert_close(found, wanted, atol=1e-5 * float(wanted.std()), rtol=0)
    assert attention.reached
    with pytest.raises(EngineError, match="watch=True"):
        _ = attention.masses


def test_a_batch_reads_as_its_rows_alone_do() -> None:
    engine = shared_engine("mistral_sliding")
    records = engine.encode([words(5, 6, 7), words(8, 9, 10, 11, 12)])
    ids = torch.tensor([[60, 71, 62, 73], [14, 15, 16, 17], [80, 70, 60, 50]])
    with torch.no_grad(), engine.attend(records):
        together = engine.model(ids).logits
        for row, alone in zip(ids, together, strict=True):
            torch.testing.assert_close(engine.model(row[None]).logits[0], alone, atol=2e-5, rtol=0)


class Plain(nn.Module):
    """A layer in a file that names transformers' own functions."""

    num_key_value_groups = 2


@pytest.mark.parametrize("many", [0, 2048])
@pytest.mark.parametrize("rows", [1, 3, 4, 7])
@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("hidden", [False, True])
def test_keys_beside_a_known_part_are_one_softmax_over_all(
    hidden: bool, each: bool, rows: int, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels, "_MANY", many)
    query, key, value = drawn(1, 2, rows, 8), drawn(1, 2, 9, 8, seed=1), drawn(1, 2, 9, 8, seed=2)
    added = drawn(1, 1, rows if each else 1, 4, seed=4)
    if hidden:
        added[..., 1:3] = -math.inf
    output, local = kernels.attention(query, key[:, :, 4:], value[:, :, 4:], scaling=0.3)
    joined, weights = kernels.beside(
        query[0], key[0, :, :4], value[0, :, :4], added=added[0], output=output[0], local=local[0], scaling=0.3
    )
    shown = torch.cat((added, torch.zeros(*added.shape[:3], 5)), 3)
    wanted, _ = by_the_book(query, key, value, shown)
    torch.testing.assert_close(joined.double(), wanted[0], atol=2e-6, rtol=0)
    logits = 0.3 * query[0] @ key[0].transpose(1, 2) + shown[0]
    softmax = logits.softmax(2)
    torch.testing.assert_close(weights[..., :-1], softmax[..., :4], atol=2e-6, rtol=0)
    torch.testing.assert_close(weights[..., -1], softmax[..., 4:].sum(2), atol=2e-6, rtol=0)


def test_few_rows_in_float32_without_gradients_are_done_at_once() -> None:
    query = drawn(1, 4, 3, 8)
    assert kernels.few(query, 2)
    assert not kernels.few(query, 2, cap=2.0)
    assert not kernels.few(query.bfloat16(), 2)
    assert kernels.few(drawn(2, 4, 4, 8), 2), "two rows of four queries, two heads to a KV head: sixteen"
    assert not kernels.few(drawn(1, 2, 17, 8), 2)
    assert not kernels.few(query.clone().requires_grad_(), 2)


def test_where_nothing_is_seen_the_known_part_is_all() -> None:
    query, key, value = drawn(2, 3, 8), drawn(2, 4, 8, seed=1), drawn(2, 4, 8, seed=2)
    output, local = drawn(2, 3, 8, seed=3), drawn(2, 3, seed=4)
    for hidden in (-math.inf, kernels.LEAST):
        added = torch.full((1, 1, 4), hidden)
        joined, weights = kernels.beside(query, key, value, added=added, output=output, local=local, scaling=None)
        torch.testing.assert_close(joined, output)
        assert (weights[..., :-1] == 0).all()
