"""Whether a dialogue should read, what it should ask, and whether episodes are worth a place beside the turn.

- **gate**: which turns are read for. Worth a read: the questions of LoCoMo, BEAM and MuSiQue. Not: small talk as the
  made-up worlds have it, and sums drawn by chance. The phrases of the gate were written with the worlds' training half
  and LoCoMo's first two dialogues in view; the rest was held out.
- **cues**: LoCoMo's questions that name one of the two speakers, asked as a follow-up: "Tell me about Mel.", then the
  question with "they" for the name. It is asked alone, joined with the turn before, which is what
  `Dialogue` does, and as both; and, as the limit, as it was written. And as a terse one, "Can you tell me more about
  that?", behind the whole question.
- **episodes**: within a session a turn begins a new episode where its vector has least to do with the two before it
  (the lowest fifth of cosines, surprise). Every turn gets a share of the best score of its episode; without is what a
  read does, which already gives a share of the session's best.

No model judges anything. The data does not come with Tercet: give the folder with ``--data``, or in TERCET_DATA.

    python benchmarks/controllers.py [--questions N] [--dialogues N] [--data FOLDER] [--json FILE]
"""

from __future__ import annotations

import json
import random
import re
import sys
import tempfile
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks import recall_locomo  # noqa: E402
from benchmarks.comparison import data_folder  # noqa: E402
from benchmarks.machine import machine  # noqa: E402
from benchmarks.peers import Remembering  # noqa: E402
from benchmarks.ranking import paired_bootstrap, recall_at  # noqa: E402

from tercet import Memory, Recall  # noqa: E402
from tercet.adapters.dialogues import Transcript, read_dialogue  # noqa: E402
from tercet.engines import MiniLM  # noqa: E402
from tercet.engines.small_talk import worth_reading  # noqa: E402
from tercet.sdk.cues import cues, merged  # noqa: E402

SHARES = (0.1, 0.2, 0.4)
TERSE = "Can you tell me more about that?"
_DEEP = 50
Recalls = dict[str, list[float]]


def small_talk() -> tuple[list[str], list[str]]:
    """Returns the worlds' small talk, each choice spelt out: what the gate was written with, and what was held out."""
    ways = tomllib.loads((ROOT / "benchmarks" / "worlds" / "ways.toml").read_text())
    found = next(group for group in ways.values() if isinstance(group, dict) and "Thank you!" in group.get("train", []))
    return spelt(found["train"]), spelt(found["test"])


def spelt(texts: Sequence[str]) -> list[str]:
    """Returns texts with every choice ``(a; b)`` made in each way."""
    made: list[str] = []
    for text in texts:
        choice = re.search(r"\(([^()]*;[^()]*)\)", text)
        ways = (
            [text[: choice.start()] + way.strip() + text[choice.end() :] for way in choice[1].split(";")]
            if choice
            else []
        )
        made += spelt(ways) if choice else [text]
    return made


def sums(count: int) -> list[str]:
    """Returns arithmetic drawn by chance, as people type it."""
    draw = random.Random(7)
    ways = (
        "{0} {2} {1}",
        "What is {0} {2} {1}?",
        "what's {0}{2}{1}",
        "Calculate ({0} {2} {1}) * {0}",
        "{0} {2} {1} = ?",
    )
    signs = ("+", "*", "/", "-", "plus", "times", "divided by")
    return [
        draw.choice(ways).format(draw.randint(1, 999), draw.randint(1, 99), f"{draw.choice(signs)}")
        for _ in range(count)
    ]


def gate(folder: Path) -> dict[str, Any]:
    """Returns, per kind of turn, how many there are and how many are read for; and the microseconds of a decision."""
    transcripts = read_dialogue(folder / "locomo" / "locomo_open.json")
    seen, held = small_talk()
    turns = {
        "questions of LoCoMo 1, 2": [q.text for t in transcripts[:2] for q in t.questions],
        "questions of LoCoMo 3, 4 (held out)": [q.text for t in transcripts[2:] for q in t.questions],
        "questions of MuSiQue (held out)": [
            row["question"] for row in json.loads((folder / "musique" / "musique_train.json").read_text())
        ],
        "questions of BEAM (held out)": [
            row["question"]
            for path in sorted((folder / "beam" / "100K").glob("*/probing_questions.json"))
            for rows in json.loads(path.read_text()).values()
            for row in rows
        ],
        "small talk of the worlds": seen,
        "small talk of the worlds (held out)": held,
        "sums (held out)": sums(200),
    }
    start = time.perf_counter()
    found = {name: {"turns": len(texts), "read for": sum(map(worth_reading, texts))} for name, texts in turns.items()}
    count = sum(map(len, turns.values()))
    return {"turns": found, "microseconds": round((time.perf_counter() - start) / count * 1e6, 1)}


def follow_up(question: str, speakers: Sequence[str]) -> tuple[str, str] | None:
    """Returns who is asked about, and the question with "they" for the name; None unless it names one speaker."""
    named = [name for name in speakers if re.search(rf"\b{re.escape(name)}\b", question)]
    if len(named) != 1:
        return None
    name = re.escape(named[0])
    without = re.sub(rf"\b{name}(?:'s|\u2019s)", "their", question)
    return named[0], re.sub(rf"\b{name}\b", "they", without)


