"""The command that lets a language model sum up sessions."""

from __future__ import annotations

import click

from .chat import model_of
from .command import Command, with_session
from .plain import cut, one_line
from .screen import progress, say, show, table, waiting
from .session import Session
from .views import day, note_values

__all__ = ["summarise"]


@click.command(
    cls=Command,
    epilog="""
    tercet summarise --model Qwen/Qwen3-0.6B --dry-run
    tercet summarise --endpoint http://localhost:11434/v1 --model qwen3 --thread chat
    """,
)
@click.option(
    "--model",
    "name",
    metavar="NAME",
    required=True,
    help="A folder, a name on the Hugging Face hub, or the server's name.",
)
@click.option("--endpoint", metavar="URL", help="An OpenAI-compatible server; its key is read from TERCET_API_KEY.")
@click.option("--thread", metavar="NAME", help="Only this conversation.")
@click.option("--least", metavar="N", type=int, default=6, show_default=True, help="Turns that are worth a summary.")
@click.option("--sentences", metavar="N", type=int, default=5, show_default=True, help="Longest summary.")
@click.option("--dry-run", is_flag=True, help="Only say which sessions it would sum up; the model is asked nothing.")
@with_session
def summarise(
    session: Session, name: str, endpoint: str | None, thread: str | None, least: int, sentences: int, dry_run: bool
) -> None:
    """Lets a language model sum up sessions.

    Those that have no summary yet, or one that no longer fits. A summary is a note of origin model that names the
    turns it was made of: it is forgotten with any of them, and stale once one is revised.
    """
    model = model_of(name, endpoint)
    with session.open() as memory:
        with waiting("looking"):
            found = memory.sessions(thread=thread, least=least)
        if dry_run:
            counted = [(one, sum(model.count(turn.text) for turn in one.turns)) for one in found]
        else:
            with progress("summing up", len(found)) as advance:
                made = memory.summarise(model, found, sentences=sentences, on_progress=advance)
    if dry_run:
        if session.as_json:
            session.answer(
                [
                    {"thread": one.thread, "happened": one.happened, "turns": len(one.turns), "tokens": tokens}
                    for one, tokens in counted
                ]
            )
            return
        rows = [
            (one_line(one.thread), day(one.happened), f"{len(one.turns):,}", f"{tokens:,}") for one, tokens in counted
        ]
        show(table("thread", "date", "turns", "tokens", rows=rows, right=("turns", "tokens")))
        say(f"{len(counted):,} sessions, about {sum(tokens for _, tokens in counted):,} tokens of turns")
    elif session.as_json:
        session.answer([note_values(note) for note in made])
    elif made:
        told = [(note.id, day(note.happened), cut(one_line(note.text), 300)) for note in made]
        show(table("id", "date", "summary", rows=told))
    else:
        say("no session needs a summary")
