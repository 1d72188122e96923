"""How much of a prompt a serving engine already has: memories laid out in several ways, counted at a test double.

Conversations over memories go, through `EndpointModel` and the OpenAI protocol, to a server on the loopback
interface that runs no model, but keeps the caches of vLLM (blocks of 16 tokens) and SGLang (a radix tree); see
`benchmarks.serving`. Worlds are made up; with ``--data`` (or TERCET_DATA) LoCoMo's questions are asked as well, of
its dialogues. Answers are scripted. What counts in the end is what has to be computed, since a layout with more hits
may also be longer.

    python benchmarks/prefix_hits.py [--data FOLDER] [--turns N] [--json FILE]
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table
from transformers import AutoTokenizer

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.machine import machine  # noqa: E402
from benchmarks.serving import PrefixServer, Seen, Turn  # noqa: E402
from benchmarks.worlds import make_world  # noqa: E402

from tercet import Dialogue, Memory  # noqa: E402
from tercet.adapters.dialogues import read_dialogue  # noqa: E402
from tercet.engines import EndpointModel  # noqa: E402
from tercet.engines.chat import Message  # noqa: E402
from tercet.engines.mini import MINI  # noqa: E402
from tercet.engines.prompt import render  # noqa: E402
from tercet.sdk.dialogue import SYSTEM  # noqa: E402

K = 5
Say = Callable[[str], object]
Layout = Callable[[Memory, EndpointModel], Say]


@dataclass(frozen=True, slots=True)
class Talk:
    """What one conversation is about.

    Attributes:
        told: drafts of the memories.
        asked: questions, and what is answered to each.
    """

    told: Sequence[Mapping[str, object]]
    asked: Sequence[tuple[str, str]]


def worlds(count: int, turns: int) -> list[Talk]:
    """Returns conversations over made-up worlds, five of them in each memory."""
    talks = []
    for number in range(count):
        five = [make_world(f"prefix {number} {place}", "test", notes=10, questions=turns) for place in range(5)]
        told = [{"text": n.text, "speaker": n.speaker, "happened": n.day} for world in five for n in world.notes]
        asked = []
        for world in five:  # one after the other, as people stay with a subject for a while
            for question in world.questions[: -(-turns // 5)]:
                notes = " ".join(world.notes[place].text for place in question.needs)
                asked.append(
                    (question.text, f"{question.answer}. What I go by is this: {notes or 'nothing was said.'}")
                )
        talks.append(Talk(told, asked[:turns]))
    return talks


def locomo(data: Path, turns: int) -> list[Talk]:
    """Returns conversations over LoCoMo's dialogues, with its questions in their order."""
    talks = []
    for transcript in read_dialogue(data / "locomo" / "locomo_open.json"):
        asked = [(one.text, f"{one.answer or 'I do not know'}.") for one in transcript.questions[:turns]]
        talks.append(Talk([dict(turn) for turn in transcript.turns], asked))
    return talks


def before_history(memory: Memory, model: EndpointModel, *, written: bool, clock: bool = False) -> Say:
    """Memories in the system prompt, as many agents have them: best first, or in the order they were written in."""
    history: list[Message] = []
    now = datetime(2026, 1, 1, 9, 0, 0)

    def say(text: str) -> None:
        nonlocal now
        now += timedelta(seconds=40)
        notes = memory.read(text, k=K).notes
        block = render(sorted(notes, key=lambda note: note.change) if written else notes)
        system = f"{now:It is %H:%M:%S on %d %B %Y. }{SYSTEM}" if clock else SYSTEM
        answer = model.generate([Message("system", f"{system}\n\n{block}"), *history, Message("user", text)])
        history.extend((Message("user", text), Message("assistant", answer)))
        if len(history) > 24:
            del history[:12]

    return say


def alone(memory: Memory, model: EndpointModel, *, written: bool | None) -> Say:
    """Single questions, without a history: memories before the question, or (None) behind it."""

    def say(text: str) -> None:
        notes = memory.read(text, k=K).notes
        block = render(sorted(notes, key=lambda note: note.change) if written else notes)
        words = f"{text}\n\n{block}" if written is None else f"{block}\n\n{text}"
        model.generate([Message("system", SYSTEM), Message("user", words)])

    return say


