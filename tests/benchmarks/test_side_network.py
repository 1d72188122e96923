"""The side network reads what the backbone made of the text before, no other row's, and nothing of what comes."""

from collections.abc import Iterator

import pytest
import torch
from benchmarks.side_network import Bank, Reading, Run, SideNetwork, Streams, judged, train
from rich.console import Console
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

WINDOW, MEMORY = 16, 32


@pytest.fixture(scope="module")
def backbone() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=5,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        initializer_range=0.3,
    )
    return LlamaForCausalLM(config).requires_grad_(False)


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        yield


def texts(count: int = 2, length: int = 10 * WINDOW) -> list[Tensor]:
    return [torch.randint(0, 50, (length,)) for _ in range(count)]


def nats(backbone: LlamaForCausalLM, reading: Reading, held: list[Tensor], windows: int = 4) -> Tensor:
    torch.manual_seed(2)
    run = Run(backbone, SideNetwork(backbone, reading), MEMORY)
    with torch.no_grad():
        return torch.stack(list(run.losses(Streams(held, WINDOW, rows=len(held)), windows)))


@pytest.mark.parametrize("reading", ["joint", "gate"])
def test_memory_changes_all_but_the_first_window(backbone: LlamaForCausalLM, reading: Reading) -> None:
    held = texts()
    alone, read = nats(backbone, "none", held), nats(backbone, reading, held)
    torch.testing.assert_close(read[0], alone[0])
    assert (read[1:] - alone[1:]).abs().amax((1, 2)).min() > 1e-3


@pytest.mark.parametrize("reading", ["joint", "gate"])
def test_only_the_past_and_only_its_own_is_read(backbone: LlamaForCausalLM, reading: Reading) -> None:
    held = texts()
    later, other = [text.clone() for text in held], [text.clone() for text in held]
    later[0][3 * WINDOW + 1 :] = 7  # the last token that the first three windows are judged by stays
    other[1][:] = 9
    torch.testing.assert_close(nats(backbone, reading, later)[:3, 0], nats(backbone, reading, held)[:3, 0])
    torch.testing.assert_close(nats(backbone, reading, other)[:, 0], nats(backbone, reading, held)[:, 0])


def test_a_bank_keeps_the_last_tokens_and_a_new_novel_begins_without(backbone: LlamaForCausalLM) -> None:
    bank = Bank.empty(1, 2, 8, 4)
    for number in range(3):
        bank.push(torch.full((1, 2, 4, 4), float(number)), torch.full((1, 2, 4, 4), float(number)))
    assert bank.keys[0, 0, :, 0].tolist() == [1.0] * 4 + [2.0] * 4
    assert bank.filled.tolist() == [8]
    bank.clear([0])
    assert bank.filled.tolist() == [0]
    short = [torch.randint(0, 50, (2 * WINDOW + 1,)) for _ in range(2)]
    again = nats(backbone, "joint", short)  # two windows, and from the beginning again
    torch.testing.assert_close(again[2:], again[:2])


def test_with_every_chunk_found_the_joint_softmax_is_plain_attention_over_both(backbone: LlamaForCausalLM) -> None:
    side = SideNetwork(backbone, "joint")
    bank = Bank(torch.randn(1, 2, 32, 8), torch.randn(1, 2, 32, 8), torch.tensor([32]))
    query = torch.randn(1, 4, 3, 8)
    far, values = side._far(query, bank)
    near, near_values = torch.randn(1, 4, 3, 5), torch.randn(1, 4, 5, 8)
    found = side._joined(near, near_values, far, values)
    keys = bank.keys.repeat_interleave(2, 1)
    logits = torch.cat([near, query @ keys.transpose(2, 3) * 8**-0.5], -1)
    wanted = logits.softmax(-1) @ torch.cat([near_values, bank.values.repeat_interleave(2, 1)], 2)
    torch.testing.assert_close(found, wanted)


def test_training_lowers_the_loss_and_leaves_the_backbone(backbone: LlamaForCausalLM) -> None:
    before = {name: weight.clone() for name, weight in backbone.state_dict().items()}
    text = [torch.arange(101 * WINDOW) % 7 for _ in range(2)]
    run = Run(backbone, SideNetwork(backbone, "joint"), MEMORY)
    first = sum(judged(run, text, window=WINDOW, windows=4, other=False))
    train(run, Streams(text, WINDOW, rows=2), steps=100, rate=1e-2, console=Console(quiet=True), name="")
    assert sum(judged(run, text, window=WINDOW, windows=4, other=False)) < 0.7 * first
    assert all(torch.equal(weight, before[name]) for name, weight in backbone.state_dict().items())


def test_too_few_novels_are_refused() -> None:
    with pytest.raises(ValueError, match="8 rows need as many novels, there are 2"):
        Streams(texts(), WINDOW)
