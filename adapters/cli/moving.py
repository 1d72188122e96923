"""Commands that carry memories in and out: import, export."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import click

from ...store.errors import InvalidInput
from . import inputs
from .command import Command, with_session
from .files import replacing
from .plain import safe_line
from .screen import progress
from .session import Session

if TYPE_CHECKING:
    from ...sdk.memory import Memory

__all__ = ["export", "import_", "import_dialogues"]

_LINE_LIMIT = 8 << 20  # bytes; far more than the largest note makes
_PEEK = 4096  # bytes


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
    tercet import locomo10.json
    """,
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--format",
    "form",
    type=click.Choice(["tercet", "locomo"]),
    help="What FILE is; found out when left out.",
)
@with_session
def import_(session: Session, file: str, form: str | None) -> None:
    """Takes in a Tercet export or a LoCoMo dialogue file, all or nothing.

    What is here already is not written twice. A FILE of - is standard input, which must be a Tercet export.
    """
    with _opened(file) as stream:
        name = "standard input" if file == "-" else file
        form = form or ("tercet" if file == "-" else _sniffed(stream, name))
        if form == "tercet":
            lines = inputs.lines_of(stream, name, limit=_LINE_LIMIT)
            with session.open(new=True) as memory, progress("importing", None) as advance:
                count = memory.import_(lines, on_progress=advance)
        elif file == "-":
            raise click.UsageError("a dialogue is read from a file, not from standard input; name the file")
        else:
            with session.open(new=True) as memory:
                count = import_dialogues(memory, file)
    if session.as_json:
        session.answer({"file": file, "format": form, "new": count})
    else:
        click.echo(f"{count:,} new notes")


def import_dialogues(memory: Memory, file: str) -> int:
    """Writes every dialogue of a LoCoMo file; a turn that is here already is left as it is.

    Returns:
        How many turns were new.
    """
    from ..dialogues import read_dialogue

    drafts = [
        {**turn, "key": turn["source"], "origin": "import"}
        for transcript in read_dialogue(file)
        for turn in transcript.turns
    ]
    before = memory.stats().change
    with progress("importing", len(drafts)) as advance:
        notes = memory.write_many(drafts, on_progress=advance)
    return sum(note.change > before for note in notes)


def _sniffed(stream: IO[bytes], name: str) -> str:
    """Returns what a file is, by its first character; a pipe cannot be looked at twice and must be an export."""
    if not stream.seekable():
        return "tercet"
    head = stream.read(_PEEK).decode(errors="replace").removeprefix("\ufeff").lstrip()
    stream.seek(0)
    if head.startswith("["):
        return "locomo"
    if head.startswith("{") and '"tercet"' in head.split("\n", 1)[0]:
        return "tercet"
    raise InvalidInput(
        f"{name} is neither a Tercet export (JSON Lines after a header) nor a LoCoMo dialogue file (a JSON list)"
    )


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    if file == "-":
        yield sys.stdin.buffer
    else:
        with open(file, "rb") as stream:
            yield stream
