"""`recall.attend`: memories in a real model's attention, and the model afterwards as it was, bit for bit."""

import contextvars
import math
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from factories import Memories, on_disk  # type: ignore[import-not-found]
from transformers import PreTrainedModel

from tercet.engines import LocalModel
from tercet.engines.attention.own_keys import OwnKeys
from tercet.sdk import Memory, Recall
from tercet.store.errors import InvalidInput, NoteNotFound
from tercet.store.note import spoken

STORIES = Path(__file__).resolve().parents[2] / "adapters" / "cli" / "demo" / "stories260K"


@pytest.fixture(scope="module")
def stories() -> LocalModel:
    return LocalModel(STORIES)


@pytest.fixture
def ada(memory: Memories) -> Memory:
    ada: Memory = memory("ada", embedder=None)
    ada.write_many(["Lily has a red ball.", "Tom found a big blue car in the park.", "The cat sat on the mat."])
    return ada


def _state(model: PreTrainedModel) -> list[object]:
    """Everything that attending could leave behind."""
    weights = [tensor.clone() for tensor in model.state_dict().values()]
    hooks = [
        (len(module._forward_hooks), len(module._forward_pre_hooks), sorted(vars(module))) for module in model.modules()
    ]
    return [weights, hooks, model.config.to_dict(), model.config._attn_implementation]


def _same(before: list[object], after: list[object]) -> bool:
    weights = zip(before[0], after[0], strict=True)  # type: ignore[call-overload]
    return all(torch.equal(old, new) for old, new in weights) and before[1:] == after[1:]


def _logits(stories: LocalModel, text: str) -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = stories.model(**stories.tokenizer(text, return_tensors="pt")).logits
    return logits


def _attended(recall: Recall, stories: LocalModel, text: str) -> torch.Tensor:
    with recall.attend(stories):
        return _logits(stories, text)


def _fail_inside(recall: Recall, stories: LocalModel) -> None:
    with recall.attend(stories):
        _logits(stories, "Once upon")
        raise KeyError("mine")


def test_memories_move_the_model_and_say_how_much_each_was_attended_to(ada: Memory, stories: LocalModel) -> None:
    recall = ada.read("What does Lily have?", k=3)
    plain = _logits(stories, "Lily has a")
    with recall.attend(stories) as attention:
        moved = _logits(stories, "Lily has a")
    assert not torch.allclose(plain, moved, atol=1e-3)
    assert len(attention.masses) == len(recall) > 0
    assert sum(attention.masses) + attention.local == pytest.approx(1, abs=1e-5)
    assert all(mass > 0 for mass in attention.masses)


def test_a_transformers_model_finds_its_tokenizer_and_generate_works(ada: Memory, stories: LocalModel) -> None:
    inputs = stories.tokenizer("Lily has a red", return_tensors="pt")
    with ada.read("What does Lily have?", k=1).attend(stories.model):
        ids = stories.model.generate(**inputs, max_new_tokens=5, do_sample=False)  # type: ignore[operator]
    assert ids.shape[1] == inputs["input_ids"].shape[1] + 5


def test_the_model_is_as_it_was_also_after_an_exception(ada: Memory, stories: LocalModel) -> None:
    recall = ada.read("What does Lily have?", k=2)
    _attended(recall, stories, "Once")  # the gate runs at the first use
    before, plain = _state(stories.model), _logits(stories, "Once upon a time")
    with pytest.raises(KeyError, match="mine"):
        _fail_inside(recall, stories)
    assert _same(before, _state(stories.model))
    assert torch.equal(plain, _logits(stories, "Once upon a time"))


def test_two_threads_attend_to_their_own_memories_and_a_third_to_none(ada: Memory, stories: LocalModel) -> None:
    text = "One day there was"
    recalls = [ada.read("Lily ball", k=1), ada.read("Tom car park", k=1)]
    alone = [_attended(recall, stories, text) for recall in recalls]
    plain = _logits(stories, text)
    before = _state(stories.model)
    inside = threading.Barrier(3)
    got: dict[int, torch.Tensor] = {}

    def attend(place: int) -> None:
        with recalls[place].attend(stories):
            inside.wait(timeout=60)
            got[place] = _logits(stories, text)
            inside.wait(timeout=60)

    def ask() -> None:
        inside.wait(timeout=60)
        got[2] = _logits(stories, text)
        inside.wait(timeout=60)

    threads = [threading.Thread(target=contextvars.Context().run, args=(attend, place)) for place in (0, 1)]
    threads.append(threading.Thread(target=ask))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert torch.equal(got[0], alone[0])
    assert torch.equal(got[1], alone[1])
    assert torch.equal(got[2], plain)
    assert not torch.equal(alone[0], alone[1])
    assert _same(before, _state(stories.model))


