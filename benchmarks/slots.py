"""How much of a note survives in a few vectors: an encoder writes it into slots, tercet-mini answers from them.

In-context autoencoder (Ge et al. 2023, "In-context Autoencoder for Context Compression in a Large Language Model"):
the encoder is the model itself with low-rank changes, given a note and n learned embeddings behind it; its last
states there are the slots. Here the frozen model attends to them as it does to the tokens of a memory: each note's
slots stand alone before the context. Trained on questions about worlds, by the loss of the answers alone; the paper
first trains the encoder to write the text again. Peers: the notes' own tokens (the most there is to keep), and no
memory. Held-out worlds: other names, other ways of saying and asking.

    python benchmarks/slots.py [--steps N] [--slots N ...] [--json FILE]
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import cast

import click
import numpy as np
import torch
import torch.nn.functional as F
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.machine import machine  # noqa: E402
from benchmarks.mini.documents import Answer, Batch, Document, Writer, note_of, pack  # noqa: E402
from benchmarks.mini.model import Llama, attention_mask  # noqa: E402
from benchmarks.worlds import KINDS, Split, World, make_world  # noqa: E402

from tercet.engines.mini import MINI  # noqa: E402
from tercet.store.note import spoken  # noqa: E402

SLOTS = (1, 2, 4, 8)
NOTES = 5
RANK = 8


class LowRank(nn.Module):
    """A frozen linear map and a change of low rank, none at first (Hu et al. 2021, "LoRA", equation 3)."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = nn.Parameter(torch.randn(rank, base.in_features) * base.in_features**-0.5)
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        """Returns both together."""
        out: Tensor = self.base(x) + F.linear(F.linear(x, self.down), self.up)
        return out


