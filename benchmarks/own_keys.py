"""Does a model find with its own queries, in its own keys, the notes that answer a question? Beside the embedder.

Arms: the default embedder; all heads of the model; its best heads, chosen on other worlds or dialogues than those that
are measured; and the best heads as a second stage, over the embedder's first 20. tercet-mini on made-up worlds whose
names training did not have (40 notes to choose from, of one world and strangers); stories260K on LoCoMo, where the data
is there (``--data`` or TERCET_DATA), the heads chosen on the first dialogue, measured on the second.

    python benchmarks/own_keys.py [--data FOLDER] [--worlds N] [--questions N] [--json FILE]
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.machine import machine  # noqa: E402
from benchmarks.mini.documents import note_of  # noqa: E402
from benchmarks.worlds import Split, make_world  # noqa: E402

from tercet.adapters.dialogues import Transcript, read_dialogue  # noqa: E402
from tercet.engines.attention.own_keys import OwnKeys, best_heads  # noqa: E402
from tercet.engines.embedder import MiniLM  # noqa: E402
from tercet.engines.local_model import LocalModel  # noqa: E402
from tercet.engines.mini import MINI  # noqa: E402
from tercet.store.note import spoken  # noqa: E402

NOTES = 40
SECOND_STAGE = 20
HEADS = 4
DEPTHS = (1, 5, 10)


@dataclass(frozen=True, slots=True)
class Shelf:
    """Notes, and questions with the places of the notes that answer them."""

    texts: Sequence[str]
    asked: Sequence[tuple[str, set[int]]]


def world(seed: int, split: Split) -> Shelf:
    """Returns one world among strangers."""
    own = make_world(f"keys {seed}", split, notes=8, questions=6)
    notes, number = list(own.notes), 0
    while len(notes) < NOTES:
        notes += make_world(f"keys {seed} {number}", split, notes=8).notes
        number += 1
    asked = [(question.text, set(question.needs)) for question in own.questions if question.needs]
    return Shelf([spoken(note_of(note)) for note in notes[:NOTES]], asked)


def dialogue(transcript: Transcript, questions: int) -> Shelf:
    """Returns a dialogue's turns, and some of its questions, evenly over all."""
    places = {str(turn["source"]): place for place, turn in enumerate(transcript.turns)}
    asked = [(one.text, {places[id] for id in one.evidence if id in places}) for one in transcript.questions]
    kept = [one for one in asked if one[1]]
    step = max(1, len(kept) // questions)
    return Shelf([f"{turn['speaker']}: {turn['text']}" for turn in transcript.turns], kept[::step][:questions])


def measure(model: LocalModel, chosen_on: Sequence[Shelf], shelves: Sequence[Shelf]) -> dict[str, object]:
    """Returns recall of every arm, and the heads."""
    engine = model.attention
    keys = OwnKeys(engine)

    def found(some: Sequence[Shelf]) -> list[list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]]:
        made = []
        for shelf in some:
            records = engine.encode(shelf.texts)
            made.append([keys.by_head(question, records) for question, _ in shelf.asked])
        return made

    tried = [one for shelf in found(chosen_on) for one in shelf]
    heads = best_heads(tried, [wanted for shelf in chosen_on for _, wanted in shelf.asked], HEADS)
    embedder = MiniLM()
    arms: dict[str, dict[int, list[float]]] = {}
    for shelf, scores in zip(shelves, found(shelves), strict=True):
        vectors = embedder.embed([*shelf.texts, *(question for question, _ in shelf.asked)])
        for number, (_, wanted) in enumerate(shelf.asked):
            near = vectors[: len(shelf.texts)] @ vectors[len(shelf.texts) + number]
            own = np.mean([scores[number][layer, head] for layer, head in heads], 0)
            first = np.argsort(-near, kind="stable")
            second = first[:SECOND_STAGE]
            orders = {
                "embedder": first,
                "own keys, all heads": np.argsort(-scores[number].mean((0, 1)), kind="stable"),
                "own keys, best heads": np.argsort(-own, kind="stable"),
                f"embedder's {SECOND_STAGE}, then best heads": second[np.argsort(-own[second], kind="stable")],
                f"embedder's {SECOND_STAGE}, both": second[
                    np.argsort(-_added(near[second], own[second]), kind="stable")
                ],
            }
            for arm, order in orders.items():
                for depth in DEPTHS:
                    hits = len(set(order[:depth].tolist()) & wanted) / len(wanted)
                    arms.setdefault(arm, {k: [] for k in DEPTHS})[depth].append(hits)
    means = {arm: {f"R@{k}": round(float(np.mean(v)), 4) for k, v in by.items()} for arm, by in arms.items()}
    return {"questions": sum(len(shelf.asked) for shelf in shelves), "heads": heads, "recall": means}


def _added(
    *scores: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Returns the sum of scores, each brought to 0..1."""
    added: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = sum(
        ((one - one.min()) / max(float(np.ptp(one)), 1e-9) for one in scores), np.zeros(len(scores[0]), np.float32)
    )
    return added


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--data", type=click.Path(exists=True, path_type=Path), help="The folder of data sets; or TERCET_DATA.")
@click.option("--worlds", type=click.IntRange(min=2), default=40, help="That are measured; half as many choose heads.")
@click.option("--questions", type=click.IntRange(min=2), default=60, help="Of each dialogue.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(data: Path | None, worlds: int, questions: int, json_path: Path | None) -> None:
    """Measures and prints the table."""
    torch.set_num_threads(1)
    given = data or (Path(os.environ["TERCET_DATA"]) if "TERCET_DATA" in os.environ else None)
    path = json_path or ROOT / "benchmarks" / "results" / "own_keys.json"
    seen = [world(seed, "train") for seed in range(worlds // 2)]
    found = {"tercet-mini, worlds": measure(LocalModel(MINI), seen, [world(n, "test") for n in range(worlds)])}
    _write(path, found)
    if given:
        first, second, *_ = read_dialogue(given / "locomo" / "locomo_open.json")
        stories = LocalModel(ROOT / "adapters" / "cli" / "demo" / "stories260K")
        held = measure(stories, [dialogue(first, questions)], [dialogue(second, questions)])
        _write(path, found | {"stories260K, LoCoMo": held})
        found["stories260K, LoCoMo"] = held
    table = Table(box=SIMPLE_HEAD)
    for heading in ("set", "arm", *(f"R@{depth}" for depth in DEPTHS)):
        table.add_column(heading, no_wrap=True)
    for name, figures in found.items():
        recall = figures["recall"]
        assert isinstance(recall, dict)
        for arm, row in recall.items():
            table.add_row(name, arm, *(f"{value:.3f}" for value in row.values()))
    Console(width=120).print(table)


def _write(path: Path, found: dict[str, dict[str, object]]) -> None:
    path.write_text(json.dumps({"benchmark": "own_keys", "machine": machine(), "sets": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
