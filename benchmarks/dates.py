"""Whether a question for a date is answered exactly, from Tercet's own recall: LoCoMo's temporal questions.

"When did Caroline go to the support group?" has the answer "7 May 2023", and the turn that says so says "yesterday".
The expected answer is resolved by the same rules as a note's words, against the date of the turn that holds it;
questions whose answer is no time are left out. An answer is right when all its days lie within the expected ones. Arms:
`Timeline.when`; the same choice among five turns that FTS5, MiniLM or both found; the date of the best turn that
Tercet found, its words unread. Limits: the turns that hold the answer given, and any of Tercet's ten right. No model
judges anything. The data does not come with Tercet: give it with ``--data``, or in ``locomo/locomo_open.json`` of the
folder TERCET_DATA.

    python benchmarks/dates.py [--data FILE] [--dialogues N] [--json FILE]
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.comparison import data_folder  # noqa: E402
from benchmarks.machine import machine  # noqa: E402
from benchmarks.peers import Reader, Remembering, dense, full_text, fused  # noqa: E402
from benchmarks.ranking import paired_bootstrap  # noqa: E402
from benchmarks.recall_locomo import in_context  # noqa: E402

from tercet import Memory  # noqa: E402
from tercet.adapters.dialogues import Question, Transcript, read_dialogue  # noqa: E402
from tercet.engines import MiniLM  # noqa: E402
from tercet.engines.english.relative_dates import find_times  # noqa: E402

TERCET = "Tercet, Timeline.when"
_NEAR, _TEN = 5, 10
_TEMPORAL = 2  # LoCoMo's number
_SURE = 0.6
Days = tuple[date, date]  # the first, and the day after the last


def named(text: str, said_on: str) -> Days | None:
    """Returns the first time that words name, said on a day."""
    return next(((one.since, one.until) for one in find_times(text, said_on) if one.confidence >= _SURE), None)


def day_of(moment: str) -> Days:
    """Returns the day of a moment in ISO 8601."""
    day = date.fromisoformat(moment[:10])
    return day, day + timedelta(1)


def chosen(turns: Sequence[Mapping[str, Any]]) -> Days | None:
    """Returns the first time that one of the best turns names, else the date of the best."""
    times = [named(str(turn["text"]), str(turn["happened"])) for turn in turns[:_NEAR]]
    return next(filter(None, times), day_of(str(turns[0]["happened"])) if turns else None)


def within(answer: Days | None, expected: Days) -> bool:
    """Returns whether an answer names no day outside the expected ones."""
    return answer is not None and expected[0] <= answer[0] and answer[1] <= expected[1]


def expected_of(transcript: Transcript) -> list[tuple[Question, Days]]:
    """Returns the temporal questions whose answer is a time, with its days."""
    said_on = {str(turn["source"]): str(turn["happened"]) for turn in transcript.turns}
    every = [
        (question, named(question.answer, said_on[source]))
        for question in transcript.questions
        if question.category == _TEMPORAL
        for source in [source for source in question.evidence if source in said_on][:1]
    ]
    return [(question, days) for question, days in every if days]


def answered(transcript: Transcript, embedder: Remembering, model: MiniLM) -> dict[str, list[bool]]:
    """Returns for every arm which of a dialogue's questions it answers right."""
    turns = {str(turn["source"]): turn for turn in transcript.turns}
    ids, context = list(turns), in_context(transcript)
    embedder.embed([*[f"{turn['speaker']}: {turn['text']}" for turn in turns.values()], *context])
    words, vectors = full_text(ids, context), dense(ids, context, turns=embedder, questions=model)
    peers: dict[str, Reader] = {"FTS5": words, "MiniLM": vectors, "FTS5 + MiniLM, RRF": fused(words, vectors)}
    right: dict[str, list[bool]] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        Memory(Path(folder) / "bench.tercet", scope="bench", embedder=embedder) as memory,
    ):
        memory.write_many(transcript.turns)
        for question, days in expected_of(transcript):
            found = [turns[one.note.source] for one in memory.read(question.text, k=_TEN)]
            when = memory.timeline(question.text).when
            answers = {
                TERCET: (date.fromisoformat(when.since), date.fromisoformat(when.until)) if when else None,
                **{name: chosen([turns[id] for id in read(question.text, _NEAR)]) for name, read in peers.items()},
                "the date of Tercet's best turn": day_of(str(found[0]["happened"])),
            }
            for name, answer in answers.items():
                right.setdefault(name, []).append(within(answer, days))
            given = [turns[source] for source in question.evidence if source in turns]
            for name, few in (("limit: the right turns", given), ("limit: any of ten", found)):
                right.setdefault(name, []).append(any(within(chosen([turn]), days) for turn in few))
    return right


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--data", type=click.Path(path_type=Path), help="A LoCoMo file; by default the one in TERCET_DATA.")
@click.option("--dialogues", type=click.IntRange(min=1), default=4, show_default=True, help="Only the first so many.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(data: Path | None, dialogues: int, json_path: Path | None) -> None:
    """Asks every question of every arm and prints a table."""
    model = MiniLM()
    embedder = Remembering(model)
    right: dict[str, list[bool]] = {}
    for transcript in read_dialogue(data_folder(data, "locomo/locomo_open.json"))[:dialogues]:
        for name, some in answered(transcript, embedder, model).items():
            right.setdefault(name, []).extend(some)
    ours = [float(one) for one in right[TERCET]]
    table = Table(title=f"LoCoMo, {len(ours)} questions for a date, percent", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("arm", "exactly right", "Tercet's gain on it (95 %)"):
        table.add_column(heading, no_wrap=True)
    arms: dict[str, object] = {}
    for name, some in right.items():
        gap = paired_bootstrap(ours, [float(one) for one in some])
        arms[name] = {"right": round(float(np.mean(some)), 4), "gain": None if name == TERCET else asdict(gap)}
        shown = f"{100 * gap.difference:+.1f} ({100 * gap.low:+.1f} .. {100 * gap.high:+.1f})"
        table.add_row(name, f"{100 * np.mean(some):.1f}", "" if name == TERCET else shown)
    Console().print(table)
    if json_path is None and dialogues == 4:
        json_path = ROOT / "benchmarks" / "results" / "dates.json"
    if json_path:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        found = {"benchmark": "dates", "questions": len(ours), "machine": machine(), "arms": arms}
        json_path.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
