"""The command demo: the main job on real input, step by step, on this machine only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING

import click

from ...store.errors import InvalidInput
from . import steps
from .answers import answer
from .command import Command
from .plain import safe_json
from .screen import say, show
from .steps import Stage, Told

if TYPE_CHECKING:
    from ..dialogues import Question, Transcript

__all__ = ["demo"]

_DIALOGUE = Path(__file__).parent / "demo" / "dialogue.json"
_ASKED = 3  # questions of a given dialogue
_KINDS = {4: "single-hop", 2: "temporal", 1: "multi-hop", 3: "open-domain"}  # the unanswerable ones are left out


@dataclass(frozen=True, slots=True)
class _Step:
    """One thing that is shown.

    Attributes:
        name: what it is called in JSON.
        title: what a person reads above it.
        run: does it.
    """

    name: str
    title: str
    run: Callable[[Stage], Told]


_OURS = (
    _Step("write", "Write: a year of two friends' conversations, kept as words", steps.write),
    _Step("read", "Read: every form votes, and says why", partial(steps.read, question=steps.BLOOD)),
    _Step("facts", "Two clocks: what was true on two dates", steps.facts),
    _Step("graph", "Links: an answer that no single memory holds", steps.graph),
    _Step(
        "attend",
        "Attention: the same memories as keys and values of a model",
        partial(steps.attend, question=steps.ALLERGY),
    ),
    _Step("answer", "Answers: a small model of our own, without memory, with words and with attention", answer),
    _Step("revise", "Revise: new words, and the old ones in the history", steps.revise),
    _Step("forget", "Forget: gone from every form and file, with a receipt", steps.forget_house),
)


@click.command(
    cls=Command,
    epilog="""
    tercet demo
    tercet demo --dialogue locomo10.json
    tercet demo --keep demo.tercet
    """,
)
@click.option(
    "--dialogue",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="The first dialogue of a LoCoMo file instead of our own.",
)
@click.option("--keep", metavar="FOLDER", type=click.Path(), help="Keep the memory there; it must be new.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text for people.")
def demo(dialogue: str | None, keep: str | None, as_json: bool) -> None:
    """Shows it all, offline, in under a minute.

    It imports a dialogue, reads it in all three forms, puts memories into the attention of a small real model, revises
    one and forgets one. Nothing leaves this machine, and the memory is thrown away afterwards.
    """
    from ...sdk.memory import Memory
    from ..dialogues import read_dialogue

    if keep is not None and Path(keep).exists():
        raise click.UsageError(f"{keep} exists already; --keep takes a new folder")
    transcripts = read_dialogue(dialogue or _DIALOGUE)
    if not transcripts:
        raise InvalidInput(f"{dialogue} holds no dialogue")
    transcript = transcripts[0]
    chosen = _theirs(transcript) if dialogue else _OURS
    if not as_json:
        say("Everything happens on this machine: nothing is downloaded, nothing is sent.")
    began = monotonic()
    with _folder(keep) as folder, Memory(folder, scope="me") as memory:
        done = [_shown(number, step, Stage(memory, transcript), as_json) for number, step in enumerate(chosen, 1)]
    if as_json:
        click.echo(safe_json(done))
        return
    say(f"{len(done)} steps in {monotonic() - began:.0f} s, on this machine only")
    if keep is not None:
        say(f'the memory is in {keep}; try: tercet read "{steps.BLOOD}" --memory {keep}')


def _shown(number: int, step: _Step, stage: Stage, as_json: bool) -> dict[str, object]:
    """Runs a step, shows it to a person, and returns its values."""
    from rich.text import Text

    if not as_json:
        show(Text.assemble((f"{number}  ", "dim"), (step.title, "bold green")))
    began = monotonic()
    told = step.run(stage)
    seconds = monotonic() - began
    if not as_json:
        show(*told.shown, "")
    return {"step": step.name, "seconds": round(seconds, 3), **told.values}


def _theirs(transcript: Transcript) -> tuple[_Step, ...]:
    """Returns the steps for a dialogue whose content we do not know."""
    asked = _answerable(transcript)
    found = [
        _Step("read", f"Read: a {_KINDS[one.category]} question of the file", partial(steps.read, question=one.text))
        for one in asked
    ]
    last = asked[-1].text if asked else transcript.turns[0]["text"]
    return (
        _Step("write", f"Write: dialogue {transcript.id!r} of the file", steps.write),
        *found,
        _Step("attend", _OURS[4].title, partial(steps.attend, question=str(last))),
        _Step("forget", _OURS[7].title, partial(steps.forget, question=str(last))),
    )


def _answerable(transcript: Transcript) -> list[Question]:
    """Returns questions whose evidence is in the dialogue, of different kinds first."""
    sources = {turn["source"] for turn in transcript.turns}
    fit = [
        one for one in transcript.questions if one.category in _KINDS and one.evidence and set(one.evidence) <= sources
    ]
    first = [
        next(one for one in fit if one.category == kind) for kind in _KINDS if any(o.category == kind for o in fit)
    ]
    return [*first, *(one for one in fit if one not in first)][:_ASKED]


@contextmanager
def _folder(keep: str | None) -> Iterator[Path]:
    if keep is not None:
        yield Path(keep)
        return
    with TemporaryDirectory(prefix="tercet-demo-") as folder:
        yield Path(folder) / "memory"
