"""Times an answer with memories in attention, beside the same words in the prompt and beside no memory at all.

The model has random weights (speed does not depend on them) in a real shape. Memories are 128 tokens, the question is
32, the answer 32 or as asked. Every arm ends with the same question: with no memory; with the memories' words before
it, read each time (cold) or kept as a cache that stands there already (prefix); and with the memories in attention,
with and without noting how much each one got. Loading (from files of a store, which the system has in its cache, with
their checksums looked at; and once more, from the copies in RAM that the store then has) and placing (from there to
where attention reads them) are told apart from the first token; all are in the time to first token.

    python benchmarks/attention.py [--shape NAME] [--device cuda] [--memories N ...] [--batch N ...] [--json FILE]

What it costs to note the masses, alone and in many rounds (benchmarks/results/attention_readout.json):

    python benchmarks/attention.py --readout --rounds 45 --clock cpu
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

import click
import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor
from transformers import DynamicCache

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.attention_rows import Row, Timing, row_of, table_of  # noqa: E402
from benchmarks.machine import machine  # noqa: E402
from benchmarks.random_models import SHAPES, random_model, wordless_tokenizer  # noqa: E402
from benchmarks.shelf import Shelf  # noqa: E402

from tercet.engines.attention import AttentionEngine  # noqa: E402
from tercet.engines.attention.recipe import SMALL, Recipe  # noqa: E402
from tercet.engines.prefix import PrefixEngine  # noqa: E402
from tercet.store.form import Record  # noqa: E402

MEMORY = 128  # tokens
QUESTION = 32
KEPT = 0.16  # of KV heads
DISTINCT = 8  # memories that are encoded; more than that are these again, which costs an arm the same
COLD = 70_000  # tokens of all rows together above which words in the prompt are left out
CACHED = 32 * 2**30  # bytes of a prefix cache above which it is left out

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}

Given = tuple[Tensor, DynamicCache]  # what is still to be read, and what has been
Opened = AbstractContextManager[Given]


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to answer.

    Attributes:
        name: as in the table.
        open: opens what the answer is given in, with the records that were loaded.
        load: loads them.
        once: so slow that one round must do.
    """

    name: str
    open: Callable[[Sequence[Record]], Opened]
    load: Callable[[], Sequence[Record]] = tuple
    once: bool = False