def episodes(transcript: Transcript, embedder: Remembering) -> dict[str, int]:
    """Returns the episode of each turn, by its source."""
    vectors = embedder.embed([f"{turn['speaker']}: {turn['text']}" for turn in transcript.turns])
    sessions = [str(turn["happened"]) for turn in transcript.turns]
    like = [
        float(vectors[i] @ (mean / np.linalg.norm(mean)))
        if i and sessions[i] == sessions[i - 1] and (mean := vectors[max(0, i - 2) : i].mean(axis=0)) is not None
        else -1.0
        for i in range(len(vectors))
    ]
    least = float(np.quantile([value for value in like if value > -1], 0.2))
    numbers = np.cumsum([value <= least for value in like]).tolist()
    return {str(turn["source"]): number for turn, number in zip(transcript.turns, numbers, strict=True)}


def with_episodes(recall: Recall, of: Mapping[str, int], share: float) -> list[str]:
    """Returns the sources of a recall, best first, once each turn has a share of its episode's best score."""
    scores = {one.note.source: one.score for one in recall}
    best: dict[int, float] = {}
    for source, score in scores.items():
        best[of[source]] = max(best.get(of[source], 0.0), score)
    total = {source: score + share * best[of[source]] for source, score in scores.items()}
    return sorted(total, key=lambda source: -total[source])


def sources(recall: Recall) -> list[str]:
    """Returns where the memories of a recall were said, best first."""
    return [one.note.source for one in recall]


def ask(folder: Path, most: int | None, dialogues: int) -> tuple[Recalls, Recalls, Recalls]:
    """Returns recall@10 of every question: by way of asking a follow-up, a terse one, and by share of the episode."""
    embedder = Remembering(MiniLM())
    asked: dict[str, list[float]] = {}
    terser: dict[str, list[float]] = {}
    told: dict[str, list[float]] = {}
    for transcript in read_dialogue(folder / "locomo" / "locomo_open.json")[:dialogues]:
        questions, _, _ = recall_locomo.asked(transcript)
        speakers = sorted({str(turn["speaker"]) for turn in transcript.turns})
        of = episodes(transcript, embedder)
        with (
            tempfile.TemporaryDirectory() as home,
            Memory(Path(home) / "bench.tercet", scope="bench", embedder=embedder) as memory,
        ):
            memory.write_many(transcript.turns)
            for question in questions[:: max(1, len(questions) // most) if most else 1]:
                whole = memory.read(question.text, k=_DEEP)

                def put(into: dict[str, list[float]], name: str, found: list[str], wanted: set[str]) -> None:
                    into.setdefault(name, []).append(recall_at(found, wanted, 10))

                put(told, "without", sources(whole), question.evidence)
                for share in SHARES:
                    put(told, f"share {share}", with_episodes(whole, of, share), question.evidence)
                if turned := follow_up(question.text, speakers):
                    name, text = turned
                    before = f"Tell me about {name}."
                    alone, joined = memory.read(text, k=_DEEP), memory.read(f"{before}\n{text}", k=_DEEP)
                    both = merged([alone, joined], _DEEP)
                    put(asked, "as written", sources(whole), question.evidence)
                    put(asked, "alone", sources(alone), question.evidence)
                    put(asked, "joined", sources(joined), question.evidence)
                    put(asked, "both", sources(both), question.evidence)
                terse = [memory.read(cue, k=_DEEP) for cue in (TERSE, *cues(TERSE, [question.text]))]
                put(terser, "as written", sources(whole), question.evidence)
                put(terser, "alone", sources(terse[0]), question.evidence)
                put(terser, "joined", sources(terse[1]), question.evidence)
                put(terser, "both", sources(merged(terse, _DEEP)), question.evidence)
    return asked, terser, told


def compared(values: Mapping[str, Sequence[float]], base: str) -> dict[str, Any]:
    """Returns each way's mean recall@10 and its difference to the base, with a 95 % paired bootstrap interval."""
    return {
        name: {"R@10": round(float(np.mean(own)), 4), "questions": len(own)}
        | ({} if name == base else {f"against {base}": asdict(paired_bootstrap(own, values[base]))})
        for name, own in values.items()
    }


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--data", type=click.Path(path_type=Path), help="The folder; by default TERCET_DATA.")
@click.option(
    "--questions", type=click.IntRange(min=1), help="About so many of each dialogue; then no JSON unless asked."
)
@click.option("--dialogues", type=click.IntRange(min=1), default=4, show_default=True, help="Only the first so many.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(data: Path | None, questions: int | None, dialogues: int, json_path: Path | None) -> None:
    """Measures all three and prints what came of it."""
    console = Console()
    folder = data_folder(data, ".")
    gated = gate(folder)
    asked, terser, told = ask(folder, questions, dialogues)
    followed = {"without the name": compared(asked, "alone"), "terse": compared(terser, "alone")}
    found = {"gate": gated, "cues": followed, "episodes": compared(told, "without")}
    console.print_json(json.dumps(found))
    if json_path is None and questions is None and dialogues == 4:
        json_path = ROOT / "benchmarks" / "results" / "controllers.json"
    if json_path:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps({"benchmark": "controllers", "machine": machine(), **found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
