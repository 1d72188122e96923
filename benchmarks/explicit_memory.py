"""What is left of an answer when memories are read in attention and not in the prompt: tercet-mini on held-out worlds.

Worlds of the test split: names and ways of saying and asking that training never used. Each question gets the notes
that answer it and others of its world, five in all (a perfect recall). Arms: closed book, the notes as words in the
prompt (the very prompt of a `Dialogue`), the notes in attention in full precision and in 8 bits. An answer is right
when its words are the expected ones, case and punctuation aside. Then: more notes that have nothing to do with the
question, in attention; what irrelevant memories change about answers from the prompt; a note revised, a note forgotten.

    python benchmarks/explicit_memory.py [--model FOLDER] [--questions N] [--json FILE]
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import click
import numpy as np
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.machine import machine  # noqa: E402
from benchmarks.mini.documents import SYSTEM_WORDS, note_of  # noqa: E402
from benchmarks.worlds import KINDS, Told, make_world  # noqa: E402

from tercet.engines.local_model import LocalModel  # noqa: E402
from tercet.engines.mini import MINI  # noqa: E402
from tercet.engines.prompt import compose, render  # noqa: E402
from tercet.store.form import Record  # noqa: E402
from tercet.store.note import spoken  # noqa: E402

NOTES = 5  # what a recall of five brings
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
    """

    kind: str
    question: str
    answer: str
    notes: tuple[Told, ...]
    needs: tuple[int, ...]


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
            notes = tuple(world.notes[place] for place in places)
            found[question.kind].append(Case(question.kind, question.text, question.answer, notes, needs))
        seed += 1
    return [case for kind in KINDS for case in found[kind][:count]]


class Asker:
    """Asks one model, with memories in its prompt, in its attention, or with none."""

    def __init__(self, model: LocalModel) -> None:
        self.model = model
        self.engine = model.attention
        self._records: dict[str, Record] = {}

    def ask(
        self, question: str, *, words: Sequence[Told] = (), attended: Sequence[Told] = (), bits: int | None = None
    ) -> str:
        """Returns the answer, in plain lower-case words."""
        block = render([note_of(note) for note in words]) if words else ""
        messages = compose(SYSTEM_WORDS, [], question, block)
        with self.engine.attend([self._record(note, bits) for note in attended]):
            return bare(self.model.generate(messages, max_tokens=16))

    def _record(self, note: Told, bits: int | None) -> Record:
        text = spoken(note_of(note))
        if text not in self._records:
            self._records[text] = self.engine.encode([text])[0]
        return self._records[text] if bits is None else rounded(self._records[text], bits)


def rounded(record: Record, bits: int) -> Record:
    """Returns a record as it is after being kept in few bits: keys with a scale per channel, values per token."""
    most = 2 ** (bits - 1) - 1
    out = dict(record)
    for name, array in record.items():
        if name.endswith((".key", ".value")):
            axis = 1 if name.endswith(".key") else 2
            step = np.maximum(np.abs(array).max(axis, keepdims=True) / most, 1e-12)
            out[name] = (np.round(array / step) * step).astype(np.float32)
    return out


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


def by_kind(asker: Asker, asked: Sequence[Case], show: Callable[[str], None]) -> dict[str, dict[str, object]]:
    """Returns, for each arm and kind, the share of right answers."""
    arms: dict[str, Callable[[Case], str]] = {
        "closed book": lambda case: asker.ask(case.question),
        "words in the prompt": lambda case: asker.ask(case.question, words=case.notes),
        "attention, full": lambda case: asker.ask(case.question, attended=case.notes),
        "attention, 8 bits": lambda case: asker.ask(case.question, attended=case.notes, bits=8),
    }
    results: dict[str, dict[str, object]] = {}
    for name, arm in arms.items():
        show(name)
        right = [(case.kind, arm(case) == bare(case.answer)) for case in asked]
        results[name] = {kind: figure([hit for other, hit in right if other == kind]) for kind in KINDS}
    return results


