"""What small memories cost: bytes, and how far a model's words move from those with everything kept.

Stretches of novels (public domain) are cut in two: 128 tokens are a memory, 64 that follow are what the model reads
with it. KL is that of the next token, in nats, from full injection to each scheme, averaged over the 64; as a scale,
what no memory at all costs. Three further tables: a memory read alone, in its thread's context, or with its first
tokens recomputed; several memories beside each other under a bias of -beta log N; and the bytes of a memory of 128
tokens in a model of Llama-3.1-8B's shape, which are counted, not estimated. The models are real and tiny (0.26 and
0.94 million parameters): mechanisms show, magnitudes of large models do not. The data is in the folder TERCET_DATA.

    python benchmarks/attention_price.py [--excerpts N] [--model FOLDER ...] [--json FILE]
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import numpy as np
import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.machine import machine  # noqa: E402

from tercet.engines import LocalModel  # noqa: E402
from tercet.engines.attention import EXACT, SMALL, AttentionEngine, Recipe  # noqa: E402
from tercet.engines.attention.calibrate import calibrate  # noqa: E402
from tercet.engines.attention.capture import Layer  # noqa: E402
from tercet.engines.attention.recipe import Heads, Score  # noqa: E402
from tercet.engines.attention.writing import stored_bytes  # noqa: E402
from tercet.store.form import Record  # noqa: E402

MEMORY, READ = 128, 64  # tokens
THREAD, PART = 96, 64  # tokens before a memory in its thread, and of the memory there
FEW = (8, 16, 32)
SCORES: tuple[Score, ...] = ("memory3", "probe", "surprisal", "reconstruction")
BETAS = (0.0, 0.5, 1.0)
CROWDS = (1, 4, 16, 32)
LARGE = [Layer("", None, None, remembers=True, shape=(8, 128, 128))] * 32  # Llama-3.1-8B
Tokens = Sequence[int]


@dataclass(frozen=True, slots=True)
class Priced:
    """One scheme on one model.

    Attributes:
        scheme: its name.
        kl: from full injection, nats a token.
        error: standard error of it, over the excerpts.
        nll: of the text that follows, nats a token.
        nbytes: of a stored memory of 128 tokens.
    """

    scheme: str
    kl: float
    error: float
    nll: float
    nbytes: int


@dataclass(frozen=True, slots=True)
class Surprise:
    """How surprising the text that follows is with one way of remembering.

    Attributes:
        way: its name.
        nll: nats a token.
        gain: by how much less than without memory.
        error: standard error of the gain, over the excerpts.
    """

    way: str
    nll: float
    gain: float
    error: float


def excerpts(engine: AttentionEngine, texts: Sequence[str], count: int, *, length: int, seed: int = 0) -> list[Tokens]:
    """Returns stretches of ``length`` tokens from random places of the texts, in turn."""
    random = np.random.default_rng(seed)
    found: list[Tokens] = []
    for number in range(count):
        text = texts[number % len(texts)]
        # Several characters a token at most, and the first few are left out: they may be the rest of a word.
        start = int(random.integers(0, max(1, len(text) - 12 * length)))
        tokens = engine.tokenizer(text[start : start + 12 * length], add_special_tokens=False, verbose=False)
        found.append(tokens["input_ids"][4 : 4 + length])
    return found


def front(engine: AttentionEngine) -> list[int]:
    """Returns the tokenizer's first token, if it has one."""
    return [] if engine.tokenizer.bos_token_id is None else [int(engine.tokenizer.bos_token_id)]


def remembered(engine: AttentionEngine, tokens: Tokens, *, before: Tokens = ()) -> Record:
    """Returns the record of ``tokens``, encoded after ``before``."""
    start = [*front(engine), *before]
    return engine.encode_tokens([*start, *tokens], drop=len(start))


