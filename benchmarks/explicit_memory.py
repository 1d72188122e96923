"""What is left of an answer when memories are read in attention and not in the prompt: tercet-mini on held-out worlds.

Worlds of the test split: names and ways of saying and asking that training never used. Each question gets the notes
that answer it and others of its world, five in all (a perfect recall). Arms: closed book, the notes as words in the
prompt (the very prompt of a `Dialogue`), read before the prompt as a prefix, in attention in full precision, in fewer
bits, in the KV heads that calibration keeps, and with some of their tokens. An answer is right when its words are the
expected ones, case and punctuation aside. Then: Tercet's own recall in front; more notes that have nothing to do with
the question, in attention; what irrelevant memories change about answers from the prompt; a note that `Memory` revises
or forgets. Where a recall is in front, memories are as loud as it says that they fit (`Recall.bias`, what a `Dialogue`
does), and, to compare, all alike.

    python benchmarks/explicit_memory.py [--model FOLDER] [--questions N] [--json FILE]
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random
from typing import cast, get_args

import click
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from safetensors.numpy import save
from torch import Tensor

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.machine import machine  # noqa: E402
from benchmarks.mini.documents import SYSTEM_WORDS, note_of  # noqa: E402
from benchmarks.worlds import KINDS, make_world  # noqa: E402

from tercet import Memory  # noqa: E402
from tercet.engines.attention.attend import Bias  # noqa: E402
from tercet.engines.attention.calibrate import calibrate  # noqa: E402
from tercet.engines.attention.engine import AttentionEngine  # noqa: E402
from tercet.engines.attention.recipe import EXACT, Heads, Recipe, Score  # noqa: E402
from tercet.engines.local_model import LocalModel  # noqa: E402
from tercet.engines.mini import MINI  # noqa: E402
from tercet.engines.prefix import PrefixEngine  # noqa: E402
from tercet.engines.prompt import compose, render  # noqa: E402
from tercet.sdk.recall import Recall  # noqa: E402
from tercet.store.errors import EngineError  # noqa: E402
from tercet.store.form import Record  # noqa: E402
from tercet.store.note import Note, spoken  # noqa: E402

NOTES = 5  # what a recall of five brings
MOST = 16  # tokens of an answer
TOKENS = (4, 8, 16)  # of a note's some eighteen
_FOUND = ("one hop", "two hops", "temporal")  # kinds whose answers stand in notes
UNKNOWN = "i don t know"
CROWDS = (20, 50, 100)
_ROUNDS = 2000  # of the bootstrap


@dataclass(frozen=True, slots=True)
class Case:
    """A question with the notes that a perfect recall gives.

    Attributes:
        kind: of the question.
        question: the words.
        answer: what is expected.
        notes: in an order that says nothing.
        needs: places of the notes that hold the answer.
        world: all notes of the question's world.
        about: what is asked about: a relation, a value.
    """

    kind: str
    question: str
    answer: str
    notes: tuple[Note, ...]
    needs: tuple[int, ...]
    world: tuple[Note, ...]
    about: str


def cases(count: int) -> list[Case]:
    """Returns as many questions of each kind, from worlds of the test split."""
    found: dict[str, list[Case]] = {kind: [] for kind in KINDS}
    seed = 0
    while min(map(len, found.values())) < count:
        world = make_world(f"bench {seed}", "test", notes=NOTES + 3, questions=6)
        random = Random(f"bench {seed}")
        for question in world.questions:
            others = [place for place in range(len(world.notes)) if place not in question.needs]
            places = [*question.needs, *random.sample(others, NOTES - len(question.needs))]
            random.shuffle(places)
            needs = tuple(places.index(place) for place in question.needs)
            every = tuple(map(note_of, world.notes))
            notes = tuple(every[place] for place in places)
            case = Case(question.kind, question.text, question.answer, notes, needs, every, question.ask[-1])
            found[question.kind].append(case)
        seed += 1
    return [case for kind in KINDS for case in found[kind][:count]]


class Asker:
    """Asks one model, with memories in its prompt, before it, in its attention, or with none."""

    def __init__(self, model: LocalModel) -> None:
        self.model = model
        self.exact = AttentionEngine(model.model, model.tokenizer)
        self._prefixes = PrefixEngine(model.model, model.tokenizer)
        self._records: dict[tuple[str, Recipe], Record] = {}
        self.seconds: list[float] = []

    def ask(
        self,
        question: str,
        *,
        words: Sequence[Note] = (),
        attended: Sequence[Note] = (),
        recipe: Recipe = EXACT,
        bias: Bias = "log_n",
    ) -> str:
        """Returns the answer, in plain lower-case words."""
        messages = compose(SYSTEM_WORDS, [], question, render(words) if words else "")
        records = [self.record(note, recipe) for note in attended]
        begun = time.perf_counter()
        with self.exact.attend(records, bias=bias, watch=False):
            answer = self.model.generate(messages, max_tokens=MOST)
        self.seconds.append(time.perf_counter() - begun)
        return bare(answer)

    def ask_behind(self, question: str, notes: Sequence[Note]) -> str:
        """Returns the answer of the model that has read the notes, one after the other, before its prompt."""
        prefix = self._prefixes.encode([spoken(note) for note in notes])
        tokens = self.model.layout(compose(SYSTEM_WORDS, [], question, ""))
        tokens = tokens[tokens[0] == self.model.tokenizer.bos_token_id :]  # the prefix begins with it
        before = prefix.before(torch.tensor([tokens]))
        settings = self.model.settings(prefix.tokens.shape[1] + len(tokens), MOST)
        begun = time.perf_counter()
        generate = cast(Callable[..., Tensor], self.model.model.generate)
        made = generate(**before, generation_config=settings)
        self.seconds.append(time.perf_counter() - begun)
        answer = made[0, prefix.tokens.shape[1] + len(tokens) :]
        return bare(str(self.model.tokenizer.decode(answer, skip_special_tokens=True)))

    def record(self, note: Note, recipe: Recipe) -> Record:
        """Returns a note's record as a store would keep it."""
        name = spoken(note), recipe
        if name not in self._records:
            engine = AttentionEngine(self.model.model, self.model.tokenizer, recipe=recipe)
            self._records[name] = engine.encode([spoken(note)])[0]
        return self._records[name]