def crowds(asker: Asker, asked: Sequence[Case], show: Callable[[str], None]) -> dict[str, object]:
    """Returns how one-hop answers fare among ever more memories of other worlds."""
    strangers = [
        note for seed in range(30) for note in make_world(f"crowd {seed}", "test", notes=6).notes if note.facts
    ]
    results: dict[str, object] = {}
    for size in CROWDS:
        show(f"{size} memories")
        right = []
        for number, case in enumerate(asked):
            others = Random(number).sample(strangers, size - NOTES)
            right.append(asker.ask(case.question, attended=[*case.notes, *others]) == bare(case.answer))
        results[str(size)] = figure(right)
    return results


def harm(asker: Asker, asked: Sequence[Case]) -> dict[str, object]:
    """Returns how often five memories of other worlds change an answer that stands in the prompt."""
    changed = []
    for number, case in enumerate(asked):
        others = [note for note in make_world(f"crowd {number}", "test", notes=8).notes if note.facts][:NOTES]
        alone = asker.ask(case.question, words=case.notes)
        changed.append(asker.ask(case.question, words=case.notes, attended=others) != alone)
    return figure(changed)


def changes(asker: Asker, asked: Sequence[Case]) -> dict[str, dict[str, object]]:
    """Returns how often a revised note changes a right answer to the new one, and a forgotten one to "I don't know"."""
    results: dict[str, dict[str, object]] = {}
    for arm in ("words in the prompt", "attention, full"):
        revised, forgotten = [], []
        for number, case in enumerate(asked):

            def ask(notes: Sequence[Told], case: Case = case, arm: str = arm) -> str:
                words, attended = (notes, ()) if arm == "words in the prompt" else ((), notes)
                return asker.ask(case.question, words=words, attended=attended)

            if ask(case.notes) != bare(case.answer):
                continue
            donors = [other for other in asked if other.answer != case.answer and _alike(other, case)]
            if donors:
                new = Random(number).choice(donors).answer
                ask_new = [_with(note, case.answer, new) for note in case.notes]
                revised.append(ask(ask_new) == bare(new))
            rest = [note for place, note in enumerate(case.notes) if place not in case.needs]
            forgotten.append(ask(rest) == UNKNOWN)
        results[arm] = {
            name: figure(right) if right else None for name, right in (("revised", revised), ("forgotten", forgotten))
        }
    return results


def _alike(one: Case, other: Case) -> bool:
    """Returns whether two answers are of one kind, as far as their words show it."""
    return one.answer[0].isupper() == other.answer[0].isupper() and len(one.answer.split()) == len(other.answer.split())


def _with(note: Told, old: str, new: str) -> Told:
    return Told(note.speaker, re.sub(rf"\b{re.escape(old)}\b", new, note.text), note.day, note.facts)


@click.command(help=__doc__)
@click.option("--model", "folder", type=click.Path(exists=True, path_type=Path), default=MINI, help="A model's folder.")
@click.option("--questions", type=click.IntRange(1), default=100, help="Of each kind.")
@click.option(
    "--json", "file", type=click.Path(path_type=Path), default=ROOT / "benchmarks/results/explicit_memory.json"
)
def main(folder: Path, questions: int, file: Path) -> None:
    """Asks, prints a table, and writes JSON."""
    import torch

    torch.set_num_threads(1)
    console = Console()
    asker = Asker(LocalModel(folder, device="cpu"))
    asked = cases(questions)
    one_hop = [case for case in asked if case.kind == "one hop"]
    show: Callable[[str], None] = console.log
    results = {
        "model": folder.name,
        "parameters": sum(weight.numel() for weight in asker.model.model.parameters()),
        "notes": NOTES,
        "exact_match": by_kind(asker, asked, show),
        "one_hop_among": crowds(asker, one_hop, show),
        "changed_by_irrelevant_memories": harm(asker, one_hop),
        "changes": changes(asker, one_hop),
        "machine": machine(),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(results, indent=2) + "\n")
    table = Table(
        "arm", *KINDS, title=f"{folder.name}: exact match, {NOTES} memories, {questions} questions of each kind"
    )
    arms = results["exact_match"]
    assert isinstance(arms, dict)
    for name, kinds in arms.items():
        table.add_row(name, *(f"{kinds[kind]['share']:.2f}" for kind in KINDS))
    console.print(table)
    console.print_json(json.dumps({name: results[name] for name in list(results)[4:7]}))


if __name__ == "__main__":
    main()
