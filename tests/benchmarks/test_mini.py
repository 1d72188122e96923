"""The recipe of tercet-mini: what it trains on is what a dialogue sends and what the attention engine computes."""

from pathlib import Path
from random import Random

import pytest
import torch
from benchmarks.mini import train
from benchmarks.mini.batches import Batches, Course, held_out
from benchmarks.mini.documents import SYSTEM_WORDS, Document, Writer, note_of, pack
from benchmarks.mini.model import Llama, Shape
from benchmarks.mini.tokenizer import make_tokenizer, save_tokenizer
from benchmarks.worlds import make_world
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from tercet.engines.attention import AttentionEngine, Recipe
from tercet.engines.chat import Message
from tercet.engines.local_model import LocalModel
from tercet.engines.prompt import compose, render
from tercet.sdk import dialogue
from tercet.store.note import spoken

_SHAPE = Shape(vocabulary=500, width=32, layers=3, heads=4, kv_heads=2, inner=48)
_CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with random weights, saved in float32, and its tokenizer."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("mini")
    worlds = [make_world(number, "train") for number in range(100)]
    texts = [note.text for world in worlds for note in world.notes] + [SYSTEM_WORDS]
    save_tokenizer(make_tokenizer(texts, _SHAPE.vocabulary), folder)
    model = Llama(_SHAPE)
    for weight in model.parameters():  # large weights, so that attention is peaked and a memory matters
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.3)
    model.save(folder, bos=0, eos=1, dtype=torch.float32)
    return folder


@pytest.fixture(scope="module")
def writer(folder: Path) -> Writer:
    return Writer(Tokenizer.from_file(str(folder / "tokenizer.json")))


def _logits(model: Llama, document: Document, beside: Document | None = None, kept: train.Kept = None) -> torch.Tensor:
    length = len(document.tokens) + (len(beside.tokens) if beside else 0) + 3
    batch = pack([beside, document] if beside else [document], 1, length, 1)
    start = len(beside.tokens) if beside else 0
    tokens, places, mask = train.inputs_of(batch, _CPU)
    with torch.no_grad():
        hidden = model(tokens, places, train.narrowed(model, batch, (tokens, places, mask), kept))[0]
    return model.logits(hidden)[start : start + len(document.tokens)].detach()


@pytest.mark.parametrize(
    ("recipe", "kept"),
    [
        (Recipe(), None),
        (Recipe(heads=((1,), (0, 1), ())), ((1,), (0, 1))),
        (Recipe(tokens=6, score="surprisal", residual=False), 6),
    ],
)
def test_memories_in_training_are_memories_in_the_engine(
    folder: Path, writer: Writer, recipe: Recipe, kept: train.Kept
) -> None:
    world = make_world(3, "train", notes=5, questions=3)
    document = writer.attended(world.notes, world.questions, system=True)
    ours = _logits(Llama.load(folder), document, kept=kept)[torch.tensor(document.memories) == 0]
    context = [token for token, memory in zip(document.tokens, document.memories, strict=True) if memory == 0]
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    engine = AttentionEngine(model, AutoTokenizer.from_pretrained(folder), recipe=recipe)
    records = engine.encode([spoken(note_of(note)) for note in world.notes])
    with torch.no_grad(), engine.attend(records):
        theirs = model(torch.tensor([context])).logits[0]
    with torch.no_grad():
        without = model(torch.tensor([context])).logits[0]
    assert (ours - theirs).abs().max() / theirs.std() < 1e-4
    assert (without - theirs).abs().max() / theirs.std() > 1e-2


def test_documents_in_one_row_do_not_see_each_other(folder: Path, writer: Writer) -> None:
    model = Llama.load(folder)
    world, other = make_world(1, "train", notes=3), make_world(2, "train", notes=2)
    document = writer.attended(world.notes, world.questions, system=False)
    beside = writer.attended(other.notes, other.questions, system=False)
    alone = _logits(model, document)
    assert (alone - _logits(model, document, beside)).abs().max() / alone.std() < 1e-4


def test_the_prompt_is_what_a_dialogue_sends(folder: Path, writer: Writer) -> None:
    world = make_world(4, "train", notes=3, questions=1)
    question = world.questions[0]
    document = writer.prompted(world.notes, [question], system=True)
    messages = compose(SYSTEM_WORDS, [], question.text, render([note_of(note) for note in world.notes]))
    laid = LocalModel(folder).layout([*messages])
    assert document.tokens[: len(laid)] == laid
    assert document.tokens[len(laid) :] == writer.encode(f" {question.answer}.</s>")
    assert dialogue.SYSTEM == SYSTEM_WORDS