class Encoder(nn.Module):
    """Writes a text into slots.

    Args:
        model: what it begins as; a copy of it is changed by low rank.
        slots: how many.
    """

    def __init__(self, model: Llama, slots: int, rank: int = RANK) -> None:
        super().__init__()
        self.slots = slots
        self.body = deepcopy(model).requires_grad_(False)
        for layer in self.body.model.layers:
            attention = cast(nn.Module, layer.self_attn)
            for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
                setattr(attention, name, LowRank(cast(nn.Linear, getattr(attention, name)), rank))
        width = model.shape.width
        mean = model.model.embed_tokens.weight.detach().mean(0)
        self.asking = nn.Parameter(mean + 0.1 * torch.randn(slots, width))
        self.out = nn.Linear(width, width, bias=False)
        self.out.weight.data = 0.1 * torch.eye(width)  # states after the norm are larger than embeddings

    def forward(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """Returns the slots of each text, shape (texts, slots, width)."""
        longest = max(map(len, texts))
        size = longest + self.slots
        tokens = torch.zeros(len(texts), longest, dtype=torch.long)
        documents = torch.full((len(texts), size), -1)
        for row, text in enumerate(texts):  # on the right, so that the slots follow
            tokens[row, longest - len(text) :] = torch.tensor(text)
            documents[row, longest - len(text) :] = row
        embedded = self.body.model.embed_tokens(tokens)
        x = torch.cat([embedded, self.asking.expand(len(texts), -1, -1)], 1)
        nothing = torch.zeros(len(texts), size, dtype=torch.long)
        mask = attention_mask(documents, nothing, nothing.bool(), nothing.float(), x.dtype)
        places = torch.arange(size).expand(len(texts), -1)
        states = self.body.states(x, places, mask)
        out: Tensor = self.out(states[:, -self.slots :])
        return out


@dataclass(frozen=True, slots=True)
class Asked:
    """Worlds as one batch, and the notes that its slots stand for, in the order of the slots."""

    batch: Batch
    notes: tuple[tuple[int, ...], ...]


def asked(writer: Writer, worlds: Sequence[World], slots: int | None) -> Asked:
    """Returns dialogues about worlds: each note as ``slots`` tokens that are to be filled, as its own where None."""
    documents, notes = [], []
    for number, world in enumerate(worlds):
        told = Random(number).sample(world.notes, len(world.notes))
        if slots is None:
            documents.append(writer.attended(told, world.questions, system=False))
            continue
        document = Document()
        for place, note in enumerate(told if slots else (), 1):
            document.add([writer.bos, *[writer.eos] * slots], weight=0.0, memory=place, place=0)
            notes.append((writer.bos, *writer.encode(spoken(note_of(note)))))
        writer.dialogue(document, world.questions, [], False, slots + 1)
        documents.append(document)
    length = max(len(document.tokens) for document in documents)
    rows = [pack([document], 1, length, writer.eos) for document in documents]
    answers = tuple((number, answer) for number, row in enumerate(rows) for _, answer in row.answers)
    batch = Batch(
        np.concatenate([row.tokens for row in rows]),
        np.concatenate([row.documents for row in rows]),
        np.concatenate([row.memories for row in rows]),
        np.concatenate([row.first for row in rows]),
        np.concatenate([row.bias for row in rows]),
        np.concatenate([row.places for row in rows]),
        np.concatenate([row.weights for row in rows]),
        answers,
    )
    return Asked(batch, tuple(notes))


def states_of(model: Llama, encoder: Encoder | None, found: Asked) -> Tensor:
    """Returns the last states of a batch, its slots filled by the encoder."""
    batch = found.batch
    tokens, documents, memories, first, bias, places = (
        torch.from_numpy(array)
        for array in (batch.tokens, batch.documents, batch.memories, batch.first, batch.bias, batch.places)
    )
    x = model.model.embed_tokens(tokens)
    if encoder is not None:
        filled = (memories > 0) & ~first
        x = x.masked_scatter(filled[..., None], encoder(found.notes))
    return model.states(x, places, attention_mask(documents, memories, first, bias, x.dtype))


def train(model: Llama, encoder: Encoder, writer: Writer, *, steps: int, rows: int, console: Console) -> None:
    """Trains an encoder on worlds of training; the model stays as it is."""
    optimiser = torch.optim.AdamW([one for one in encoder.parameters() if one.requires_grad], lr=2e-3)
    begun, total = time.monotonic(), 0.0
    for step in range(1, steps + 1):
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * min(1.0, step / 50) * (1.02 - step / steps)
        found = asked(writer, worlds_of("train", f"slots {step}", rows), encoder.slots)
        states = states_of(model, encoder, found)[:, :-1]
        wanted = torch.from_numpy(found.batch.weights[:, 1:]) >= 1  # the answers
        loss = F.cross_entropy(model.logits(states[wanted]), torch.from_numpy(found.batch.tokens)[:, 1:][wanted])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimiser.step()
        total += float(loss.detach())
        if step % 100 == 0:
            spent = time.monotonic() - begun
            console.print(f"{encoder.slots} slots: {step} of {steps}, {total / 100:.3f} nats, {spent:.0f} s")
            total = 0.0


def worlds_of(split: Split, seed: str, count: int) -> list[World]:
    """Returns worlds of five notes with questions of all kinds."""
    return [make_world(f"{seed} {number}", split, notes=NOTES, questions=4) for number in range(count)]


@torch.no_grad()
def judged(model: Llama, encoder: Encoder | None, found: Asked) -> dict[str, tuple[int, int]]:
    """Returns, for each kind of question, how many answers are right to the last token, and how many there are."""
    best = model.logits(states_of(model, encoder, found)).argmax(-1).numpy()
    right: Counter[str] = Counter()
    count: Counter[str] = Counter()
    for row, answer in found.batch.answers:
        count[answer.kind] += 1
        right[answer.kind] += _right(best[row], found.batch.tokens[row], answer)
    return {kind: (right[kind], count[kind]) for kind in KINDS if count[kind]}


def _right(best: np.ndarray, tokens: np.ndarray, answer: Answer) -> bool:
    return bool((best[answer.start - 1 : answer.stop - 1] == tokens[answer.start : answer.stop]).all())


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--slots", type=click.IntRange(min=1), multiple=True, help="Slots of a note; by default 1, 2, 4 and 8.")
@click.option("--steps", default=1_000, help="Batches that each encoder learns from.")
@click.option("--rows", default=8, help="Worlds of a batch.")
@click.option("--worlds", default=150, help="Held-out worlds.")
@click.option(
    "--model", "folder", default=MINI, type=click.Path(exists=True, path_type=Path), help="As train.py saves."
)
@click.option("--threads", default=1)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(
    slots: tuple[int, ...], steps: int, rows: int, worlds: int, folder: Path, threads: int, json_path: Path | None
) -> None:
    """Trains an encoder for each number of slots, and prints the table."""
    torch.set_num_threads(threads)
    console = Console()
    model = Llama.load(folder).requires_grad_(False)
    writer = Writer(Tokenizer.from_file(str(folder / "tokenizer.json")))
    held = worlds_of("test", "slots", worlds)
    found = {
        "no memory": judged(model, None, asked(writer, held, 0)),
        "all tokens": judged(model, None, asked(writer, held, None)),
    }
    for count in slots or SLOTS:
        torch.manual_seed(0)
        encoder = Encoder(model, count)
        train(model, encoder, writer, steps=steps, rows=rows, console=console)
        found[f"{count} slots"] = judged(model, encoder, asked(writer, held, count))
    lengths = [len(writer.encode(spoken(note_of(note)))) for world in held for note in world.notes]
    table = Table(title=f"held-out worlds, {NOTES} notes of {np.mean(lengths):.1f} tokens", box=SIMPLE_HEAD)
    for heading in ("arm", *KINDS):
        table.add_column(heading, justify="left" if heading == "arm" else "right", no_wrap=True)
    for name, kinds in found.items():
        shown = (f"{right / count:.2f}" for right, count in (kinds.get(kind, (0, 1)) for kind in KINDS))
        table.add_row(name, *shown)
    console.print(table)
    if json_path is not None:
        whole = {
            "benchmark": "slots",
            "machine": machine(),
            "settings": {"steps": steps, "rows": rows, "rank": RANK, "notes": NOTES},
            "tokens_of_a_note": float(np.mean(lengths)),
            "right_and_asked": {name: dict(kinds) for name, kinds in found.items()},
        }
        json_path.write_text(json.dumps(whole, indent=2) + "\n")


if __name__ == "__main__":
    main()
