"""Blocks of one model in several threads, contexts and generators, and what they leave behind."""

import contextvars
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from tiny_models import shared_engine, tiny_tokenizer, words  # type: ignore[import-not-found]
from torch import Tensor

from tercet.engines.attention import AttentionEngine
from tercet.store.form import Record

CONTEXT = torch.tensor([[60, 71, 62, 73, 64, 75, 66]])


def logits(engine: AttentionEngine) -> Tensor:
    with torch.no_grad():
        found: Tensor = engine.model(CONTEXT).logits
    return found


def implementations(engine: AttentionEngine) -> set[str]:
    configs = [vars(module)["config"] for module in engine.model.modules() if "config" in vars(module)]
    return {config._attn_implementation for config in configs}


@pytest.mark.parametrize("family", ["gemma2", "llama"])
def test_an_exception_leaves_the_model_as_it_was(family: str) -> None:
    engine = shared_engine(family)
    plain, before = logits(engine), implementations(engine)
    attributes = {path: set(vars(module)) for path, module in engine.model.named_modules()}

    def fail_inside() -> None:
        with engine.attend(engine.encode([words(5, 6)])):
            assert not torch.equal(logits(engine), plain)
            assert implementations(engine) != before
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_inside()
    assert implementations(engine) == before
    assert torch.equal(logits(engine), plain)
    for path, module in engine.model.named_modules():
        assert set(vars(module)) == attributes[path]
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


def test_an_exception_in_the_model_leaves_it_as_it_was() -> None:
    engine = shared_engine("llama")
    plain, before = logits(engine), implementations(engine)
    with pytest.raises(IndexError), engine.attend(engine.encode([words(5, 6)])):
        engine.model(torch.tensor([[10_000]]))
    assert implementations(engine) == before
    assert torch.equal(logits(engine), plain)


def test_an_inner_block_reads_its_own_memories_and_gives_the_outer_ones_back() -> None:
    engine = shared_engine("llama")
    first, second = engine.encode([words(5, 6, 7), words(80, 81)])
    plain = logits(engine)
    with engine.attend([first]):
        outer = logits(engine)
        with engine.attend([second]):
            inner = logits(engine)
        with engine.attend([]):
            assert torch.equal(logits(engine), plain)
        assert torch.equal(logits(engine), outer)
    with engine.attend([second]):
        assert torch.equal(logits(engine), inner)
    assert not torch.equal(inner, outer)
    assert torch.equal(logits(engine), plain)


def test_a_block_of_another_model_is_left_alone() -> None:
    engine, other = shared_engine("llama"), shared_engine("qwen3")
    plain = logits(other)
    with engine.attend(engine.encode([words(5, 6, 7)])):
        mine = logits(engine)
        assert torch.equal(logits(other), plain)
        with other.attend(other.encode([words(5, 6, 7)])):
            assert not torch.equal(logits(other), plain)
            assert torch.equal(logits(engine), mine)


def test_models_that_share_a_config_are_both_restored() -> None:
    from transformers import AutoModelForCausalLM

    first = shared_engine("llama")
    twin = AutoModelForCausalLM.from_config(first.model.config)  # type: ignore[no-untyped-call]
    second = AttentionEngine(twin.eval(), tiny_tokenizer())
    assert second.model.config is first.model.config
    before = implementations(first)
    with first.attend(first.encode([words(5)])):
        with second.attend(second.encode([words(5)])):
            logits(first), logits(second)
        assert implementations(first) != before
        logits(first)
    assert implementations(first) == before


def test_threads_with_different_memories_and_one_with_none_do_not_meet() -> None:
    engine = shared_engine("llama")
    records = engine.encode([words(5, 6, 7), words(80, 81), words(30, 31, 32, 33)])
    plain = logits(engine)
    alone = []
    for record in records:
        with engine.attend([record]) as attention:
            alone.append((logits(engine), attention.masses))
    start = threading.Barrier(4)

    def attend(number: int) -> None:
        start.wait()
        for _ in range(15):
            with engine.attend([records[number]]) as attention:
                assert torch.equal(logits(engine), alone[number][0])
            assert attention.masses == alone[number][1]

    def use_plainly() -> None:
        start.wait()
        for _ in range(30):
            assert torch.equal(logits(engine), plain)

    with ThreadPoolExecutor(4) as pool:
        tasks = [pool.submit(attend, number) for number in range(3)] + [pool.submit(use_plainly)]
        for task in tasks:
            task.result()
    assert implementations(engine) == {"sdpa"}


def test_a_thread_belongs_to_the_block_when_it_runs_in_its_context() -> None:
    engine = shared_engine("llama")
    plain, found = logits(engine), []
    with engine.attend(engine.encode([words(5, 6, 7)])):
        here = logits(engine)
        for target in (contextvars.copy_context().run, lambda work: work()):
            worker = threading.Thread(target=target, args=(lambda: found.append(logits(engine)),))
            worker.start()
            worker.join()
    assert torch.equal(found[0], here)
    assert torch.equal(found[1], plain)


def test_a_context_that_outlives_its_block_reads_nothing_more() -> None:
    engine = shared_engine("llama")
    plain = logits(engine)
    with engine.attend(engine.encode([words(5, 6, 7)])):
        logits(engine)
        left = contextvars.copy_context()
    with engine.attend([]):
        assert torch.equal(left.run(logits, engine), plain)


def test_generators_that_hold_blocks_may_end_in_any_order_and_context() -> None:
    engine = shared_engine("llama")
    first, second = engine.encode([words(5, 6, 7), words(80, 81)])
    plain = logits(engine)
    with engine.attend([second]):
        wanted = logits(engine)

    def holding(record: Record) -> Generator[Tensor, None, None]:
        with engine.attend([record]):
            yield logits(engine)

    one, two = holding(first), holding(second)
    next(one)
    next(two)
    contextvars.Context().run(one.close)
    assert torch.equal(logits(engine), wanted)
    two.close()
    assert torch.equal(logits(engine), plain)
    assert implementations(engine) == {"sdpa"}