LAYOUTS: dict[str, Layout] = {
    "the time, memories, history": lambda m, e: before_history(m, e, written=False, clock=True),
    "memories (best first), history": lambda m, e: before_history(m, e, written=False),
    "memories (as written), history": lambda m, e: before_history(m, e, written=True),
    "history, memories (Dialogue)": lambda m, e: Dialogue(m, e, k=K).say,
    "history with its memories (keep=True)": lambda m, e: Dialogue(m, e, k=K, keep=True).say,
    "alone: memories (best first), question": lambda m, e: alone(m, e, written=False),
    "alone: memories (as written), question": lambda m, e: alone(m, e, written=True),
    "alone: question, memories": lambda m, e: alone(m, e, written=None),
}


@contextmanager
def remembering(talk: Talk) -> Iterator[Memory]:
    """A memory of what was told."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Memory(Path(folder) / "bench.tercet", scope="bench", embedder=None) as memory,
    ):
        memory.write_many(talk.told)
        yield memory


def measure(talks: Sequence[Talk], layout: Layout) -> list[Seen]:
    """Holds every conversation with a layout; returns what the server saw."""
    tokenizer = AutoTokenizer.from_pretrained(MINI)

    def tokens(text: str) -> list[int]:
        cut: list[int] = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return cut

    seen: list[Seen] = []
    for talk in talks:
        answers = dict(talk.asked)

        def answer(turns: list[Turn], answers: dict[str, str] = answers) -> str:
            return next(said for asked, said in answers.items() if asked in turns[-1]["content"])

        with PrefixServer(tokens, answer) as server, remembering(talk) as memory:
            model = EndpointModel(server.url, "double")
            say = layout(memory, model)
            for question, _ in talk.asked:
                say(question)
            model.close()
        seen += server.seen
    return seen


def figures(seen: Sequence[Seen]) -> dict[str, float]:
    """Returns tokens to a request, the share of them that each cache had, and what was left to compute."""
    prompt, blocks, radix = (sum(getattr(one, name) for one in seen) for name in ("prompt", "blocks", "radix"))
    return {
        "requests": len(seen),
        "prompt": round(prompt / len(seen), 1),
        "vllm_hits": round(blocks / prompt, 4),
        "sglang_hits": round(radix / prompt, 4),
        "vllm_computed": round((prompt - blocks) / len(seen), 1),
        "sglang_computed": round((prompt - radix) / len(seen), 1),
    }


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--data", type=click.Path(exists=True, path_type=Path), help="The folder of data sets; or TERCET_DATA.")
@click.option("--turns", type=click.IntRange(min=2), default=30, help="Of each conversation.")
@click.option("--talks", "count", type=click.IntRange(min=1), default=6, help="Conversations over made-up worlds.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(data: Path | None, turns: int, count: int, json_path: Path | None) -> None:
    """Counts every layout and prints the table."""
    given = data or (Path(os.environ["TERCET_DATA"]) if "TERCET_DATA" in os.environ else None)
    sets = {"worlds": worlds(count, turns)} | ({"locomo": locomo(given, turns)} if given else {})
    jobs = [(name, layout) for name in sets for layout in LAYOUTS]
    found: dict[str, dict[str, dict[str, float]]] = {name: {} for name in sets}
    for name, layout in track(jobs, description="counting", transient=True):
        found[name][layout] = figures(measure(sets[name], LAYOUTS[layout]))
    table = Table(box=SIMPLE_HEAD, title="Tokens to a request; hits in percent, and what is left to compute")
    for heading in ("set", "layout", "prompt", "vLLM hits", "computed", "SGLang hits", "computed"):
        table.add_column(heading, justify="left" if heading in ("set", "layout") else "right", no_wrap=True)
    for name, layouts in found.items():
        for layout, row in layouts.items():
            shares = [f"{100 * row['vllm_hits']:.1f}", f"{row['vllm_computed']:,.0f}"]
            shares += [f"{100 * row['sglang_hits']:.1f}", f"{row['sglang_computed']:,.0f}"]
            table.add_row(name, layout, f"{row['prompt']:,.0f}", *shares)
    Console(width=120).print(table)
    path = json_path or ROOT / "benchmarks" / "results" / "prefix_hits.json"
    written = {"benchmark": "prefix_hits", "machine": machine(), "k": K, "turns": turns, "layouts": found}
    path.write_text(json.dumps(written, indent=2) + "\n")


if __name__ == "__main__":
    main()