def bare(text: str) -> str:
    """Returns the words of a text."""
    return " ".join(re.findall(r"\w+", text.lower()))


def interval(right: Sequence[bool]) -> tuple[float, float, float]:
    """Returns the mean and its 95 % interval, by bootstrap."""
    hits = np.asarray(right, np.float64)
    means = np.random.default_rng(0).choice(hits, (_ROUNDS, len(hits))).mean(1)
    return float(hits.mean()), float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def figure(right: Sequence[bool]) -> dict[str, object]:
    """Returns a share with its interval, and of how many."""
    mean, low, high = interval(right)
    return {"share": round(mean, 4), "low": round(low, 4), "high": round(high, 4), "asked": len(right)}


def arms_of(asker: Asker, heads: Heads | None) -> dict[str, Callable[[Case], str]]:
    """Returns the ways to ask that all kinds of questions are asked in."""
    recipes = {"attention, full": EXACT, "attention, 8 bits": Recipe(bits=8), "attention, 4 bits": Recipe(bits=4)}
    if heads is not None:
        recipes["attention, calibrated"] = Recipe(heads=heads)
        recipes["attention, calibrated, 8 bits"] = Recipe(heads=heads, bits=8)
    return {
        "closed book": lambda case: asker.ask(case.question),
        "words in the prompt": lambda case: asker.ask(case.question, words=case.notes),
        "prefix": lambda case: asker.ask_behind(case.question, case.notes),
        **{name: partial(_attended, asker, recipe) for name, recipe in recipes.items()},
    }


def sparse_arms(asker: Asker) -> dict[str, Callable[[Case], str]]:
    """Returns the ways that keep some tokens of a note only."""
    return {
        f"{score}, {tokens} tokens": partial(_attended, asker, Recipe(bits=8, tokens=tokens, score=score))
        for score in get_args(Score)
        for tokens in TOKENS
    }


def _attended(asker: Asker, recipe: Recipe, case: Case) -> str:
    return asker.ask(case.question, attended=case.notes, recipe=recipe)


def by_kind(
    arms: dict[str, Callable[[Case], str]], asker: Asker, asked: Sequence[Case], show: Callable[[str], None]
) -> dict[str, dict[str, object]]:
    """Returns, for each arm and kind, the share of right answers, and how long an answer took in the middle."""
    results: dict[str, dict[str, object]] = {}
    for name, arm in arms.items():
        show(name)
        asker.seconds.clear()
        right = [(case.kind, arm(case) == bare(case.answer)) for case in asked]
        kinds = dict.fromkeys(case.kind for case in asked)
        results[name] = {kind: figure([hit for other, hit in right if other == kind]) for kind in kinds}
        results[name]["answer_ms"] = round(1e3 * float(np.median(asker.seconds)), 1)
    return results