def said(
    engine: AttentionEngine,
    tokens: Tokens,
    records: Sequence[Record],
    *,
    bias: float = 0.0,
    first: Tokens | None = None,
) -> Tensor:
    """Returns the log-probabilities before each of ``tokens``, shape (tokens, vocabulary).

    Args:
        engine: of the model.
        tokens: what is read.
        records: the memories, if any.
        bias: of their logits.
        first: what stands before the tokens; the tokenizer's first token if left out. Without any, the first row says
            nothing and is zeros.
    """
    first = front(engine) if first is None else first
    ids = torch.tensor([[*first, *tokens]])
    with torch.no_grad(), engine.attend(records, bias=bias) if records else nullcontext():
        logits: Tensor = engine.model(ids).logits[0]
    logs = logits.float().log_softmax(-1)
    return logs[len(first) - 1 : -1] if first else torch.cat([torch.zeros_like(logs[:1]), logs[:-1]])


def surprisal(logs: Tensor, tokens: Tokens) -> float:
    """Returns the mean surprisal of the last ``tokens``."""
    return -float(logs[-len(tokens) :].gather(1, torch.tensor(tokens)[:, None]).mean())


def price(
    engine: AttentionEngine, texts: Sequence[Tokens], recipes: Mapping[str, Recipe], *, quiet: bool = False
) -> list[Priced]:
    """Returns what each recipe costs, after no memory and full injection."""
    engines = {name: AttentionEngine(engine.model, engine.tokenizer, recipe=recipe) for name, recipe in recipes.items()}
    kls: dict[str, list[float]] = {name: [] for name in ("no memory", "full", *recipes)}
    nlls: dict[str, list[float]] = {name: [] for name in kls}
    for text in track(texts, "pricing", console=Console(stderr=True), disable=quiet):
        memory, after = text[:MEMORY], text[MEMORY:]
        full = said(engine, after, [remembered(engine, memory)])
        found = {"no memory": said(engine, after, []), "full": full}
        found |= {name: said(engine, after, [remembered(one, memory)]) for name, one in engines.items()}
        for name, logs in found.items():
            kls[name].append(float((full.exp() * (full - logs)).sum(-1).mean()))
            nlls[name].append(surprisal(logs, after))
    sizes = {"no memory": 0} | {
        name: stored_bytes(engine.layers, recipe, MEMORY) for name, recipe in ({"full": EXACT} | dict(recipes)).items()
    }
    return [
        Priced(name, float(np.mean(kl)), _error(kl), float(np.mean(nlls[name])), sizes[name])
        for name, kl in kls.items()
    ]


def repair(engine: AttentionEngine, texts: Sequence[Tokens], *, quiet: bool = False) -> list[Surprise]:
    """Returns how a memory does that was encoded alone, in its thread, or with its first tokens recomputed there.

    Here the first token stands before the memories and not before what follows, so that the last way is, to the bit,
    the prompt; what the first token costs in the context, where it stands in use, is told in two rows of their own.
    """
    nlls: dict[str, list[float]] = {}
    first = front(engine)
    for text in track(texts, "repairing", console=Console(stderr=True), disable=quiet):
        thread, memory, after = text[:THREAD], text[THREAD : THREAD + PART], text[THREAD + PART :]
        start = engine.encode_tokens(first) if first else None
        before, alone = remembered(engine, thread), remembered(engine, memory)
        inside = remembered(engine, memory, before=thread)
        ways: dict[str, list[Record]] = {
            "no memory": [],
            "alone": [alone],
            "in its thread": [inside],
            "first 4 in its thread": [_started(alone, inside, 4)],
            "first 16 in its thread": [_started(alone, inside, 16)],
            "with the thread: beside it, alone": [before, alone],
            "with the thread: beside it, in its thread": [before, inside],
            "with the thread: after it, alone": [_joined(before, alone)],
            "with the thread: after it, first 4": [_joined(before, _started(alone, inside, 4))],
            "with the thread: after it, first 16": [_joined(before, _started(alone, inside, 16))],
            "with the thread: after it, in its thread": [_joined(before, inside)],
        }
        for way, records in ways.items():
            bias = -float(np.log(len(records))) if records else 0.0
            fronted = [record if start is None else _joined(start, record) for record in records]
            given = fronted or [start] if start is not None else records
            logs = said(engine, after, given, bias=bias, first=())
            nlls.setdefault(way, []).append(surprisal(logs[1:], after[1:]))
        for way in ("no memory", "alone"):
            logs = said(engine, after, ways[way])
            nlls.setdefault(f"{way}, first token in the context", []).append(
                surprisal(logs[-len(after) + 1 :], after[1:])
            )
        prompt = said(engine, text, [])[THREAD + PART + 1 :]
        nlls.setdefault("all as words in the prompt", []).append(surprisal(prompt, after[1:]))
    return _gains(nlls)


