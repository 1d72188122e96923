"""Commands that show what is remembered: read, show, list, facts, stats."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import click

from . import inputs
from .command import Command, with_session
from .plain import cut, one_line, plain
from .screen import labelled, say, show, table, waiting
from .session import Session
from .views import day, fact_values, facts_rows, marks, note_values, notes_rows

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from ...sdk.recall import Recall, Recollection

__all__ = ["facts", "list_", "read", "recall_table", "recall_values", "show_", "stats", "told"]

_LONGEST = 600  # characters of a text in an answer
_LISTED = 100_000  # the most that Memory.notes gives


@click.command(
    cls=Command,
    epilog="""
    tercet read "Where does Ada live?"
    tercet read "Where did Ada live?" --as-of 2023-12-31 -k 3
    tercet read "Where does Ada live?" --prompt --budget 400
    """,
)
@click.argument("question")
@click.option("-k", "--count", "k", metavar="N", type=int, default=5, show_default=True, help="Most memories.")
@click.option("--as-of", metavar="DATE", help="Only what had happened by then.")
@click.option("--known-at", metavar="DATE", help="Only what was known by then; change:12 names a change.")
@click.option("--budget", metavar="TOKENS", type=int, help="Most tokens of all memories together.")
@click.option("--origin", "origins", metavar="NAME", multiple=True, help="Only of this origin; may be repeated.")
@click.option("--by", metavar="FORMS", help="Which forms vote, out of words,vectors,triplets,graph.  [default: all]")
@click.option("--least", metavar="CHANCE", type=float, default=0.0, help="Nothing where less likely on it, 0 to 1.")
@click.option("--diversity", metavar="SHARE", type=float, default=0.0, help="How much repetition steps back, 0 to 1.")
@click.option("--prompt", is_flag=True, help="Print the block for a model's prompt instead.")
@with_session
def read(
    session: Session,
    question: str,
    k: int,
    as_of: str | None,
    known_at: str | None,
    budget: int | None,
    origins: tuple[str, ...],
    by: str | None,
    least: float,
    diversity: float,
    prompt: bool,
) -> None:
    """Recalls what fits a QUESTION, and says why.

    The best comes first. A QUESTION of - is read from standard input.
    """
    from rich.text import Text

    from ...sdk.reading import FORMS

    moment, asked = inputs.known(known_at), inputs.text_of(question)
    forms = [form.strip() for form in by.split(",")] if by else FORMS
    with session.open() as memory, waiting("reading"):
        recall = memory.read(
            asked,
            k=k,
            as_of=as_of,
            known_at=moment,
            origins=origins or None,
            budget=None if prompt else budget,
            by=forms,
            least=least,
            diversity=diversity,
        )
    block = recall.prompt(budget=budget) if prompt else ""
    if session.as_json:
        session.answer({"prompt": block} if prompt else recall_values(recall))
    elif prompt:
        click.echo(block, nl=bool(block))
    elif recall:
        show(recall_table(recall))
        for answer in recall.answers[:1]:
            show(
                Text.assemble("the facts lead to ", (one_line(answer.name), "bold"), f"  {one_line(str(answer.path))}")
            )
    else:
        say("nothing fits")


def recall_table(recall: Recall) -> Table:
    """Returns a recall for people: score, date, speaker, and the memory with the reasons why it came."""
    rows = [
        (f"{found.score:.2f}", day(found.note.happened), cut(one_line(found.note.speaker), 20), told(found))
        for found in recall
    ]
    return table("score", "date", "speaker", "memory", rows=rows, right=("score",))


def told(found: Recollection) -> Text:
    """Returns a memory with the reasons why it came: its text, its id with the votes, and the path."""
    from rich.text import Text

    votes = " · ".join(f"{name} {vote:.2f}" for name, vote in found.why.votes.items())
    cell = Text(marks(found.note) + cut(plain(found.note.text), _LONGEST))
    cell.append(f"\n{found.note.id} · {votes}", "dim")
    if len(found.why.path) > 1:
        cell.append(f"\n{one_line(found.why.way)}", "cyan")
    return cell


def recall_values(recall: Recall) -> list[dict[str, object]]:
    """Returns a recall as JSON values."""
    return [
        {
            "score": found.score,
            "votes": dict(found.why.votes),
            "path": list(found.why.path),
            "note": note_values(found.note),
        }
        for found in recall
    ]


@click.command(
    "show",
    cls=Command,
    epilog="""
    tercet show 3f2a9c1e5b7d8e90
    """,
)
@click.argument("id")
@with_session
def show_(session: Session, id: str) -> None:
    """Shows everything about a note."""
    with session.open() as memory:
        note = memory.get(id)
        made = [fact for fact in memory.facts(superseded=True) if note.id in fact.notes]
        read = memory.extracted(note.id)
    if session.as_json:
        supports = {"supports": [fact_values(fact) for fact in made], "extracted": [asdict(one) for one in read]}
        session.answer(note_values(note) | supports)
        return
    placed = f"{one_line(note.thread)}, turn {note.position}" if note.thread else ""
    click.echo(f"{plain(note.text)}\n")  # as it is, however long its lines are
    show(
        labelled(
            [
                ("id", note.id),
                ("scope", note.scope),
                ("speaker", one_line(note.speaker)),
                ("happened", note.happened),
                ("thread", placed),
                ("source", one_line(note.source)),
                ("origin", note.origin),
                ("known", f"{note.known} UTC, change {note.change}"),
                ("retired", f"by change {note.retired}" if note.retired else ""),
                ("replaces", note.replaces or ""),
                ("made of", " ".join(note.parents)),
                ("stale", "what it was made of no longer says the same" if note.stale else ""),
                ("held", f"in quarantine since change {note.held}" if note.held else ""),
                ("key", one_line(note.key or "")),
                ("metadata", _short_json(note.metadata)),
                *(("fact", row[-1]) for row in facts_rows(made)),
                *(
                    (
                        "a model read",
                        one_line(f"{one.fact.subject} {one.fact.relation} {one.fact.object}: “{one.span}”"),
                    )
                    for one in read
                ),
            ]
        )
    )


@click.command(
    "list",
    cls=Command,
    epilog="""
    tercet list --speaker Ada --limit 50
    tercet list --json | jq -r '.[].text'
    """,
)
@click.option("--speaker", metavar="NAME", help="Only what this one said.")
@click.option("--thread", metavar="NAME", help="Only this conversation.")
@click.option("--source", metavar="WHERE", help="Only from there.")
@click.option("--origin", "origins", metavar="NAME", multiple=True, help="Only of this origin; may be repeated.")
@click.option("--held", is_flag=True, help="Only what is in quarantine, which nothing else shows.")
@click.option("--limit", metavar="N", type=int, default=20, show_default=True, help="At most so many.")
@click.option("--as-of", metavar="DATE", help="Only what had happened by then.")
@click.option("--known-at", metavar="DATE", help="Only what was known by then; change:12 names a change.")
@with_session
def list_(
    session: Session,
    speaker: str | None,
    thread: str | None,
    source: str | None,
    origins: tuple[str, ...],
    held: bool,
    limit: int,
    as_of: str | None,
    known_at: str | None,
) -> None:
    """Lists notes, newest first."""
    moment = inputs.known(known_at)
    with session.open() as memory:
        chosen = partial(
            memory.notes,
            speaker=speaker,
            thread=thread,
            source=source,
            origins=origins or None,
            held=held,
            as_of=as_of,
            known_at=moment,
        )
        notes = chosen(limit=limit)
        more = len(notes) == limit and len(chosen(limit=min(limit + 1, _LISTED))) > limit
    if session.as_json:
        session.answer([note_values(note) for note in notes])
    elif notes:
        show(table("id", "date", "speaker", "text", rows=notes_rows(notes)))
        if more:
            say(f"the newest {limit:,}; --limit shows more")
    else:
        say("no notes")


@click.command(
    cls=Command,
    epilog="""
    tercet facts --subject Ada --relation "lives in"
    tercet facts --subject Ada --as-of 2023-12-31
    tercet facts --pattern "? lives in Lisbon"
    tercet facts --pattern "Ada < daughter of < ? > lives in > ?"
    tercet facts --aliases
    """,
)
@click.option("--subject", metavar="NAME", help="Only about this one.")
@click.option("--relation", metavar="WORDS", help="Only this relation.")
@click.option("--object", metavar="NAME", help="Only with this object.")
@click.option("--pattern", metavar="PATTERN", help="Names and relations in turn, with ? for what is asked.")
@click.option("--aliases", is_flag=True, help="List names that may mean the same one instead; nothing is merged.")
@click.option("--as-of", metavar="DATE", help="What was true then.")
@click.option("--known-at", metavar="DATE", help="What was known then; change:12 names a change.")
@click.option("--all", "superseded", is_flag=True, help="Also facts whose time is over.")
@with_session
def facts(
    session: Session,
    subject: str | None,
    relation: str | None,
    object: str | None,
    pattern: str | None,
    aliases: bool,
    as_of: str | None,
    known_at: str | None,
    superseded: bool,
) -> None:
    """Lists facts, and the notes that say so.

    In a PATTERN > walks a fact from subject to object, < from object to subject, and - either way.
    """
    moment = inputs.known(known_at)
    if pattern is not None and (subject, relation, object) != (None, None, None):
        raise click.UsageError("--pattern names what is asked itself; leave --subject, --relation and --object out")
    if aliases and any((subject, relation, object, pattern, as_of, known_at, superseded)):
        raise click.UsageError("--aliases lists names; leave the other options out")
    with session.open() as memory:
        if aliases:
            from .paths import answer_aliases

            answer_aliases(session, memory)
            return
        if pattern is not None:
            from .paths import answer_pattern

            answer_pattern(session, memory, pattern, as_of=as_of, known_at=moment, superseded=superseded)
            return
        found = memory.facts(
            subject=subject, relation=relation, object=object, as_of=as_of, known_at=moment, superseded=superseded
        )
    if session.as_json:
        session.answer([fact_values(fact) for fact in found])
    elif found:
        show(table("since", "until", "sure", "note", "fact", rows=facts_rows(found)))
    else:
        say("no facts")


@click.command(
    cls=Command,
    epilog="""
    tercet stats --scope ada
    """,
)
@with_session
def stats(session: Session) -> None:
    """Shows how much is remembered.

    Each form is made of the notes and says up to which change it has followed them.
    """
    with session.open() as memory:
        found = memory.stats()
    if session.as_json:
        session.answer(asdict(found))
        return
    show(
        labelled(
            [
                ("notes", f"{found.notes:,} in scope {session.scope}"),
                ("facts", f"{found.facts:,} that hold now"),
                ("size", f"{found.bytes / 1e6:,.1f} MB, the whole store"),
                ("change", f"{found.change:,}, the newest"),
            ]
        ),
        "",
        table(
            "form",
            "items",
            "seen up to change",
            rows=[(name, f"{form.count:,}", f"{form.applied:,}") for name, form in found.forms.items()],
            right=("items",),
        ),
    )


def _short_json(value: object) -> str:
    from .plain import safe_json

    return safe_json(value, indent=None) if value else ""