def recalled(asker: Asker, asked: Sequence[Case], show: Callable[[str], None]) -> dict[str, dict[str, object]]:
    """Returns answers with Tercet's own recall of five in front, among 92 notes of strangers."""
    arms = ("words in the prompt", "attention, all alike", "attention, by fit", "gold recalled")
    results: dict[str, list[tuple[str, bool]]] = {arm: [] for arm in arms}
    show("own recall")
    crowd = strangers(92)
    for case in asked:
        recall = recall_of(case.question, [*crowd, *case.world], NOTES)
        gold = {case.notes[place].text for place in case.needs}
        answers = (
            asker.ask(case.question, words=recall.notes),
            asker.ask(case.question, attended=recall.notes),
            asker.ask(case.question, attended=recall.notes, bias=recall.bias),
        )
        right = [answer == bare(case.answer) for answer in answers] + [gold <= {note.text for note in recall.notes}]
        for arm, hit in zip(arms, right, strict=True):
            results[arm].append((case.kind, hit))
    return {
        name: {kind: figure([hit for other, hit in right if other == kind]) for kind in dict.fromkeys(dict(right))}
        for name, right in results.items()
    }


def recall_of(question: str, notes: Sequence[Note], k: int) -> Recall:
    """Returns what Tercet finds in these notes."""
    with tempfile.TemporaryDirectory() as folder, Memory(Path(folder), scope="bench") as memory:
        memory.write_many(map(_draft, notes))
        return memory.read(question, k=k)


def _draft(note: Note) -> dict[str, object]:
    return {"text": note.text, "speaker": note.speaker, "happened": note.happened}


def strangers(count: int) -> list[Note]:
    """Returns notes of other worlds of the test split."""
    told = (note for seed in range(count) for note in make_world(f"crowd {seed}", "test", notes=6).notes if note.facts)
    return [note_of(note) for note in islice(told, count)]


def crowds(asker: Asker, asked: Sequence[Case], show: Callable[[str], None]) -> dict[str, dict[str, object]]:
    """Returns how one-hop answers fare among ever more memories of other worlds."""
    crowd = strangers(max(CROWDS))
    results: dict[str, dict[str, object]] = {"all alike": {}, "by fit": {}}
    for size in CROWDS:
        show(f"{size} memories")
        alike, fitting = [], []
        for number, case in enumerate(asked):
            notes = [*case.notes, *Random(number).sample(crowd, size - NOTES)]
            recall = recall_of(case.question, notes, size)
            alike.append(asker.ask(case.question, attended=notes) == bare(case.answer))
            answer = asker.ask(case.question, attended=recall.notes, bias=recall.bias)
            fitting.append(answer == bare(case.answer))
        results["all alike"][str(size)] = figure(alike)
        results["by fit"][str(size)] = figure(fitting)
    return results


def harm(asker: Asker, asked: Sequence[Case]) -> dict[str, object]:
    """Returns how often five memories of other worlds change an answer that stands in the prompt."""
    alike, fitting = [], []
    for number, case in enumerate(asked):
        told = [note for note in make_world(f"crowd {number}", "test", notes=8).notes if note.facts]
        others = [note_of(note) for note in told[:NOTES]]
        recall = recall_of(case.question, others, NOTES)
        alone = asker.ask(case.question, words=case.notes)
        alike.append(asker.ask(case.question, words=case.notes, attended=others) != alone)
        answer = asker.ask(case.question, words=case.notes, attended=recall.notes, bias=recall.bias)
        fitting.append(answer != alone)
    return {"all alike": figure(alike), "by fit": figure(fitting)}


def changes(asker: Asker, asked: Sequence[Case]) -> dict[str, dict[str, object]]:
    """Returns how often a revised note changes a right answer to the new one, and a forgotten one to "I don't know".

    The notes stand in a `Memory`, which revises and forgets, and its recall is in front. A revision says another value
    of the same relation: another town where somebody lives, another name of a dog.
    """
    arms = ("words in the prompt", "attention, by fit")
    right: dict[str, dict[str, list[bool]]] = {arm: {"revised": [], "forgotten": []} for arm in arms}
    for number, case in enumerate(asked):
        donors = [other.answer for other in asked if other.answer != case.answer and other.about == case.about]
        new = Random(number).choice(donors) if donors else None
        with tempfile.TemporaryDirectory() as folder, Memory(Path(folder), scope="bench") as memory:
            note = memory.write_many(map(_draft, case.notes))[case.needs[0]]
            before = _both(asker, memory, case.question)
            known = [arm for arm in right if before[arm] == bare(case.answer)]
            if new is not None:
                note = memory.revise(note.id, text=re.sub(rf"\b{re.escape(case.answer)}\b", new, note.text))
                after = _both(asker, memory, case.question)
                for arm in known:
                    right[arm]["revised"].append(after[arm] == bare(new))
            memory.forget(note.id)
            after = _both(asker, memory, case.question)
            for arm in known:
                right[arm]["forgotten"].append(after[arm] == UNKNOWN)
    return {
        arm: {name: figure(hits) if hits else None for name, hits in changed.items()} for arm, changed in right.items()
    }


