"""Do decoded calls parse, what does that cost a token, and what do calls reach when somebody makes the right ones?

Calls: models of random weights and the two small trained ones that come with Tercet, greedy and sampled, with limits
that end many calls early. The peer is the same model without the constraint, whose answer is begun for it with
``MEM_READ(`` behind two examples. Time: made-up byte-level vocabularies of 32k and 128k tokens; softmax over the same
scores beside it, the least that any decoding does. Memory: held-out worlds; a caller that turns the questions of the
world, as the world itself asks them for a machine, into calls, with the names as they are, with one slip in each, and
under other names that a person said are the same. That is the most that a model could reach by calls, and no model
was trained to make them. Writes: the facts as the world gives them, and those that Tercet's rules find in its words.

    python benchmarks/calls.py [--worlds N] [--samples N] [--json FILE]
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random

import click
import numpy as np
import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table
from tokenizers import Tokenizer, decoders, models
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.machine import machine  # noqa: E402
from benchmarks.mini.documents import note_of  # noqa: E402
from benchmarks.worlds import KINDS, Question, World, make_world  # noqa: E402
from benchmarks.worlds.names import person  # noqa: E402
from benchmarks.worlds.relations import RELATIONS  # noqa: E402
from benchmarks.worlds.world import NUMBERS, PETS, UNKNOWN  # noqa: E402

from tercet import Memory  # noqa: E402
from tercet.engines.calls.acceptor import OPENING  # noqa: E402
from tercet.engines.calls.constraint import CallConstraint, Place  # noqa: E402
from tercet.engines.calls.grammar import Call, find_calls, format_call, parse_call  # noqa: E402
from tercet.engines.local_model import LocalModel  # noqa: E402
from tercet.engines.mini import MINI  # noqa: E402
from tercet.engines.rules import RuleExtractor  # noqa: E402
from tercet.sdk.calls import Calls  # noqa: E402
from tercet.store.errors import InvalidInput  # noqa: E402
from tercet.store.names import fold  # noqa: E402

STORIES = ROOT / "adapters" / "cli" / "demo" / "stories260K"
FAMILIES = ("llama", "gpt2", "qwen3", "bloom")
HEAT = {"greedy": 0.0, "sampled at 1": 1.0, "sampled at 3": 3.0}
LIMITS = (20, 32, 64)  # tokens
EXAMPLES = "MEM_READ(Ada >> lives in >> ?)\nMEM_READ(? >> likes >> tea)\n"
SIZES = (32_000, 128_000)
WAYS = ("names as they are", "one slip in each name", "other names")
LONG = "all, names of five letters or more"
_STEPS = 400


# calls


def byte_level(size: int) -> PreTrainedTokenizerFast:
    """Returns a tokenizer of made-up pieces: bytes, words, runs of signs, pieces of characters."""
    random = Random(size)
    letters = "ĠabcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    signs = "()<>[]{};:,.?!_-+*/=\\\"'Ċĉ"
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    names = dict.fromkeys(["<pad>", "<s>", "</s>", *map(chr, visible), *(chr(256 + place) for place in range(68))])
    while len(names) < size:
        kind = random.random()
        if kind < 0.88:
            word = "".join(random.choices(letters[1:53], k=random.randint(2, 9)))
            names["Ġ" + word.lower() if random.random() < 0.6 else word] = None
        elif kind < 0.95:
            names["".join(random.choices(signs + letters, k=random.randint(2, 4)))] = None
        else:
            names["".join(random.choices([chr(code) for code in range(0xC0, 0x143)], k=random.randint(2, 4)))] = None
    words = Tokenizer(models.BPE({name: number for number, name in enumerate(names)}, []))
    words.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=words, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )


def random_model(family: str, size: int) -> PreTrainedModel:
    """Returns a small model of random weights."""
    settings = {"vocab_size": size, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2}
    settings |= {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 256}
    settings |= {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 256} if family in ("gpt2", "bloom") else {}
    config = AutoConfig.for_model(family, **settings, bos_token_id=1, eos_token_id=2, pad_token_id=0)
    torch.manual_seed(0)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    model.train(False)
    return model


def callers() -> Iterator[tuple[str, PreTrainedModel, PreTrainedTokenizerBase]]:
    """Yields models with their tokenizers; those of random weights with the tokenizers of others."""
    trained = {folder.name: LocalModel(folder, device="cpu") for folder in (STORIES, MINI)}
    for name, model in trained.items():
        yield {"mini": "tercet-mini"}.get(name, name), model.model, model.tokenizer
    tokenizers = {name: model.tokenizer for name, model in trained.items()} | {"bytes 8k": byte_level(8_000)}
    for place, family in enumerate(FAMILIES):
        name, tokenizer = list(tokenizers.items())[place % len(tokenizers)]
        yield f"{family}, random, tokens of {name}", random_model(family, len(tokenizer)), tokenizer


def parsing(samples: int) -> list[dict[str, object]]:
    """Returns, for each model and heat, how many calls parse with the constraint and without."""
    rows: list[dict[str, object]] = []
    for name, model, tokenizer in track(list(callers()), "calls", transient=True):
        constraint = CallConstraint(tokenizer)
        for heat, temperature in HEAT.items():
            counts: Counter[str] = Counter()
            for limit in LIMITS:
                for arm in ("constrained", "unconstrained"):
                    texts = _decoded(model, tokenizer, constraint, arm, temperature, limit, samples)
                    made = [(find_calls(text) or [""])[0] for text in texts]
                    counts[arm] += sum(_parses(call) for call in made)
                    counts[f"{arm}, of"] += len(made)
            shares = {arm: round(counts[arm] / counts[f"{arm}, of"], 4) for arm in ("constrained", "unconstrained")}
            rows.append({"model": name, "decoding": heat, "calls": counts["constrained, of"], **shares})
    return rows


def _decoded(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    constraint: CallConstraint,
    arm: str,
    temperature: float,
    limit: int,
    samples: int,
) -> list[str]:
    begun = "" if arm == "constrained" else "MEM_READ("
    tokens = tokenizer(EXAMPLES + begun, add_special_tokens=False)["input_ids"]
    prompt = torch.tensor([tokens] * (samples if temperature else 1))
    processors = []
    if arm == "constrained":
        processors = [constraint.processor(prompt=len(tokens), max_tokens=limit, start=OPENING)]
    sampling: dict[str, object] = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {}
    torch.manual_seed(limit)
    model.generation_config.max_length = None
    found = model.generate(  # type: ignore[operator]
        input_ids=prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=limit,
        logits_processor=processors,
        pad_token_id=0,
        **({"do_sample": False} | sampling),
    )
    return [begun + constraint.vocabulary.text(row) for row in found[:, len(tokens) :].tolist()]


def _parses(call: str) -> bool:
    try:
        parse_call(call)
    except InvalidInput:
        return False
    return True


# time


def price(size: int, batch: int) -> dict[str, object]:
    """Returns what the constraint costs per token with a vocabulary of some size."""
    tokenizer = byte_level(size)
    started = time.perf_counter()
    constraint = CallConstraint(tokenizer)
    reading = time.perf_counter() - started
    random, scores = Random(0), torch.randn(batch, size)
    processor = constraint.processor(prompt=1, max_tokens=_STEPS, start=OPENING)
    rows = [[1] for _ in range(batch)]
    first: dict[Place, float] = {}
    steps, softmaxes = [], []
    for _ in range(_STEPS):
        new = {processor.row(row[1:]).place for row in rows} - set(first)
        ids = torch.tensor(rows)
        started = time.perf_counter()
        held = processor(ids, scores)
        taken = time.perf_counter() - started
        if new:
            first |= dict.fromkeys(new, taken / len(new))
        else:
            steps.append(taken)
        started = time.perf_counter()
        torch.softmax(scores, -1)
        softmaxes.append(time.perf_counter() - started)
        for row, may in zip(rows, held, strict=True):
            allowed = torch.nonzero(may > -torch.inf)[:, 0]
            row.append(int(allowed[random.randrange(len(allowed))]))
    return {
        "tokens": size,
        "batch": batch,
        "reading_the_tokenizer_s": round(reading, 2),
        "places": len(first),
        "first_visit_ms": round(1_000 * float(np.median(list(first.values()))), 2),
        "first_visits_together_s": round(sum(first.values()), 2),
        "step_ms": round(1_000 * float(np.median(steps)), 3),
        "step_ms_p95": round(1_000 * float(np.percentile(steps, 95)), 3),
        "softmax_ms": round(1_000 * float(np.median(softmaxes)), 3),
    }


# memory


class Worlds:
    """Held-out worlds in one store, each in a scope of its own, so that a name of another world would be seen."""

    def __init__(self, folder: Path, count: int) -> None:
        self.worlds = [make_world(f"calls {number}", "test", notes=12, questions=8) for number in range(count)]
        self.folder = folder

    def memory(self, number: int, place: str) -> Memory:
        """Returns the handle of a world."""
        return Memory(self.folder / place, scope=f"w{number}", embedder=None, extractor=None)

    def written(self, place: str, *, names: bool = False) -> Iterator[tuple[World, Memory]]:
        """Yields each world with its memory, whose facts were written as given; with other names for all if asked."""
        for number, world in enumerate(track(self.worlds, place, transient=True)):
            with self.memory(number, place) as memory:
                for relation in (*RELATIONS, "lived"):
                    memory.single_valued(relation)
                memory.write_many(
                    {
                        "text": told.text,
                        "speaker": told.speaker or None,
                        "happened": told.day,
                        "facts": [
                            {"subject": fact.subject, "relation": fact.relation, "object": fact.value}
                            | ({"valid_from": fact.year} if fact.year else {})
                            for fact in told.facts
                        ],
                    }
                    for told in world.notes
                )
                if names:
                    for one in {question.ask[1] for question in world.questions}:
                        if memory.facts(subject=one) or memory.facts(object=one):
                            memory.same(one, other_name(one))
                yield world, memory


def other_name(name: str) -> str:
    """Returns another name for somebody, of other letters."""
    return f"{person(Random(name), 'train')} Nick{name[0]}"


def slipped(name: str) -> str:
    """Returns a name with one letter left out, doubled, changed, or two of them swapped."""
    random = Random(name)
    place = random.randrange(1, max(2, len(name) - 1))
    two = name[place : place + 2]
    way = random.choice(["", two[0] * 2, random.choice("aeiou"), two[::-1]])
    made = name[:place] + way + name[place + (2 if way == two[::-1] else 1) :]
    return made if fold(made) != fold(name) else name[:place] + name[place + 1 :]


def answered(question: Question, calls: Calls, renamed: Callable[[str], str]) -> str:
    """Returns the answer that calls give to what a question asks; ``"which?"`` where a name is unclear."""
    kind, subject, *rest = question.ask
    values: tuple[str, ...] = (renamed(subject),)
    unclear = False

    def read(subject: str, relation: str) -> tuple[str, ...]:
        nonlocal unclear
        outcome = calls.run(format_call(Call("read", subject, relation, None)))
        unclear |= outcome.status == "unclear"
        return outcome.values if outcome.status == "found" else ()

    if kind == "year":
        return UNKNOWN  # calls name no times
    if kind == "count":
        found = sum(len(read(values[0], pet)) for pet in PETS)
        return "which?" if unclear else NUMBERS[found]
    for relation in ("lived",) if kind == "before" else rest[:1] if kind == "is" else rest:
        values = tuple(value for one in values for value in read(one, relation))
    if unclear:
        return "which?"
    if kind == "is":
        return "yes" if fold(rest[1]) in map(fold, values) else "no"
    return values[0] if values else UNKNOWN


def reads(worlds: Worlds) -> dict[str, dict[str, dict[str, float]]]:
    """Returns, by way of naming and kind of question, how often an answer was right, asked back, none or wrong."""
    renaming: dict[str, Callable[[str], str]] = dict(zip(WAYS, (str, slipped, other_name), strict=True))
    results: dict[str, dict[str, dict[str, float]]] = {}
    for way, renamed in renaming.items():
        tally: dict[str, Counter[str]] = {kind: Counter() for kind in (*KINDS, "all", LONG)}
        for world, memory in worlds.written(way, names=way == WAYS[2]):
            for question in world.questions:
                calls = Calls(memory)
                said = answered(question, calls, renamed)
                came = {"which?": "asked back", UNKNOWN: "nothing", question.answer: "right"}.get(said, "wrong")
                for kind in (question.kind, "all", *[LONG] * (len(question.ask[1]) >= 5)):
                    tally[kind][came] += 1
        results[way] = {kind: _shares(counts) for kind, counts in tally.items()}
    return results


def _shares(counts: Counter[str]) -> dict[str, float]:
    asked = sum(counts.values())
    return {"asked": asked} | {
        name: round(counts[name] / max(1, asked), 4) for name in ("right", "asked back", "nothing", "wrong")
    }


def writes(worlds: Worlds) -> dict[str, dict[str, float]]:
    """Returns precision, recall and F1 of what stands in the memory after writing by calls, against the world's facts.

    The rules name relations in their own words, so what they write is compared by subject and object alone.
    """
    arms: dict[str, Callable[[World], list[Call]]] = {
        "the world's facts": lambda world: [
            Call("write", fact.subject, fact.relation, fact.value) for told in world.notes for fact in told.facts
        ],
        "rules on its words": lambda world: [
            Call("write", fact.subject, fact.relation, fact.object)
            for told in world.notes
            for fact in RuleExtractor().triplets(note_of(told))
        ],
    }
    results = {}
    for arm, calls_of in arms.items():
        right = said = true = 0
        for number, world in enumerate(track(worlds.worlds, arm, transient=True)):
            with worlds.memory(number, f"writes {arm}") as memory:
                for call in calls_of(world):
                    Calls(memory).run(format_call(call))
                found = {(fold(fact.subject), fold(fact.object)) for fact in memory.facts(superseded=True)}
            wanted = {(fold(fact.subject), fold(fact.value)) for told in world.notes for fact in told.facts}
            right, said, true = right + len(found & wanted), said + len(found), true + len(wanted)
        precision, recall = right / max(1, said), right / max(1, true)
        f1 = 2 * precision * recall / max(1e-9, precision + recall)
        results[arm] = {"precision": round(precision, 4), "recall": round(recall, 4), "F1": round(f1, 4)}
    return results


def show(console: Console, title: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Prints rows as a table."""
    table = Table(*rows[0], title=title, box=SIMPLE_HEAD)
    for row in rows:
        table.add_row(*map(str, row.values()))
    console.print(table)


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--worlds", "count", type=click.IntRange(min=1), default=100, help="How many.")
@click.option("--samples", type=click.IntRange(min=1), default=16, help="Calls of each model, heat and limit.")
@click.option("--json", "path", type=click.Path(path_type=Path), default=ROOT / "benchmarks" / "results" / "calls.json")
def main(count: int, samples: int, path: Path) -> None:
    """Measures, prints the tables, and writes JSON."""
    torch.set_num_threads(1)
    console = Console()
    parsed = parsing(samples)
    show(console, "calls that parse", parsed)
    prices = [price(size, batch) for size in track(SIZES, "time", transient=True) for batch in (1, 8)]
    show(console, "what a token costs", prices)
    with tempfile.TemporaryDirectory() as folder:
        worlds = Worlds(Path(folder), count)
        read, written = reads(worlds), writes(worlds)
    kinds = [{"names": way, **{kind: f"{one['right']:.2f}" for kind, one in of.items()}} for way, of in read.items()]
    show(console, f"right answers by calls, {count} held-out worlds", kinds)
    show(console, "facts written by calls", [{"caller": arm, **of} for arm, of in written.items()])
    results = {"parse": parsed, "time": prices, "reads": read, "writes": written, "machine": machine()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
