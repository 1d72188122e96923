"""Commands that change what is remembered: write, revise, forget, undo."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...store.errors import AdapterError
from . import inputs
from .asking import sure
from .choosing import Meant, with_notes_meant
from .command import Command, with_session
from .plain import cut, one_line
from .screen import labelled, progress, say, show, table, waiting
from .session import Session
from .views import note_values, notes_rows

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ...sdk.receipt import Receipt
    from ...store.note import Note

__all__ = ["forget", "receipt_told", "revise", "undo", "write"]

_SHOWN = 20  # notes shown before a forget


@click.command(
    cls=Command,
    epilog="""
    tercet write "I moved to Lisbon in March 2024." --speaker Ada --happened 2024-03-09
    tercet write "Mia is Ada's daughter." --fact "Mia|daughter of|Ada"
    tercet write --lines --speaker Ada < diary.txt
    """,
)
@click.argument("text", required=False)
@click.option("--speaker", metavar="NAME", help="Who said it.")
@click.option("--source", metavar="WHERE", help="Where it was said, such as chat:1.")
@click.option("--thread", metavar="NAME", help="The conversation it belongs to.")
@click.option("--happened", metavar="DATE", help="When, as 2024, 2024-03, 2024-03-09 or 2024-03-09T13:56.")
@click.option("--fact", "facts", metavar="S|R|O", multiple=True, help="A fact it states; may be repeated.")
@click.option("--origin", metavar="NAME", help="user, tool, web, model or import.  [default: user, model if derived]")
@click.option("--metadata", metavar="JSON", help='An object of your own, such as {"lang": "en"}.')
@click.option("--derived-from", "parents", metavar="ID", multiple=True, help="A note it sums up; may be repeated.")
@click.option("--key", metavar="KEY", help="Idempotency key: the same key and content is written once.")
@click.option("--lines", is_flag=True, help="Write every line of standard input as a note, all or none.")
@with_session
def write(
    session: Session,
    text: str | None,
    speaker: str | None,
    source: str | None,
    thread: str | None,
    happened: str | None,
    facts: tuple[str, ...],
    origin: str | None,
    metadata: str | None,
    parents: tuple[str, ...],
    key: str | None,
    lines: bool,
) -> None:
    """Remembers a TEXT.

    A TEXT of - is read from standard input.
    """
    if lines and (text not in (None, "-") or facts or key or parents):
        raise click.UsageError("--lines reads standard input: it takes no TEXT, no --fact, --key or --derived-from")
    if not lines and text is None:
        raise click.UsageError("a TEXT is missing; give one, or - for standard input")
    stated, values = [inputs.fact(one) for one in facts], inputs.json_object(metadata)
    if lines:
        shared = {"speaker": speaker, "source": source, "thread": thread, "happened": happened, "origin": origin}
        _write_lines(session, {**shared, "metadata": values})
        return
    words = inputs.text_of(text or "")
    with session.open(new=True) as memory, waiting("remembering"):
        note = memory.write(
            words,
            speaker=speaker,
            source=source,
            thread=thread,
            happened=happened,
            facts=stated,
            origin=origin,
            metadata=values,
            derived_from=parents,
            key=key,
        )
    _answer(session, note, f"note {note.id}, change {note.change}")


def _write_lines(session: Session, draft: dict[str, object]) -> None:
    from ...store.draft import TEXT_LIMIT

    drafts = [
        draft | {"text": line}
        for line in inputs.lines_of(sys.stdin.buffer, "standard input", limit=TEXT_LIMIT)
        if line.strip()
    ]
    with session.open(new=True) as memory, progress("remembering", len(drafts)) as advance:
        notes = memory.write_many(drafts, on_progress=advance)
    if session.as_json:
        session.answer([note.id for note in notes])
    else:
        click.echo(f"{len(notes):,} notes")


@click.command(
    cls=Command,
    epilog="""
    tercet revise 3f2a9c1e5b7d8e90 "I moved to Porto in March 2024."
    """,
)
@click.argument("id")
@click.argument("text")
@click.option("--happened", metavar="DATE", help="A new date; left out, the old one stays.")
@click.option("--fact", "facts", metavar="S|R|O", multiple=True, help="A fact the new words state; may be repeated.")
@click.option("--metadata", metavar="JSON", help="A new object of your own; left out, the old one stays.")
@with_session
def revise(
    session: Session, id: str, text: str, happened: str | None, facts: tuple[str, ...], metadata: str | None
) -> None:
    """Replaces the words of a note; the old ones stay in its history.

    A TEXT of - is read from standard input.
    """
    stated, values, words = [inputs.fact(one) for one in facts], inputs.json_object(metadata), inputs.text_of(text)
    with session.open() as memory, waiting("revising"):
        note = memory.revise(id, words, happened=happened, facts=stated, metadata=values)
    _answer(session, note, f"note {note.id}, change {note.change}, in place of {note.replaces}")


@click.command(
    cls=Command,
    epilog="""
    tercet forget 3f2a9c1e5b7d8e90
    tercet forget 3f2a9c1e5b7d8e90 --erase --yes --receipt receipt.json
    tercet forget --speaker Mia --origin web
    tercet forget --everything --scope ada/work
    tercet list --speaker Ada --json | jq -r .[].id | tercet forget - --yes
    """,
)
@click.option("--erase", is_flag=True, help="Remove the bytes from the files too, and look whether they are gone.")
@click.option("--receipt", "file", metavar="FILE", type=click.Path(dir_okay=False), help="Keep the receipt as JSON.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_session
@with_notes_meant
def forget(session: Session, meant: Meant, erase: bool, file: str | None, yes: bool) -> None:
    """Forgets notes for good.

    All their versions go, and everything that was made of them. This cannot be undone. An ID of - reads one
    ID a line from standard input. Instead of IDs, options say which notes are meant: those that fit all of them,
    in any of their versions.
    """
    with session.open() as memory:
        notes = memory.matching(*meant.ids, **meant.filters)
        if not yes and notes:
            _ask(notes)
        kept = _reserved(file) if file else None
        try:
            with waiting("forgetting"):
                receipt = memory.forget(*meant.ids, **meant.filters, erase=erase)
        except BaseException:
            if kept:
                kept.unlink()
            raise
    if kept:
        kept.write_text(json.dumps(receipt.as_dict(), indent=2) + "\n", encoding="utf-8")
    if session.as_json:
        session.answer(receipt.as_dict())
    elif receipt.notes:
        show(*receipt_told(receipt))
    else:
        say("no note fits; nothing was forgotten")
    if erase and receipt.notes and not receipt.erased:
        raise AdapterError("the notes are forgotten, but not every byte of them is erased; the receipt says where")


def _ask(versions: Sequence[Note]) -> None:
    older = {version.replaces for version in versions}
    notes = [version for version in versions if version.id not in older]
    show(table("id", "date", "speaker", "text", rows=notes_rows(notes[:_SHOWN])), err=True)
    if len(notes) > _SHOWN:
        say(f"and {len(notes) - _SHOWN:,} more")
    what, them = ("this note", "it") if len(notes) == 1 else (f"these {len(notes):,} notes", "them")
    sure(f"Forget {what} for good, with every version of {them}?")


def receipt_told(receipt: Receipt) -> list[RenderableType]:
    """Returns a receipt for people."""
    from rich.text import Text

    erased = Text("yes, another process found none of the bytes", "green") if receipt.erased else "no"
    many = "version" if len(receipt.notes) == 1 else "versions"
    done = [
        ("forgotten", f"{len(receipt.notes):,} {many} in change {receipt.change}, at {receipt.at} UTC"),
        ("made of them", f"{len(receipt.derived):,} versions, forgotten too" if receipt.derived else ""),
        ("erased", erased),
    ]
    return [
        labelled(done),
        "",
        table("where", "what", "proof", rows=[(one.store, one.action, one_line(one.proof)) for one in receipt.steps]),
        "",
        labelled([("not reached", one_line(left)) for left in receipt.uncovered]),
    ]


@click.command(
    cls=Command,
    epilog="""
    tercet history 3f2a9c1e5b7d8e90
    tercet undo 12
    """,
)
@click.argument("change", type=int)
@with_session
def undo(session: Session, change: int) -> None:
    """Undoes a write or a revision.

    CHANGE is its number, as tercet history shows it. A forget cannot be undone.
    """
    with session.open() as memory, waiting("undoing"):
        note = memory.undo(change)
    if session.as_json:
        session.answer(note_values(note) if note else None)
    elif note:
        click.echo(f"change {change} is undone; note {note.id} is current: {cut(one_line(note.text), 300)}")
    else:
        click.echo(f"change {change} is undone; nothing stands in its place")


def _answer(session: Session, note: Note, told: str) -> None:
    if session.as_json:
        session.answer(note_values(note))
    else:
        click.echo(told)


def _reserved(file: str) -> Path:
    """Makes the receipt's file before anything is forgotten: what cannot be told must not be done."""
    path = Path(file)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        return path
    raise click.UsageError(f"{file} exists already; a receipt replaces no file")