def crowd(engine: AttentionEngine, texts: Sequence[Tokens], *, quiet: bool = False) -> list[Surprise]:
    """Returns how many memories do beside each other, with the one that helps among them and without it.

    Only the second half of what is read counts: at its beginning, the first token says that a text begins, and any
    memory helps by saying otherwise.
    """
    nlls: dict[str, list[float]] = {}
    records = [remembered(engine, text[:MEMORY]) for text in texts]
    for number, text in enumerate(track(texts, "crowding", console=Console(stderr=True), disable=quiet)):
        after, late = text[MEMORY:], text[MEMORY + READ // 2 :]
        nlls.setdefault("no memory", []).append(surprisal(said(engine, after, []), late))
        others = [*records[number + 1 :], *records[:number]]
        for count in (count for count in CROWDS if count <= len(others)):
            for beta in BETAS if count > 1 else BETAS[:1]:
                bias = -beta * float(np.log(count))
                for who, given in (
                    ("with the right one", [records[number], *others[: count - 1]]),
                    ("none of them right", others[:count]),
                ):
                    logs = said(engine, after, given, bias=bias)
                    nlls.setdefault(f"{count}, {who}, beta {beta:g}", []).append(surprisal(logs, late))
    return _gains(nlls)


def schemes(heads: Heads) -> dict[str, Recipe]:
    """Returns the recipes that are priced."""
    found = {"8 bits": SMALL, "4 bits": Recipe(bits=4)}
    for score in SCORES:
        for tokens in FEW:
            found[f"{tokens} tokens by {score}"] = Recipe(tokens=tokens, score=score, residual=False)
            found[f"{tokens} tokens by {score}, one for the rest"] = Recipe(tokens=tokens, score=score, residual=True)
    chosen = Recipe(heads=heads)
    found |= {"calibrated heads": chosen, "calibrated heads, 8 bits": replace(chosen, bits=8)}
    found["16 tokens by default, 8 bits"] = Recipe(bits=8, tokens=16)
    found["calibrated heads, 16 tokens by default, 8 bits"] = replace(chosen, bits=8, tokens=16)
    return found


def large() -> dict[str, int]:
    """Returns the bytes of a stored memory of 128 tokens in a model of Llama-3.1-8B's shape."""
    sixth: Heads = tuple((0, 1) if number in range(8, 28) else () for number in range(32))  # 40 of 256: 16 in 100
    half: Heads = tuple(tuple(range(8)) if number < 16 else () for number in range(32))
    eight = Recipe(bits=8, tokens=8)
    return {
        "full, 32 bits": stored_bytes(LARGE, EXACT, MEMORY),
        "all heads, 8 bits": stored_bytes(LARGE, SMALL, MEMORY),
        "all heads, 4 bits": stored_bytes(LARGE, Recipe(bits=4), MEMORY),
        "40 of 256 heads, 8 bits": stored_bytes(LARGE, replace(SMALL, heads=sixth), MEMORY),
        "half of the layers, 8 tokens, 8 bits": stored_bytes(LARGE, replace(eight, heads=half), MEMORY),
        "40 of 256 heads, 8 tokens, 8 bits": stored_bytes(LARGE, replace(eight, heads=sixth), MEMORY),
        "40 of 256 heads, 16 tokens, 8 bits": stored_bytes(LARGE, replace(eight, tokens=16, heads=sixth), MEMORY),
    }


def _started(alone: Record, inside: Record, count: int) -> Record:
    """Returns ``alone`` with its first tokens as they are in ``inside`` (EPIC recomputes these when it reads)."""
    return {
        name: array if name == "tokens" else np.concatenate([inside[name][:, :count], array[:, count:]], 1)
        for name, array in alone.items()
    }


def _joined(first: Record, second: Record) -> Record:
    """Returns two records as one, the second after the first."""
    return {name: np.concatenate([array, second[name]], 0 if name == "tokens" else 1) for name, array in first.items()}


def _error(values: Sequence[float]) -> float:
    return float(np.std(values) / len(values) ** 0.5)


def _gains(nlls: Mapping[str, Sequence[float]]) -> list[Surprise]:
    none = np.asarray(nlls["no memory"])
    return [
        Surprise(way, float(np.mean(found)), float(np.mean(none - found)), _error((none - found).tolist()))
        for way, found in nlls.items()
    ]


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--excerpts", "count", type=click.IntRange(min=2), default=60, show_default=True, help="Per table.")
@click.option("--model", "folders", type=click.Path(exists=True, file_okay=False), multiple=True, help="Others.")
@click.option("--text", "given", type=click.Path(exists=True, dir_okay=False), multiple=True, help="Not the novels.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(count: int, folders: tuple[str, ...], given: tuple[str, ...], json_path: Path | None) -> None:
    """Prints the tables and writes them as JSON."""
    torch.set_num_threads(1)
    data = Path(os.environ.get("TERCET_DATA", ROOT.parent / "shared" / "data"))
    models = [Path(name) for name in folders] or [data / "models" / n for n in ("stories260K", "babyllama-char105")]
    files = [Path(name) for name in given] or sorted((data / "novels" / "valid").glob("*.txt"))
    if not files or not all(model.is_dir() for model in models):
        raise click.UsageError(f"the data is not at {data}; set TERCET_DATA to its folder")
    texts = [" ".join(file.read_text(encoding="utf-8", errors="replace").split()) for file in files]
    console, found = Console(), []
    for folder in models:
        local = LocalModel(folder)
        engine = AttentionEngine(local.model, local.tokenizer)
        chosen = calibrate(engine)
        long = excerpts(engine, texts, count, length=MEMORY + READ)
        threads = excerpts(engine, texts, count, length=THREAD + PART + READ)
        priced = price(engine, long, schemes(chosen.heads))
        repaired, crowded = repair(engine, threads), crowd(engine, long)
        _show(console, local.name, priced, repaired, crowded)
        found.append(
            {
                "model": local.name,
                "calibration": asdict(chosen),
                "schemes": [asdict(row) for row in priced],
                "repair": [asdict(row) for row in repaired],
                "crowd": [asdict(row) for row in crowded],
            }
        )
    sizes = large()
    table = Table("128 tokens, Llama-3.1-8B's shape", "MiB", box=SIMPLE_HEAD)
    for scheme, size in sizes.items():
        table.add_row(scheme, f"{size / 2**20:.3f}")
    console.print(table)
    if json_path is None and not (folders or given):
        json_path = ROOT / "benchmarks" / "results" / "attention_price.json"
    if json_path:
        whole = {
            "benchmark": "attention_price",
            "excerpts": count,
            "machine": machine(),
            "models": found,
            "large": sizes,
        }
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(whole, indent=2) + "\n")


def _show(
    console: Console, name: str, priced: Sequence[Priced], repaired: Sequence[Surprise], crowded: Sequence[Surprise]
) -> None:
    table = Table(name, "KL", "+-", "NLL", "bytes", box=SIMPLE_HEAD)
    for row in priced:
        table.add_row(row.scheme, f"{row.kl:.2e}", f"{row.error:.0e}", f"{row.nll:.3f}", f"{row.nbytes:,}")
    console.print(table)
    for title, rows in (("one memory", repaired), ("many memories", crowded)):
        table = Table(f"{name}: {title}", "NLL", "gain", "+-", box=SIMPLE_HEAD)
        for one in rows:
            table.add_row(one.way, f"{one.nll:.3f}", f"{one.gain:+.3f}", f"{one.error:.3f}")
        console.print(table)


if __name__ == "__main__":
    main()
