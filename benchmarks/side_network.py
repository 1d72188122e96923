"""Does a side network that looks far back make a frozen language model better, and by what part is that the memory?

LongMem (Wang et al. 2023, "Augmenting Language Models with Long-Term Memory"): a backbone stays as it is; beside it
runs a network half as deep, begun as a copy of some of its layers, which gets what the backbone's layers add and
learns the rest. One of its layers also reads keys and values that the backbone made of earlier text: every query
looks for the 16 chunks of 4 tokens whose mean keys fit best. Published is a constant gate between reading far and
near; the joint softmax over both is what Tercet's attention engine does.

The backbone was trained on other text, so a side network alone already helps: what counts is the difference between
one that reads memory and one trained alike that does not, at the same window. Memory of another novel shows whether
what is read matters. Held-out novels are by other authors.

    python benchmarks/side_network.py MODEL [--steps N] [--window N] [--json FILE]

MODEL is the folder of a small Llama; the novels are those of the folder TERCET_DATA.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

import click
import numpy as np
import torch
import torch.nn.functional as F
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerBase
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaDecoderLayer, apply_rotary_pos_emb

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.machine import machine  # noqa: E402
from benchmarks.ranking import paired_bootstrap  # noqa: E402

from tercet.engines.quiet import no_progress_bars  # noqa: E402

Reading = Literal["none", "joint", "gate"]
CHUNK, CHUNKS = 4, 16
ROWS = 8
_LETTERS = 150_000  # of a novel


@dataclass(slots=True)
class Bank:
    """Keys and values of the last tokens before the window, one row for each stream; the oldest go first.

    Attributes:
        keys: before rotary encoding, shape (rows, KV heads, tokens, width).
        values: shape (rows, KV heads, tokens, width).
        filled: how many of the last tokens of a row are its own text, shape (rows,).
    """

    keys: Tensor
    values: Tensor
    filled: Tensor

    @classmethod
    def empty(cls, rows: int, heads: int, size: int, width: int) -> Bank:
        """Returns a bank of ``size`` tokens, a multiple of the chunk."""
        shape = (rows, heads, size, width)
        return cls(torch.zeros(shape), torch.zeros(shape), torch.zeros(rows, dtype=torch.long))

    def push(self, keys: Tensor, values: Tensor) -> None:
        """Takes in a window; the oldest tokens leave."""
        size, new = self.keys.shape[2], keys.shape[2]
        self.keys = torch.cat([self.keys, keys], 2)[:, :, -size:]
        self.values = torch.cat([self.values, values], 2)[:, :, -size:]
        self.filled = (self.filled + new).clamp(max=size)

    def clear(self, rows: Sequence[int]) -> None:
        """Forgets what a stream has read: it begins another text."""
        self.filled[list(rows)] = 0

    def moved(self) -> Bank:
        """Returns the same bank with the memory of each row given to another."""
        return Bank(self.keys.roll(1, 0), self.values.roll(1, 0), self.filled.roll(1, 0))


class SideNetwork(nn.Module):
    """The network beside a frozen Llama.

    Args:
        backbone: not trained, and not changed.
        reading: how memory is read: not at all, by one softmax over near and far, or by the published constant gate.
    """

    def __init__(self, backbone: LlamaForCausalLM, reading: Reading) -> None:
        super().__init__()
        layers = backbone.model.layers
        self.reading = reading
        self.marks = [*range(0, len(layers), 2), len(layers)]
        copied = [min(start + 1, len(layers) - 1) for start in self.marks[:-1]]
        self.layers = nn.ModuleList(deepcopy(layers[number]) for number in copied)
        self.reader = len(copied) // 2
        self.source = copied[self.reader]
        self.norm = deepcopy(backbone.model.norm)
        config = backbone.config
        self.heads = int(config.num_attention_heads)
        self.kv_heads = int(config.num_key_value_heads or self.heads)
        self.size = int(getattr(config, "head_dim", None) or config.hidden_size // self.heads)
        self.beta = nn.Parameter(torch.zeros(self.heads))
        self.requires_grad_(True)

    def forward(self, states: Sequence[Tensor], turn: tuple[Tensor, Tensor], bank: Bank | None) -> Tensor:
        """Returns last hidden states, shape (rows, tokens, width), from all those of the backbone."""
        x = states[0]
        for number, layer in enumerate(self.layers):
            here = cast(LlamaDecoderLayer, layer)
            read = bank if number == self.reader and self.reading != "none" else None
            x = x + self._attention(here.self_attn, here.input_layernorm(x), turn, read)
            x = x + here.mlp(here.post_attention_layernorm(x))
            x = x + states[self.marks[number + 1]] - states[self.marks[number]]
        out: Tensor = self.norm(x)
        return out

    def remembered(self, backbone: LlamaForCausalLM, states: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Returns the keys and values of a window as the backbone makes them, keys before rotary encoding."""
        layer = cast(LlamaDecoderLayer, backbone.model.layers[self.source])
        x = layer.input_layernorm(states[self.source])
        return self._split(layer.self_attn.k_proj(x)), self._split(layer.self_attn.v_proj(x))

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], -1, self.size).transpose(1, 2)

    def _attention(self, layer: LlamaAttention, x: Tensor, turn: tuple[Tensor, Tensor], bank: Bank | None) -> Tensor:
        query, key, value = self._split(layer.q_proj(x)), self._split(layer.k_proj(x)), self._split(layer.v_proj(x))
        rotated, turned = apply_rotary_pos_emb(query, key, *turn)
        each = self.heads // self.kv_heads
        near = rotated @ turned.repeat_interleave(each, 1).transpose(2, 3) * self.size**-0.5
        near = near.masked_fill(torch.ones(near.shape[-2:], dtype=torch.bool).triu(1), -torch.inf)
        near_values = value.repeat_interleave(each, 1)
        if bank is None:
            out = near.softmax(-1) @ near_values
        else:
            far, far_values = self._far(query, bank)
            out = self._joined(near, near_values, far, far_values)
        mixed: Tensor = layer.o_proj(out.transpose(1, 2).flatten(2))
        return mixed

    def _far(self, query: Tensor, bank: Bank) -> tuple[Tensor, Tensor]:
        """Returns logits (rows, heads, tokens, read) and values (…, width) of the chunks each query finds.

        The mean of the keys of 4 tokens stands for them; queries of one KV head's group look for themselves.
        """
        rows, _, tokens, _ = query.shape
        grouped = query.reshape(rows, self.kv_heads, -1, self.size)
        size = bank.keys.shape[2]
        chunks, values = (one.view(rows, self.kv_heads, -1, CHUNK, self.size) for one in (bank.keys, bank.values))
        old = torch.arange(size // CHUNK)[None] * CHUNK < size - bank.filled[:, None]  # holds none of the row's text
        fit = (grouped @ chunks.mean(3).transpose(2, 3)).masked_fill(old[:, None, None], -torch.inf)
        best = fit.topk(min(CHUNKS, size // CHUNK), -1)
        flat = best.indices.flatten(2)[..., None, None].expand(-1, -1, -1, CHUNK, self.size)
        shape = (rows, self.kv_heads, grouped.shape[2], -1, self.size)
        keys = chunks.gather(2, flat).reshape(shape)
        values = values.gather(2, flat).reshape(shape)
        logits = (keys @ grouped[..., None])[..., 0] * self.size**-0.5
        hidden = (best.values == -torch.inf).repeat_interleave(CHUNK, -1)
        logits = logits.masked_fill(hidden, -torch.inf)
        return logits.view(rows, self.heads, tokens, -1), values.view(rows, self.heads, tokens, -1, self.size)

    def _joined(self, near: Tensor, near_values: Tensor, far: Tensor, far_values: Tensor) -> Tensor:
        beta = self.beta[None, :, None, None]
        if self.reading == "joint":
            both = torch.cat([near, far + beta], -1).softmax(-1)
            close, distant = both[..., : near.shape[-1]], both[..., near.shape[-1] :]
        else:
            none = (far == -torch.inf).all(-1, keepdim=True)
            gate = torch.sigmoid(beta).masked_fill(none, 0.0)
            close = (1 - gate) * near.softmax(-1)
            distant = gate * far.masked_fill(none, 0.0).softmax(-1)
        out: Tensor = close @ near_values + (distant[..., None, :] @ far_values)[..., 0, :]
        return out


class Streams:
    """Rows of novels that go on from window to window.

    Args:
        texts: the novels as tokens; each row reads every eighth.
        window: tokens at once.
    """

    def __init__(self, texts: Sequence[Tensor], window: int, rows: int = ROWS) -> None:
        if len(texts) < rows:
            raise ValueError(f"{rows} rows need as many novels, there are {len(texts)}")
        self.texts = [[text for text in texts[row::rows] if len(text) > window] for row in range(rows)]
        self.window = window
        self.at = [(0, 0)] * rows

    def windows(self, count: int) -> Iterator[tuple[Tensor, list[int]]]:
        """Yields tokens, shape (rows, window + 1), and the rows that begin another novel here."""
        for _ in range(count):
            begun, rows = [], []
            for row, (novel, place) in enumerate(self.at):
                texts = self.texts[row]
                if place + self.window + 1 > len(texts[novel]):
                    novel, place = (novel + 1) % len(texts), 0
                if place == 0:
                    begun.append(row)
                rows.append(texts[novel][place : place + self.window + 1])
                self.at[row] = novel, place + self.window
            yield torch.stack(rows), begun


class Run:
    """A backbone and one side network over streams of text.

    Args:
        backbone: frozen.
        side: None for the backbone alone.
        memory: tokens that a bank holds.
    """

    def __init__(self, backbone: LlamaForCausalLM, side: SideNetwork | None, memory: int) -> None:
        self.backbone, self.side, self.memory = backbone, side, memory

    def losses(self, streams: Streams, count: int, *, other: bool = False) -> Iterator[Tensor]:
        """Yields nats of each token of each window, shape (rows, window).

        Args:
            streams: what is read.
            count: of windows.
            other: each row reads the memory of another one's text.
        """
        side, bank = self.side, None
        if side is not None:
            bank = Bank.empty(len(streams.at), side.kv_heads, self.memory, side.size)
        for tokens, begun in streams.windows(count):
            with torch.no_grad():
                body = self.backbone.model(tokens[:, :-1], output_hidden_states=True)
                turn = self.backbone.model.rotary_emb(body.last_hidden_state, torch.arange(tokens.shape[1] - 1)[None])
                # The last of the states is after the norm; side networks go on from before it.
                states = (*body.hidden_states[:-1], self._unnormed(body.hidden_states))
            hidden = body.last_hidden_state
            if side is not None and bank is not None:
                bank.clear(begun)
                hidden = side(states, turn, bank.moved() if other else bank)
            logits = F.linear(hidden, self.backbone.lm_head.weight)
            yield F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none").view(len(tokens), -1)
            if side is not None and bank is not None:
                with torch.no_grad():
                    bank.push(*side.remembered(self.backbone, states))

    def _unnormed(self, states: Sequence[Tensor]) -> Tensor:
        last = self.backbone.model.layers[-1]
        turn = self.backbone.model.rotary_emb(states[-2], torch.arange(states[-2].shape[1])[None])
        found = last(states[-2], position_embeddings=turn, attention_mask=None)
        return cast(Tensor, found if isinstance(found, Tensor) else found[0])


def train(run: Run, streams: Streams, *, steps: int, rate: float, console: Console, name: str) -> None:
    """Trains the side network of a run; the loss of every 200 windows is shown."""
    assert run.side is not None
    optimiser = torch.optim.AdamW(run.side.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    begun, total = time.monotonic(), 0.0
    for step, loss in enumerate(run.losses(streams, steps), 1):
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, step / 100) * 0.5 * (1.02 + math.cos(math.pi * step / steps))
        mean = loss.mean()
        optimiser.zero_grad()
        mean.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(run.side.parameters(), 1.0)
        optimiser.step()
        total += float(mean.detach())
        if step % 200 == 0:
            console.print(f"{name}: {step} of {steps}, {total / 200:.3f} nats, {time.monotonic() - begun:.0f} s")
            total = 0.0


@torch.no_grad()
def judged(run: Run, texts: Sequence[Tensor], *, window: int, windows: int, other: bool = False) -> list[float]:
    """Returns nats a token of each window of held-out novels, row by row; the first of a novel have little to read."""
    streams = Streams(texts, window, rows=len(texts))
    return torch.stack([loss.mean(1) for loss in run.losses(streams, windows, other=other)], 1).flatten().tolist()


def novels(folder: Path, tokenizer: PreTrainedTokenizerBase, letters: int = _LETTERS) -> list[Tensor]:
    """Returns the beginnings of novels as tokens."""
    texts = [
        file.read_text(encoding="utf-8", errors="replace")[2_000 : 2_000 + letters]
        for file in sorted(folder.glob("*.txt"))
    ]
    return [torch.tensor(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]) for text in texts]


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--steps", default=3_000, help="Windows that each side network learns from.")
@click.option("--window", default=128, help="Tokens that are attended to at once.")
@click.option("--memory", default=2_048, help="Tokens before the window whose keys and values are kept.")
@click.option("--windows", default=60, help="Windows of each held-out novel.")
@click.option("--rate", default=1e-3, help="Highest learning rate.")
@click.option("--threads", default=1)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(
    folder: Path, steps: int, window: int, memory: int, windows: int, rate: float, threads: int, json_path: Path | None
) -> None:
    """Trains the side networks one after the other, and prints the table."""
    torch.set_num_threads(threads)
    console = Console()
    data = Path(os.environ.get("TERCET_DATA", ROOT.parent / "shared" / "data")) / "novels"
    with no_progress_bars():
        backbone = cast(LlamaForCausalLM, AutoModelForCausalLM.from_pretrained(folder)).requires_grad_(False)
        tokenizer = AutoTokenizer.from_pretrained(folder)
    learnt, held = novels(data / "train", tokenizer), novels(data / "valid", tokenizer)
    found = {"backbone alone": judged(Run(backbone, None, memory), held, window=window, windows=windows)}
    gates: dict[str, list[float]] = {}
    for reading in get_args(Reading):
        torch.manual_seed(0)
        run = Run(backbone, SideNetwork(backbone, reading), memory)
        name = {"none": "side network, no memory", "joint": "joint softmax", "gate": "constant gate"}[reading]
        train(run, Streams(learnt, window), steps=steps, rate=rate, console=console, name=name)
        found[name] = judged(run, held, window=window, windows=windows)
        if reading != "none":
            found[f"{name}, another novel"] = judged(run, held, window=window, windows=windows, other=True)
            gates[name] = [round(float(one), 3) for one in cast(SideNetwork, run.side).beta.detach()]
    rows = _rows(found)
    table = Table(title=f"held-out novels, {folder.name}, window {window}", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("arm", "perplexity", "to backbone", "to no memory", "95 %"):
        table.add_column(heading, justify="left" if heading == "arm" else "right", no_wrap=True)
    for name, row in rows.items():
        table.add_row(name, f"{row[0]:.3f}", f"{row[1]:+.1%}", f"{row[2]:+.2%}", f"{row[3]:+.2%} to {row[4]:+.2%}")
    console.print(table)
    if json_path is not None:
        heads = ("perplexity", "to_backbone", "to_side_alone", "low", "high")
        whole = {
            "benchmark": "side_network",
            "machine": machine(),
            "model": folder.name,
            "settings": {
                "steps": steps,
                "rows": ROWS,
                "window": window,
                "memory": memory,
                "chunk": CHUNK,
                "chunks": CHUNKS,
            },
            "held_out_tokens": windows * window * len(held),
            "arms": {name: dict(zip(heads, row, strict=True)) for name, row in rows.items()},
            "beta": gates,
        }
        json_path.write_text(json.dumps(whole, indent=2) + "\n")


def _rows(found: dict[str, list[float]]) -> dict[str, tuple[float, ...]]:
    """Returns perplexity, its change to the backbone's and to the side network's alone, and that one's interval."""
    alone, plain = found["backbone alone"], found["side network, no memory"]
    rows = {}
    for name, nats in found.items():
        between = paired_bootstrap(nats, plain)
        rows[name] = (
            math.exp(np.mean(nats)),
            math.exp(np.mean(nats) - np.mean(alone)) - 1,
            *(math.exp(one) - 1 for one in (between.difference, between.low, between.high)),
        )
    return rows


if __name__ == "__main__":
    main()