@pytest.mark.sqlite
def test_records_are_kept_read_again_and_forgotten_with_their_note(ada: Memory, stories: LocalModel) -> None:
    recall = ada.read("What does Lily have?", k=1)
    folder = on_disk(ada._store).folder / "records"
    first = _attended(recall, stories, "Lily has a")
    assert not folder.exists(), "used once, it stays words"
    assert torch.equal(first, _attended(recall, stories, "Lily has a"))
    files = list(folder.iterdir())
    assert len(files) == 1
    assert torch.equal(first, _attended(recall, stories, "Lily has a"))
    assert list(folder.iterdir()) == files
    ada._store.near.drop([file.name for file in files])
    files[0].write_bytes(files[0].read_bytes()[:-7] + b"damaged")
    assert torch.equal(first, _attended(recall, stories, "Lily has a"))  # noticed, and made anew from the words
    receipt = ada.forget(recall[0].note.id, erase=True)
    assert receipt.erased
    assert ada.stats().forms["keys-values"].count == 0
    assert list(folder.iterdir()) == []
    assert len(ada._store.near) == 0


@pytest.mark.sqlite
def test_notes_are_encoded_ahead_of_their_first_use_when_asked(ada: Memory, stories: LocalModel) -> None:
    lily, *others = reversed(ada.notes())
    ada.encode(lily.id, model=stories)
    assert ada.stats().forms["keys-values"].count == 1
    with pytest.raises(NoteNotFound):
        ada.encode("0" * 16, model=stories)
    ada.revise(others[0].id, "Tom found a small red car in the park.")
    ada.encode(model=stories)
    assert ada.stats().forms["keys-values"].count == 3, "what is current, and nothing of what was before"
    assert len(list((on_disk(ada._store).folder / "records").iterdir())) == 3


def test_a_recall_is_reranked_by_the_models_own_keys(ada: Memory, stories: LocalModel) -> None:
    recall = ada.read("What does Lily have? Where is the car, where is the cat?", k=3)
    found = ada.reranked(recall, model=stories, heads=[(1, 0), (2, 3)])
    assert {one.note.id for one in found} == {one.note.id for one in recall}
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    keys = OwnKeys(stories.attention, heads=[(1, 0), (2, 3)])
    scores = keys.scores(recall.cue, stories.attention.encode([spoken(note) for note in recall.notes]))
    assert [one.note.id for one in found] == [one.note.id for one in recall.reordered(scores)]
    assert len(ada.reranked(recall[:0], model=stories)) == 0
    with pytest.raises(InvalidInput, match="2 scores for 3"):
        recall.reordered([0.1, 0.2])
    least = recall.reordered([0.0, 0.0, 9.0])
    assert least[0].note.id in (recall[0].note.id, recall[2].note.id)
    assert least[0].score >= 1


def test_what_fits_better_is_louder(ada: Memory, stories: LocalModel) -> None:
    recall = ada.read("Did Lily, Tom or the cat have a red ball?", k=3)
    first, *others = recall.bias
    assert others == pytest.approx([first - 1.5 * math.log(rank) for rank in (2, 3)])
    assert sum(map(math.exp, recall.bias)) == pytest.approx(1)
    found = {}
    for bias in (None, "log_n", [-50.0, 0.0, -50.0]):
        with recall.attend(stories, bias=bias) as attention:
            _logits(stories, "Lily has a")
        found[str(bias)] = list(attention.masses)
    assert found["None"][0] > found["log_n"][0]
    assert found[str([-50.0, 0.0, -50.0])][1] > 1000 * found[str([-50.0, 0.0, -50.0])][0]
    with pytest.raises(InvalidInput, match="2 numbers for 3 memories"), recall.attend(stories, bias=[0.0, 0.0]):
        pass


def test_what_fits_alike_is_as_loud_and_nothing_is_silent(ada: Memory) -> None:
    recall = ada.read("Did Lily, Tom or the cat have a red ball?", k=3)
    alike = recall.of([replace(found, score=0.0) for found in recall])
    assert alike.bias == pytest.approx([-math.log(3)] * 3)
    after = recall.of([replace(found, score=score) for found, score in zip(recall, (0.2, 0.9, 0.2), strict=True)]).bias
    assert after[0] == after[2] == pytest.approx(after[1] - 1.5 * math.log(2))
    assert recall[:1].bias == (0.0,)
    for confidence, heard in ((1.0, 1.0), (0.3, 0.3), (0.0, math.exp(-4))):
        unsure = Recall(recall.cue, list(recall), lambda *_: None, confidence)  # type: ignore[arg-type]
        assert sum(map(math.exp, unsure.bias)) == pytest.approx(heard)
    assert recall[:0].bias == ()