def _both(asker: Asker, memory: Memory, question: str) -> dict[str, str]:
    """Returns the answers from a recall in the prompt and in attention."""
    recall = memory.read(question, k=NOTES)
    return {
        "words in the prompt": asker.ask(question, words=recall.notes),
        "attention, by fit": asker.ask(question, attended=recall.notes, bias=recall.bias),
    }


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--model", "folder", type=click.Path(exists=True, path_type=Path), default=MINI, help="A model's folder.")
@click.option("--questions", type=click.IntRange(1), default=100, help="Of each kind.")
@click.option("--pairs", type=click.IntRange(8), default=200, help="That the KV heads are calibrated on.")
@click.option(
    "--json", "file", type=click.Path(path_type=Path), default=ROOT / "benchmarks/results/explicit_memory.json"
)
def main(folder: Path, questions: int, pairs: int, file: Path) -> None:
    """Asks, prints the tables, and writes JSON."""
    torch.set_num_threads(1)
    console = Console()
    asker = Asker(LocalModel(folder, device="cpu"))
    asked = cases(questions)
    one_hop = [case for case in asked if case.kind == "one hop"]
    show: Callable[[str], None] = console.log
    show("calibration")
    heads = heads_of(asker, pairs)
    answers = by_kind(arms_of(asker, heads), asker, asked, show)
    sparse = by_kind(sparse_arms(asker), asker, [case for case in asked if case.kind in _FOUND], show)
    results = {
        "benchmark": "explicit_memory",
        "model": folder.name,
        "parameters": sum(weight.numel() for weight in asker.model.model.parameters()),
        "notes": NOTES,
        "heads": heads,
        "exact_match": answers,
        "sparse": sparse,
        "bytes": sizes(asker, heads, asked),
        "own_recall": recalled(asker, [case for case in asked if case.kind in _FOUND], show),
        "one_hop_among": crowds(asker, one_hop, show),
        "changed_by_irrelevant_memories": harm(asker, one_hop),
        "changes": changes(asker, one_hop),
        "machine": machine(),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(results, indent=2) + "\n")
    for title, arms, kinds in (("exact match", answers, KINDS), ("some tokens, 8 bits", sparse, _FOUND)):
        table = Table("arm", *kinds, title=f"{folder.name}: {title}, {NOTES} memories, {questions} questions of a kind")
        for name, found in arms.items():
            table.add_row(name, *(f"{cast('dict[str, float]', found[kind])['share']:.2f}" for kind in kinds))
        console.print(table)
    console.print_json(json.dumps({name: results[name] for name in list(results)[7:-1]}))


def heads_of(asker: Asker, pairs: int) -> Heads | None:
    """Returns the KV heads that calibration keeps; None where memory does not help the model at all."""
    notes = [note for seed in range(3 * pairs) for note in make_world(f"heads {seed}", "train", notes=4).notes]
    try:
        return calibrate(asker.exact, pairs=pairs, texts=[note.text for note in notes if note.facts]).heads
    except EngineError:
        return None


def sizes(asker: Asker, heads: Heads | None, asked: Sequence[Case]) -> dict[str, float]:
    """Returns bytes of a note's record, in the mean."""
    recipes = {"full": EXACT, "8 bits": Recipe(bits=8), "4 bits": Recipe(bits=4)}
    if heads is not None:
        recipes["calibrated, 8 bits"] = Recipe(heads=heads, bits=8)
    recipes |= {f"{tokens} tokens, 8 bits": Recipe(bits=8, tokens=tokens) for tokens in TOKENS}
    notes = [note for case in asked[:20] for note in case.notes]
    return {
        name: round(float(np.mean([len(save(dict(asker.record(note, recipe)))) for note in notes])), 1)
        for name, recipe in recipes.items()
    }


if __name__ == "__main__":
    main()