def test_a_history_is_laid_out_as_in_training(folder: Path, writer: Writer) -> None:
    world = make_world(5, "train", notes=3, questions=3)
    document = writer.attended((), world.questions, system=False)
    messages = []
    for question in world.questions:
        messages += [Message("user", question.text), Message("assistant", f"{question.answer}.")]
    assert document.tokens[: document.answers[-1].start] == LocalModel(folder).layout(messages[:-1])


def test_names_are_spelled_alike_everywhere(writer: Writer) -> None:
    name = writer.encode("Skairwick")
    for text in ("She lives in Skairwick.", '["Skairwick","user"]', "Skairwick: Hello"):
        tokens = writer.encode(text)
        assert any(tokens[start : start + len(name)] == name for start in range(len(tokens)))
    text = 'Zoë paid 12,50 € in Łódź: "fine"\n\tthen left 東京.'
    assert writer.tokenizer.decode(writer.encode(text), skip_special_tokens=False) == text


def test_repetitions_can_be_known_from_what_came_before(writer: Writer) -> None:
    document = writer.repeated(Random(0), 96)
    weighted = [place for place, weight in enumerate(document.weights) if weight]
    assert len(weighted) > 30
    pairs = list(zip(document.tokens, document.tokens[1:], strict=False))
    assert all(pairs[place - 1] in pairs[: place - 1] for place in weighted)


def test_batches_depend_on_number_and_seed_alone(writer: Writer) -> None:
    course = Course(100, rows=2, length=256, notes=4)
    for number in (1, 30, 99):
        one, same, other = (
            Batches(chosen, writer.tokenizer, ["Some words of a book."])[number]
            for chosen in (course, course, Course(100, rows=2, length=256, notes=4, seed=1))
        )
        assert (one.tokens == same.tokens).all()
        assert (one.tokens != other.tokens).any()


def test_held_out_worlds_are_of_the_test_split(writer: Writer) -> None:
    batch = held_out(writer.tokenizer, notes=3, rows=2, length=256, prompted=True)
    said = writer.tokenizer.decode(batch.tokens[0].tolist())
    assert batch.answers
    assert said != writer.tokenizer.decode(
        held_out(writer.tokenizer, notes=3, rows=2, length=256, prompted=True, split="train").tokens[0].tolist()
    )


def test_a_run_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    small = (
        "--steps 8 --rows 1 --length 256 --layers 2 --width 32 --inner 48 --vocabulary 500 --text 0 --every 100".split()
    )
    train.main([str(tmp_path / "whole"), *small])
    train.main([str(tmp_path / "parts"), *small, "--stop", "5"])
    train.main([str(tmp_path / "parts"), *small])
    whole, parts = (Llama.load(tmp_path / name).state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    assert LocalModel(tmp_path / "whole").attention.report.verdict == "exact"


def test_a_grown_model_says_what_the_small_one_says_and_all_of_it_learns(folder: Path, writer: Writer) -> None:
    small = Llama.load(folder)
    grown = small.grown(Shape(vocabulary=500, width=64, layers=4, heads=8, kv_heads=4, inner=96))
    notes = make_world("grown", "train").notes
    document = writer.attended(notes, make_world("grown", "train").questions, system=True)
    wanted, found = _logits(small, document), _logits(grown, document)
    torch.testing.assert_close(
        found, wanted, atol=1e-2 * float(wanted.std()), rtol=0
    )  # the norm adds 1e-5 to a square that is now smaller
    batch = pack([document], 1, len(document.tokens), 1)
    train.loss_of(grown, grown, batch, _CPU).backward()  # type: ignore[no-untyped-call]
    moved = {name: weight.grad for name, weight in grown.named_parameters() if weight.grad is not None}
    assert moved["model.layers.3.mlp.down_proj.weight"].any()
    new = moved["model.layers.0.self_attn.o_proj.weight"][32:]
    assert new.abs().max() > 0, "features that nobody reads would never be learnt"


@pytest.mark.parametrize(
    "shape", [Shape(500, 64, 4, 4, 2, 96), Shape(500, 64, 4, 8, 2, 96), Shape(600, 64, 4, 8, 4, 96)]
)
def test_a_model_grows_by_whole_groups_of_heads_alone(folder: Path, shape: Shape) -> None:
    with pytest.raises(ValueError, match="a model grows by"):
        Llama.load(folder).grown(shape)
