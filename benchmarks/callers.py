"""Does tercet-mini, trained to call, write what it is told and answer from what it looks up?

Held-out worlds: names and ways of saying and asking that training never used. Writes: every note of the user's that
says something, told as a turn of a conversation; what was written is compared, subject, relation and value, with the
world's facts. Reads: the world's facts stand in the memory, each question is a conversation of its own, and an answer
is right when its words are the expected ones, case and punctuation aside. Nothing but the calls tells the model
anything. Its turn is made to begin with a call; beside it what it does when left to itself, for a small model confuses
what it was not told with what it could look up; the world's own calls through the same executor (the most that calls
could reach), and the same model reading the same questions with no memory. Tercet's rules on such notes: calls.py.

    python benchmarks/callers.py [--model FOLDER] [--worlds N] [--json FILE]
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.calls import Worlds, answered  # noqa: E402
from benchmarks.explicit_memory import bare, figure  # noqa: E402
from benchmarks.machine import machine  # noqa: E402
from benchmarks.mini.calling import calls_of  # noqa: E402
from benchmarks.worlds import Fact, Question  # noqa: E402
from benchmarks.worlds.world import ME  # noqa: E402

from tercet.engines.calls.engine import CallEngine  # noqa: E402
from tercet.engines.chat import Message  # noqa: E402
from tercet.engines.local_model import LocalModel  # noqa: E402
from tercet.engines.mini import MINI  # noqa: E402
from tercet.sdk.calls import Calls  # noqa: E402
from tercet.store.names import fold  # noqa: E402

Triple = tuple[str, str, str]
ARMS = ("tercet-mini", "tercet-mini, left to itself", "the world's calls", "no memory")


def reads(model: LocalModel, worlds: Worlds) -> dict[str, dict[str, list[bool]]]:
    """Returns, by arm and kind of question, which answers are right; of the questions that calls can answer."""
    right: dict[str, dict[str, list[bool]]] = {arm: {} for arm in ARMS}
    for world, memory in worlds.written("reads"):
        known = {(fact.subject, fact.relation): fact for told in world.notes for fact in told.facts}
        calls = Calls(memory)
        engine = CallEngine(model, calls.run, verbs=["read"])
        for question in world.questions:
            if not _callable(question, known):
                continue
            asked = [Message("user", question.text)]
            said = {
                "tercet-mini, left to itself": engine.answer(asked, max_tokens=96).text,
                "tercet-mini": engine.answer(asked, max_tokens=96, begin="read").text,
                "the world's calls": answered(question, calls, str),
                "no memory": model.generate(asked, max_tokens=16),
            }
            for arm, answer in said.items():
                right[arm].setdefault(question.kind, []).append(bare(answer) == bare(question.answer))
    return right


def _callable(question: Question, known: dict[tuple[str, str], Fact]) -> bool:
    return bool(list(calls_of(question, known)))


def writes(model: LocalModel, worlds: Worlds) -> dict[str, tuple[int, int, int]]:
    """Returns, with relations and without, how many facts were written right, written, and told."""
    counts = {"subject, relation, value": Counter[str](), "subject, value": Counter[str]()}
    for number, world in enumerate(worlds.worlds):
        with worlds.memory(number, "writes") as memory:
            engine = CallEngine(model, Calls(memory).run, verbs=["write"])
            for told in (note for note in world.notes if note.speaker == ME and note.facts):
                wanted = [(fact.subject, fact.relation, fact.value) for fact in told.facts]
                outcomes = engine.answer([Message("user", told.text)], max_tokens=96, begin="write").outcomes
                calls = [outcome.call for outcome in outcomes if outcome.status in ("written", "known")]
                made = [(call.subject or "", call.relation or "", call.object or "") for call in calls]
                _count(counts["subject, relation, value"], made, wanted)
                _count(
                    counts["subject, value"],
                    [(one[0], "", one[2]) for one in made],
                    [(one[0], "", one[2]) for one in wanted],
                )
    return {name: (count["right"], count["made"], count["told"]) for name, count in counts.items()}


def _count(counts: Counter[str], made: Sequence[Triple], wanted: Sequence[Triple]) -> None:
    found = Counter(tuple(map(fold, one)) for one in made) & Counter(tuple(map(fold, one)) for one in wanted)
    counts.update(right=found.total(), made=len(made), told=len(wanted))


def f1(right: int, made: int, told: int) -> float:
    """Returns the harmonic mean of precision and recall."""
    return 2 * right / max(1, made + told)


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--model", "folder", type=click.Path(exists=True, path_type=Path), default=MINI, help="A model's folder.")
@click.option("--worlds", "count", type=click.IntRange(1), default=50, help="Held-out worlds of 12 notes.")
@click.option("--json", "path", type=click.Path(path_type=Path), default=ROOT / "benchmarks/results/callers.json")
def main(folder: Path, count: int, path: Path) -> None:
    """Asks and tells, prints the tables, and writes JSON."""
    torch.set_num_threads(1)
    console = Console()
    model = LocalModel(folder, device="cpu")
    with tempfile.TemporaryDirectory() as place:
        worlds = Worlds(Path(place), count)
        written, right = writes(model, worlds), reads(model, worlds)
    every = {arm: {**kinds, "all": [hit for hits in kinds.values() for hit in hits]} for arm, kinds in right.items()}
    asked = {arm: {kind: figure(hits) for kind, hits in kinds.items()} for arm, kinds in every.items()}
    table = Table("answers", *every["tercet-mini"], box=SIMPLE_HEAD)
    for arm, kinds in every.items():
        table.add_row(arm, *(f"{sum(hits) / len(hits):.2f} ({len(hits)})" for hits in kinds.values()))
    console.print(table)
    table = Table("writes", "precision", "recall", "F1", "facts told", box=SIMPLE_HEAD)
    for arm, (hits, made, told) in written.items():
        figures = hits / max(1, made), hits / max(1, told), f1(hits, made, told)
        table.add_row(arm, *(f"{one:.2f}" for one in figures), str(told))
    console.print(table)
    shown = {
        arm: {"precision": hits / max(1, made), "recall": hits / max(1, told), "f1": f1(hits, made, told), "told": told}
        for arm, (hits, made, told) in written.items()
    }
    whole = {"benchmark": "callers", "model": folder.name, "machine": machine(), "answers": asked, "writes": shown}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole, indent=2) + "\n")


if __name__ == "__main__":
    main()
