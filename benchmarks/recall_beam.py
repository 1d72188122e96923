"""Finds the messages that answer a question in BEAM's long chats: Tercet and its peers, in one run.

Messages are turns of one thread, one memory per chat; a question's evidence is the messages that its author named,
and questions without any (abstention) are left out. Data: BEAM 100K (Tavakoli et al., 2025). It does not come with
Tercet: give it with ``--data``, or in ``beam/100K`` of the folder TERCET_DATA.

    python benchmarks/recall_beam.py [--limit CHATS] [--data FOLDER] [--json FILE]
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.comparison import TERCET, Asked, Comparison, Metrics, data_folder, save  # noqa: E402
from benchmarks.peers import Remembering, full_text, peers  # noqa: E402
from benchmarks.ranking import recall_at, reciprocal_rank  # noqa: E402

from tercet import Memory  # noqa: E402
from tercet.engines.embedder import MiniLM  # noqa: E402

METRICS: Metrics = {
    "R@1": lambda found, wanted: recall_at(found, wanted, 1),
    "R@5": lambda found, wanted: recall_at(found, wanted, 5),
    "R@10": lambda found, wanted: recall_at(found, wanted, 10),
    "R@20": lambda found, wanted: recall_at(found, wanted, 20),
    "MRR": reciprocal_rank,
}
_MARK = re.compile(r"\s*->->\s*[\w,./)]+\s*$")  # the place in the plan that the generator left after a user's words


@dataclass(frozen=True, slots=True)
class Chat:
    """One chat: drafts for ``Memory.write_many``, and its questions."""

    drafts: list[dict[str, str]]
    questions: list[Asked]


def read_chat(folder: Path) -> Chat:
    """Reads one chat; a message's source is its id."""
    drafts = []
    for batch in json.loads((folder / "chat.json").read_text()):
        # one date per batch, on its first message
        anchors = [message["time_anchor"] for turn in batch["turns"] for message in turn if message.get("time_anchor")]
        happened = f"{datetime.strptime(anchors[0], '%B-%d-%Y'):%Y-%m-%d}" if anchors else ""
        for turn in batch["turns"]:
            for message in turn:
                words = _MARK.sub("", message["content"]).strip()
                drafts.append(
                    {
                        "text": words or message["content"],
                        "speaker": message["role"],
                        "source": str(message["id"]),
                        "thread": f"chat-{folder.name}",
                        "happened": happened,
                    }
                )
    known = {draft["source"] for draft in drafts}
    asked = json.loads((folder / "probing_questions.json").read_text())
    questions = []
    for kind, group in asked.items():
        for question in group:
            evidence = frozenset(map(str, numbers(question.get("source_chat_ids")))) & known
            if evidence:
                questions.append(Asked(question["question"], kind.replace("_", " "), evidence))
    return Chat(drafts, questions)


def numbers(value: object) -> Iterator[int]:
    """Yields every number in nested lists and objects: evidence comes in several shapes."""
    if isinstance(value, int):
        yield value
    elif isinstance(value, (list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from numbers(part)


def texts(drafts: list[dict[str, str]]) -> tuple[list[str], list[str], list[str]]:
    """Returns of each message: who and words; with the date before; with the message before as well."""
    spoken = [f"{draft['speaker']}: {draft['text']}" for draft in drafts]
    days = [f"{datetime.fromisoformat(d['happened']):%d %B %Y}" if d["happened"] else "" for d in drafts]
    dated = [f"{day} {words}".strip() for day, words in zip(days, spoken, strict=True)]
    context = [f"{own}\n{before}" for own, before in zip(dated, ["", *spoken], strict=False)]
    return spoken, dated, context


def ask(comparison: Comparison, chat: Chat, embedder: Remembering) -> None:
    """Asks Tercet and the peers the questions of one chat."""
    ids = [draft["source"] for draft in chat.drafts]
    spoken, dated, context = texts(chat.drafts)
    embedder.embed(spoken)
    embedder.embed([question.text for question in chat.questions])
    readers = peers(ids, dated, spoken=spoken, embedder=embedder)
    readers["FTS5, in context"] = full_text(ids, context)
    with (
        tempfile.TemporaryDirectory() as folder,
        Memory(Path(folder) / "bench.tercet", scope="bench", embedder=embedder) as memory,
    ):
        memory.write_many(chat.drafts)
        readers[TERCET] = lambda question, k: [found.note.source for found in memory.read(question, k=k)]
        comparison.ask(readers, chat.questions)


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--data", type=click.Path(path_type=Path), help="A folder of chats; by default the one in TERCET_DATA.")
@click.option("--limit", type=click.IntRange(min=1), help="Only so many chats; writes no JSON unless asked.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(data: Path | None, limit: int | None, json_path: Path | None) -> None:
    """Runs every arm over every chat and prints the tables."""
    console = Console()
    folder = data_folder(data, "beam/100K")
    folders = sorted((path.parent for path in folder.glob("*/chat.json")), key=lambda path: (len(path.name), path))
    comparison = Comparison(METRICS, depth=20)
    embedder = Remembering(MiniLM())
    messages = 0
    with Progress(console=console, transient=True) as progress:
        for path in progress.track(folders[:limit], description="chats"):
            chat = read_chat(path)
            messages += len(chat.drafts)
            ask(comparison, chat, embedder)
    chats = len(folders[:limit])
    comparison.show(console, f"BEAM 100K, {chats} chats, {messages:,} messages", by_kind="R@10")
    if json_path is None and limit is None:
        json_path = ROOT / "benchmarks" / "results" / "recall_beam.json"
    gaps = [comparison.against_best(metric) for metric in ("R@5", "R@10")]
    counts = {"chats": chats, "messages": messages}
    save("recall_beam", comparison, gaps, console=console, data=counts, path=json_path)


if __name__ == "__main__":
    main()