class Bench:
    """A model of random weights, and memories of random words."""

    def __init__(self, shape: str, *, device: str, clock: Callable[[], float], layers: int | None = None) -> None:
        self.model = random_model(shape, device=device, layers=layers)
        self.engine = AttentionEngine(self.model, wordless_tokenizer())
        self._clock = clock
        self._drawn = np.random.default_rng(0)
        self.shelf = Shelf(DISTINCT)

    @property
    def parameters(self) -> float:
        """Returns how many weights the model has, in millions."""
        return sum(weight.numel() for weight in self.model.parameters()) / 1e6

    def tokens(self, count: int) -> list[int]:
        """Returns random tokens."""
        drawn: list[int] = self._drawn.integers(10, 30_000, count).tolist()
        return drawn

    def words(self, count: int) -> list[list[int]]:
        """Returns the tokens of memories."""
        some = [self.tokens(MEMORY) for _ in range(min(count, DISTINCT))]
        return [some[i % len(some)] for i in range(count)]

    def loader(self, words: Sequence[Sequence[int]], recipe: Recipe) -> Callable[[], list[Record]]:
        """Keeps memories in a store as the engine writes them; returns what loads them from there."""
        engine = AttentionEngine(self.model, self.engine.tokenizer, recipe=recipe)
        some = [engine.encode_tokens([1, *tokens], drop=1) for tokens in words[:DISTINCT]]
        return self.shelf.keep(f"{len(words)} {recipe}", some, count=len(words))

    def recipes(self) -> dict[str, Recipe]:
        """Returns what is kept of memories, from everything to little."""
        layers, heads = self.model.config.num_hidden_layers, self.model.config.num_key_value_heads
        # As many as calibration keeps of such models, in the middle layers, where it finds them.
        count = round(KEPT * layers * heads)
        drawn = np.random.default_rng(0).choice(layers // 2 * heads, count, replace=False) + layers // 4 * heads
        few = tuple(tuple(int(place) % heads for place in sorted(drawn) if place // heads == n) for n in range(layers))
        return {
            "attention, full": Recipe(),
            "attention, 8 bits": SMALL,
            "attention, 8 bits, 16 % of KV heads": replace(SMALL, heads=few),
            "attention, the same, 32 tokens each": replace(SMALL, heads=few, tokens=32),
        }

    def timed(self, arm: Arm, *, length: int) -> Timing:
        """Answers once."""
        self.shelf.put_away()
        start = self._now()
        arm.load()
        loaded = self._now()
        records = arm.load()
        again = self._now()
        with torch.no_grad(), arm.open(records) as (ids, cache):
            placed = self._now()
            output = self.model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
            token = output.logits[:, -1:].argmax(-1)
            first = self._now()
            for _ in range(length):
                output = self.model(token, past_key_values=cache, use_cache=True, logits_to_keep=1)
                token = output.logits[:, -1:].argmax(-1)
            end = self._now()
        return Timing(loaded - start, again - loaded, placed - again, first - placed, (end - first) / length)

    def _now(self) -> float:
        if self.model.device.type == "cuda":
            torch.cuda.synchronize()
        return self._clock()


def arms(bench: Bench, *, memories: int, batch: int, length: int, readout: bool = False) -> list[Arm]:
    """Returns every arm that this many memories and rows allow, or those that tell what noting the masses costs."""
    words = bench.words(memories)
    device = bench.model.device
    question = torch.tensor([[1, *bench.tokens(QUESTION - 1)]], device=device).expand(batch, -1)
    before = [1, *(token for memory in words for token in memory)]
    whole = torch.cat((torch.tensor([before], device=device).expand(batch, -1), question[:, 1:]), 1)

    @contextmanager
    def alone(_: Sequence[Record]) -> Iterator[Given]:
        yield question, DynamicCache()

    @contextmanager
    def cold(_: Sequence[Record]) -> Iterator[Given]:
        yield whole, DynamicCache()

    def attending(*, watch: bool) -> Callable[[Sequence[Record]], Opened]:
        @contextmanager
        def opened(records: Sequence[Record]) -> Iterator[Given]:
            alike = [-math.log(len(records))] * len(records)  # one for each, as a recall gives them
            with bench.engine.attend(records, bias=alike, watch=watch):
                yield question, DynamicCache()

        return opened

    found = [Arm("no memory", alone)]
    if whole.numel() <= COLD and not readout:
        found.append(Arm("words in the prompt", cold, once=memories > 20))
        config = bench.model.config
        width = config.hidden_size // config.num_attention_heads if config.head_dim is None else config.head_dim
        token = 2 * config.num_hidden_layers * config.num_key_value_heads * width * bench.model.dtype.itemsize
        size = token * len(before) * batch
        if size <= CACHED:
            found.append(Arm("words, prefix cache", _after(bench, before, question, length)))
    for name, recipe in bench.recipes().items():
        if readout and recipe != Recipe():
            continue
        load = bench.loader(words, recipe)
        found.append(Arm(name, attending(watch=True), load))
        if recipe == Recipe():
            found.append(Arm(f"{name}, not watched", attending(watch=False), load))
    return found


def _after(bench: Bench, before: Sequence[int], question: Tensor, length: int) -> Callable[[Sequence[Record]], Opened]:
    """Returns what opens a kept prefix cache, made at the first use, and takes off what was added to it."""
    kept: list[DynamicCache] = []

    @contextmanager
    def opened(_: Sequence[Record]) -> Iterator[Given]:
        if not kept:
            prefix = PrefixEngine(bench.model, bench.engine.tokenizer).encode_tokens(before)
            if len(question) > 1:
                prefix.cache.batch_repeat_interleave(len(question))
            kept.append(prefix.cache)
        yield question[:, 1:], kept[0]
        kept[0].crop(-(question.shape[1] - 1 + length))

    return opened


def measure(
    bench: Bench,
    *,
    memories: int,
    batch: int,
    length: int,
    rounds: int,
    tell: Callable[[str], None],
    readout: bool = False,
) -> list[Row]:
    """Times every arm in turn, round after round, after one that is not counted."""
    taken: dict[str, list[Timing]] = {}
    open_arms = arms(bench, memories=memories, batch=batch, length=length, readout=readout)
    for number in range(rounds + 1):
        for arm in open_arms:
            if number and arm.once and taken[arm.name]:
                continue
            tell(f"{memories} memories, batch {batch}, round {number} of {rounds}: {arm.name}")
            timing = bench.timed(arm, length=length)
            times = taken.setdefault(arm.name, [])
            if number or arm.once:
                times.append(timing)
    base = taken["no memory"]
    return [row_of(arm.name, taken[arm.name], base, memories=memories, batch=batch) for arm in open_arms]


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--shape", type=click.Choice(list(SHAPES)), default="llama100m", help="Which model.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", help="On a GPU weights are bfloat16.")
@click.option("--memories", type=click.IntRange(min=1), multiple=True, default=(5, 100), help="How many; repeatable.")
@click.option("--batch", type=click.IntRange(min=1), multiple=True, default=(1,), help="Rows at once; repeatable.")
@click.option("--length", type=click.IntRange(min=1), default=32, help="Tokens decoded after the first.")
@click.option("--rounds", type=click.IntRange(min=1), default=9, help="Interleaved rounds; a third for 100 and more.")
@click.option("--threads", type=click.IntRange(min=1), default=1, help="Threads on the CPU.")
@click.option("--clock", type=click.Choice(list(CLOCKS)), default="wall", help="cpu: for one thread on a busy machine.")
@click.option("--layers", type=click.IntRange(min=1), help="Fewer layers than the shape has, for a quick look.")
@click.option("--readout", is_flag=True, help="Only what it costs to note how much attention each memory gets.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(
    shape: str,
    device: str,
    memories: tuple[int, ...],
    batch: tuple[int, ...],
    length: int,
    rounds: int,
    threads: int,
    clock: str,
    layers: int | None,
    readout: bool,
    json_path: Path | None,
) -> None:
    """Times every size and prints the table."""
    console = Console()
    torch.set_num_threads(threads)
    start = time.perf_counter()
    bench = Bench(shape, device=device, clock=CLOCKS[clock], layers=layers)
    report = bench.engine.report
    console.print(
        f"{shape}: {bench.parameters:,.1f} M parameters, {str(bench.model.dtype)[6:]}; gate: {report.verdict}, "
        f"difference {report.max_relative_logit_diff:.1e} ({time.perf_counter() - start:.0f} s)"
    )
    hardware = torch.cuda.get_device_name() if device == "cuda" else f"{threads} thread(s)"
    if json_path is None and device == "cpu" and shape == "llama100m" and layers is None:
        json_path = ROOT / "benchmarks" / "results" / ("attention_readout.json" if readout else "attention.json")
    found = {
        "benchmark": "attention",
        "machine": machine() | {"device": hardware, "clock": clock},
        "model": {"shape": shape, "parameters_m": round(bench.parameters, 1), "dtype": str(bench.model.dtype)[6:]},
        "gate": report.as_dict(),
        "tokens": {"memory": MEMORY, "question": QUESTION, "answer": length},
    }
    rows: list[Row] = []
    with closing(bench.shelf), Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=len(memories) * len(batch))
        for many, size in product(memories, batch):
            rows += measure(
                bench,
                memories=many,
                batch=size,
                length=length,
                rounds=rounds if many < 100 else max(1, rounds // 3),
                tell=lambda text: progress.update(task, description=text),
                readout=readout,
            )
            progress.advance(task)
            if json_path:  # after each size: the next may take an hour
                json_path.parent.mkdir(parents=True, exist_ok=True)
                json_path.write_text(json.dumps(found | {"rows": [asdict(row) for row in rows]}, indent=2) + "\n")
    console.print(
        table_of(rows, f"{shape} on {hardware}: memories of {MEMORY} tokens (in brackets: without loading and placing)")
    )


if __name__ == "__main__":
    main()
