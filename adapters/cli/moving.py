"""Commands that carry memories in and out: import, export."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from . import inputs
from .command import Command, with_session
from .files import replacing
from .plain import safe_line
from .screen import progress, say, waiting
from .session import Session

if TYPE_CHECKING:
    from ...sdk.memory import Memory
    from ..importers import Drafts

__all__ = ["export", "import_", "import_dialogues"]

_LINE_LIMIT = 8 << 20  # bytes; far more than the largest note makes


@click.command(
    cls=Command,
    epilog="""
    tercet export ada.jsonl --scope ada
    tercet export | gzip > ada.jsonl.gz
    """,
)
@click.argument("file", default="-", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--yes", is_flag=True, help="Replace FILE without asking.")
@with_session
def export(session: Session, file: str, yes: bool) -> None:
    """Writes a scope as JSON Lines, into FILE or on standard output.

    Everything is in it that is needed to make the memory anew elsewhere: notes, versions, facts as given.
    """
    with session.open() as memory:
        if file == "-":
            for line in memory.export():
                click.echo(safe_line(line) if sys.stdout.isatty() else line)
            return
        with replacing(file, yes=yes) as stream, progress("exporting", None) as advance:
            count = -1  # the header is no change
            for line in memory.export():
                stream.write(line.encode() + b"\n")
                advance(1)
                count += 1
    if session.as_json:
        session.answer({"file": file, "changes": count})
    else:
        click.echo(f"{file}: {count:,} changes")


@click.command(
    "import",
    cls=Command,
    epilog="""
    tercet import ada.jsonl --scope ada
    tercet import mem0.json --scope ada --by-user
    tercet import conversations.json --format chat
    """,
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--format",
    "form",
    type=click.Choice(["tercet", "locomo", "mem0", "langgraph", "mcp", "chat"]),
    help="What FILE is; found out when left out.",
)
@click.option("--by-user", is_flag=True, help="Put what mem0 has of each user into a scope of that user, below yours.")
@with_session
def import_(session: Session, file: str, form: str | None, by_user: bool) -> None:
    """Takes in an export, or memories and chats of other products.

    Of others it reads LoCoMo dialogues, memories of mem0 (JSON or history.db), SQLite stores of LangGraph, files of the
    MCP memory server, and chat logs (ShareGPT, OpenAI messages, ChatGPT's conversations.json).

    What is here already is not written twice. A FILE of - is standard input, which must be a Tercet export.
    """
    form = form or _sniffed(file)
    if by_user and form != "mem0":
        raise click.UsageError(f"--by-user is for memories of mem0; a {form} file names no user of each memory")
    if form != "tercet" and file == "-":
        raise click.UsageError("only a Tercet export is read from standard input; name the file")
    answer: dict[str, object] = {"file": file, "format": form}
    if form == "tercet":
        with _opened(file) as stream:
            lines = inputs.lines_of(stream, "standard input" if file == "-" else file, limit=_LINE_LIMIT)
            with session.open(new=True) as memory, progress("importing", None) as advance:
                answer["new"] = memory.import_(lines, on_progress=advance)
    elif form == "locomo":
        with session.open(new=True) as memory:
            answer["new"] = import_dialogues(memory, file)
    else:
        with waiting("reading"):
            found = _drafts(form, file)
            drafts = list(found)  # to its end, before a memory is made for it
        if by_user:
            from ..importers import per_user

            drafts = per_user(drafts, scope=session.scope)
        with session.open(new=True) as memory:
            answer["new"] = _written(memory, drafts)
        answer["left_out"] = dict(found.skipped)
        for what, count in found.skipped.items():
            say(f"left out: {count:,} {what}")
    if session.as_json:
        session.answer(answer)
    else:
        click.echo(f"{answer['new']:,} new notes")


def import_dialogues(memory: Memory, file: str) -> int:
    """Writes every dialogue of a LoCoMo file; a turn that is here already is left as it is.

    Returns:
        How many turns were new.
    """
    from ..dialogues import read_dialogue

    drafts: list[Mapping[str, object]] = [
        {**turn, "key": turn["source"], "origin": "import"}
        for transcript in read_dialogue(file)
        for turn in transcript.turns
    ]
    return _written(memory, drafts)


def _written(memory: Memory, drafts: list[Mapping[str, object]]) -> int:
    """Writes drafts, all or nothing, and returns how many were not here yet."""
    before = memory.stats().change
    with progress("importing", len(drafts)) as advance:
        notes = memory.write_many(drafts, on_progress=advance)
    return len({note.id for note in notes if note.change > before})


def _drafts(form: str, file: str) -> Drafts:
    from .. import importers  # here, so that other commands need not wait for it

    readers = {
        "mem0": importers.read_mem0,
        "langgraph": importers.read_langgraph,
        "mcp": importers.read_mcp,
        "chat": importers.read_chat,
    }
    return readers[form](file)


def _sniffed(file: str) -> str:
    """Returns what a file is; a pipe cannot be looked at twice and must be an export."""
    if file == "-" or not Path(file).is_file():
        return "tercet"
    from ..importers import sniffed

    return sniffed(Path(file))


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    if file == "-":
        yield sys.stdin.buffer
    else:
        with open(file, "rb") as stream:
            yield stream
