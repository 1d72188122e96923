"""Slots stand where a note's tokens would, hold what the encoder read, and leave the model as it is."""

import pytest
import torch
from benchmarks.mini.documents import Writer
from benchmarks.mini.model import Llama
from benchmarks.slots import Encoder, asked, judged, states_of, train, worlds_of
from rich.console import Console
from tokenizers import Tokenizer

from tercet.engines.mini import MINI


@pytest.fixture(scope="module")
def model() -> Llama:
    return Llama.load(MINI).requires_grad_(False)


@pytest.fixture(scope="module")
def writer() -> Writer:
    return Writer(Tokenizer.from_file(str(MINI / "tokenizer.json")))


def test_before_training_the_encoder_is_the_model(model: Llama) -> None:
    torch.manual_seed(0)
    encoder = Encoder(model, 2)
    tokens = torch.randint(5, 100, (1, 7))
    mask = torch.zeros(1, 1, 7, 7).masked_fill(torch.ones(7, 7, dtype=torch.bool).triu(1), -torch.inf)
    places = torch.arange(7)[None]
    torch.testing.assert_close(encoder.body(tokens, places, mask), model(tokens, places, mask))


def test_slots_of_a_text_do_not_depend_on_its_neighbours(model: Llama) -> None:
    torch.manual_seed(0)
    encoder = Encoder(model, 3)
    with torch.no_grad():
        alone = encoder([[0, 20, 30]])
        together = encoder([[0, 20, 30], [0, 40, 50, 60, 70, 80]])
    assert alone.shape == (1, 3, model.shape.width)
    torch.testing.assert_close(together[:1], alone, atol=1e-4, rtol=1e-3)
    assert (together[1] - together[0]).abs().max() > 1e-3


@pytest.mark.parametrize("slots", [0, 1, 4])
def test_each_note_has_its_slots_and_nothing_else_is_remembered(writer: Writer, slots: int) -> None:
    worlds = worlds_of("test", "places", 3)
    found = asked(writer, worlds, slots)
    filled = (found.batch.memories > 0) & ~found.batch.first
    assert filled.sum() == slots * len(found.notes)
    assert len(found.notes) == (sum(len(world.notes) for world in worlds) if slots else 0)
    assert len(found.batch.answers) == sum(len(world.questions) for world in worlds)
    full = asked(writer, worlds, None)
    assert [answer.kind for _, answer in full.batch.answers] == [answer.kind for _, answer in found.batch.answers]


def test_what_a_slot_holds_is_read(model: Llama, writer: Writer) -> None:
    torch.manual_seed(0)
    encoder, found = Encoder(model, 2), asked(writer, worlds_of("test", "read", 2), 2)
    with torch.no_grad():
        before = states_of(model, encoder, found)
        encoder.out.weight.mul_(2)
        after = states_of(model, encoder, found)
    answers = [(row, place) for row, answer in found.batch.answers for place in range(answer.start, answer.stop)]
    assert min(float((before[row, place] - after[row, place]).abs().max()) for row, place in answers) > 1e-4


def test_training_changes_the_encoder_alone(model: Llama, writer: Writer) -> None:
    torch.manual_seed(0)
    weights = {name: weight.clone() for name, weight in model.state_dict().items()}
    encoder = Encoder(model, 1)
    base = {name: weight.clone() for name, weight in encoder.body.named_parameters() if not weight.requires_grad}
    asking = encoder.asking.detach().clone()
    train(model, encoder, writer, steps=2, rows=2, console=Console(quiet=True))
    assert not torch.equal(encoder.asking, asking)
    assert all(torch.equal(weight, weights[name]) for name, weight in model.state_dict().items())
    kept = dict(encoder.body.named_parameters())
    assert all(torch.equal(weight, kept[name]) for name, weight in base.items())
    right = judged(model, encoder, asked(writer, worlds_of("test", "right", 4), 1))
    assert sum(count for _, count in right.values()) > 4
