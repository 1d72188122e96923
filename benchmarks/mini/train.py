"""Trains tercet-mini, a small language model that reads memories in its prompt and in its attention.

    python -m benchmarks.mini.train FOLDER [--steps N] [--width 128 --layers 6 …] [--device cuda --workers 14 --compile]

It can be stopped and started again: FOLDER keeps the tokenizer, the weights and the optimiser's state. Plain text to
learn English from is taken from ``novels/train`` in the folder TERCET_DATA, where there is one.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, cast

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor
from torch.utils.data import DataLoader, Subset

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.mini.batches import Batches, Course, held_out
from benchmarks.mini.documents import SYSTEM_WORDS, Batch, note_of
from benchmarks.mini.model import Llama, Shape, attention_mask, in_heads, in_tokens
from benchmarks.mini.tokenizer import make_tokenizer, save_tokenizer
from benchmarks.worlds import make_world

from tercet.engines.prompt import render

STATE = "state.pt"

_CALIBRATED = 0.2  # share of full-grown batches whose memories are seen in _HEADS alone
_SPARSE = 0.12  # share whose memories keep the tokens that surprise the model most
_HEADS = ((1,), (0, 1))  # KV heads of the first layers, as calibration found them; none of the others
_KEPT = (8, 12, 16)  # tokens of a sparse memory

Kept = tuple[tuple[int, ...], ...] | int | None  # KV heads of the layers, tokens of a memory, or all


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    for name, default in (("vocabulary", 1024), ("width", 128), ("layers", 5), ("heads", 4), ("kv-heads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--inner", type=int, default=384)
    for name, default in (("steps", 45_000), ("rows", 3), ("length", 448), ("notes", 5), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--rate", type=float, default=1e-3, help="highest learning rate")
    parser.add_argument("--repeating", type=float, default=0.02, help="share of the steps for repetitions alone")
    parser.add_argument("--growing", type=float, default=0.25, help="share of the steps when worlds are full-grown")
    parser.add_argument("--calls", type=float, default=0.12, help="share of documents that call, once worlds are grown")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, default=0, help="processes that make batches")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--text", type=float, default=3.0, help="megabytes of novels")
    parser.add_argument("--grow", type=Path, metavar="FOLDER", help="begin with this smaller model, grown")
    parser.add_argument("--stop", type=int, help="stop before this step, to go on another time")
    parser.add_argument("--every", type=int, default=250, help="steps between two checkpoints")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(chosen.seed)
    texts = novels(chosen.text)
    if chosen.grow and not (chosen.folder / "tokenizer.json").exists():
        save_tokenizer(Tokenizer.from_file(str(chosen.grow / "tokenizer.json")), chosen.folder)
    tokenizer = tokenizer_of(chosen.folder, texts, chosen.vocabulary)
    course = Course(
        chosen.steps,
        chosen.rows,
        chosen.length,
        chosen.notes,
        chosen.seed,
        chosen.repeating,
        chosen.growing,
        chosen.calls,
    )
    shape = Shape(chosen.vocabulary, chosen.width, chosen.layers, chosen.heads, chosen.kv_heads, chosen.inner)
    run(chosen, course, shape, tokenizer, texts)


def run(chosen: argparse.Namespace, course: Course, shape: Shape, tokenizer: Tokenizer, texts: list[str]) -> None:
    """Trains from where the folder's state stands to the end of the course."""
    device = torch.device(chosen.device)
    model = (Llama.load(chosen.grow).grown(shape) if chosen.grow else Llama(shape)).to(device)
    matrices = [weight for weight in model.parameters() if weight.dim() > 1]
    vectors = [weight for weight in model.parameters() if weight.dim() == 1]
    groups = [{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=chosen.rate, betas=(0.9, 0.98), fused=True)
    begun, spent = 0, 0.0
    state = chosen.folder / STATE
    if state.exists():
        kept = torch.load(state, map_location=device, weights_only=True)
        model.load_state_dict(kept["model"])
        optimiser.load_state_dict(kept["optimiser"])
        begun, spent = kept["step"], kept["seconds"]
        print(f"taken up at step {begun}", flush=True)
    forward = torch.compile(model) if chosen.compile else model
    tests = {
        name: held_out(tokenizer, notes=course.notes, rows=16, length=course.length, prompted=prompted)
        for name, prompted in (("attention", False), ("prompt", True))
    }
    batches = Batches(course, tokenizer, texts)
    stop = min(course.steps, chosen.stop or course.steps)
    loader: DataLoader[Batch] = DataLoader(
        Subset(batches, range(begun, stop)),
        batch_size=None,
        num_workers=chosen.workers,
        prefetch_factor=8 if chosen.workers else None,
        collate_fn=cast(Callable[[list[Any]], Any], _same),
    )
    print(f"{sum(map(torch.numel, model.parameters())):,} parameters, {course.steps:,} steps on {device}", flush=True)
    losses: list[Tensor] = []
    start = time.monotonic()
    for step, batch in enumerate(loader, begun):
        for group in optimiser.param_groups:
            group["lr"] = chosen.rate * rate_at(step, course.steps)
        loss = loss_of(forward, model, batch, device, narrowing(course, step))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(loss.detach())
        if len(losses) == 50:
            seconds = spent + time.monotonic() - start
            print(f"step {step + 1:6} {seconds:6.0f} s  loss {torch.stack(losses).mean():.3f}", flush=True)
            losses.clear()
        if (step + 1) % chosen.every == 0 or step + 1 == stop:
            for name, test in tests.items():
                print(f"   held out, {name}: {told(accuracy(model, test, device))}", flush=True)
            model.save(chosen.folder, bos=batches.writer.bos, eos=batches.writer.eos)
            seconds = spent + time.monotonic() - start
            whole = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": step + 1}
            torch.save({**whole, "seconds": seconds}, state.with_suffix(".new"))
            os.replace(state.with_suffix(".new"), state)


def _same(batch: Batch) -> Batch:
    return batch


def rate_at(step: int, steps: int) -> float:
    """Returns the share of the highest learning rate: a short climb, then a cosine down to 2 %."""
    climb = min(1.0, (step + 1) / 200)
    return climb * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def inputs_of(batch: Batch, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Returns tokens, places and mask."""
    arrays = (batch.tokens, batch.places, batch.documents, batch.memories, batch.first, batch.bias)
    tokens, places, documents, memories, first, bias = (
        torch.from_numpy(array).to(device, non_blocking=True) for array in arrays
    )
    dtype = torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else torch.float32
    return tokens, places, attention_mask(documents, memories, first, bias, dtype)


def narrowing(course: Course, step: int) -> Kept:
    """Returns what a batch keeps of its memories, drawn by its number."""
    drawn = Random(f"{course.seed} {step} kept")
    if step < course.growing * course.steps:
        return None
    chance = drawn.random()
    if chance < _CALIBRATED:
        return _HEADS
    return drawn.choice(_KEPT) if chance < _CALIBRATED + _SPARSE else None


def narrowed(model: Llama, batch: Batch, inputs: tuple[Tensor, Tensor, Tensor], kept: Kept) -> Tensor | list[Tensor]:
    """Returns the masks under which contexts see what is kept of memories."""
    tokens, _, mask = inputs
    memories = torch.from_numpy(batch.memories).to(mask.device)
    if isinstance(kept, tuple):
        return in_heads(mask, memories, kept, model.shape)
    if kept is None:
        return mask
    told = memories > 0
    surprise = torch.zeros(tokens.shape, device=mask.device)
    with torch.no_grad():
        logits = model.logits(model(*inputs)[:, :-1][told[:, 1:]]).float()
    surprise[:, 1:][told[:, 1:]] = F.cross_entropy(logits, tokens[:, 1:][told[:, 1:]], reduction="none")
    return in_tokens(mask, memories, torch.from_numpy(batch.first).to(mask.device), surprise, kept)


def loss_of(
    forward: Callable[..., Tensor], model: Llama, batch: Batch, device: torch.device, kept: Kept = None
) -> Tensor:
    """Returns the weighted loss of a batch."""
    weights = torch.from_numpy(batch.weights).to(device)[:, 1:]
    wanted = weights > 0
    with torch.autocast(device.type, torch.bfloat16):
        tokens, places, mask = inputs_of(batch, device)
        masks = narrowed(model, batch, (tokens, places, mask), kept)
        hidden = forward(tokens, places, masks)
        logits = model.logits(hidden[:, :-1][wanted])
    each = F.cross_entropy(logits.float(), tokens[:, 1:][wanted], reduction="none")
    return (each * weights[wanted]).sum() / weights[wanted].sum()


@torch.no_grad()
def accuracy(model: Llama, batch: Batch, device: torch.device) -> dict[str, tuple[int, int]]:
    """Returns, for each kind of question, how many answers are right to the last token, and how many there are."""
    tokens, places, mask = inputs_of(batch, device)
    best = model.logits(model(tokens, places, mask)).argmax(-1)
    right: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for row, answer in batch.answers:
        asked[answer.kind] += 1
        here = best[row, answer.start - 1 : answer.stop - 1] == tokens[row, answer.start : answer.stop]
        right[answer.kind] += bool(here.all())
    return {kind: (right[kind], count) for kind, count in asked.items()}


def told(counts: dict[str, tuple[int, int]]) -> str:
    """Returns accuracies as one line."""
    return ", ".join(f"{kind} {right / count:.2f} ({count})" for kind, (right, count) in sorted(counts.items()))


def novels(megabytes: float) -> list[str]:
    """Returns the beginnings of the novels of the data folder, so much in all; nothing where there is none."""
    root = Path(os.environ.get("TERCET_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
    files = sorted((root / "novels" / "train").glob("*.txt"))
    share = int(megabytes * 1e6 / max(1, len(files)))
    return [file.read_text(encoding="utf-8", errors="replace")[2000 : 2000 + share] for file in files] if share else []


def tokenizer_of(folder: Path, texts: list[str], size: int) -> Tokenizer:
    """Returns the folder's tokenizer; makes it if there is none."""
    file = folder / "tokenizer.json"
    if not file.exists():
        save_tokenizer(make_tokenizer(_corpus(texts), size), folder)
    return Tokenizer.from_file(str(file))


def _corpus(texts: list[str]) -> list[str]:
    worlds = [make_world(f"tokenizer {number}", "train", notes=8, questions=6) for number in range(3000)]
    lines = [text[:20_000] for text in texts] + [SYSTEM_WORDS] * 200
    for world in worlds:
        lines.append(render([note_of(note) for note in world.notes]))
        lines += [note.text for note in world.notes]
        lines += [f" {question.text} {question.answer}." for question in world.questions]
    return lines


if __name__ == "__main__":
    main()
