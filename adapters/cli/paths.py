"""Chains of facts that fit a pattern, and names that may mean the same one, for people and as JSON values."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from .plain import cut, one_line
from .screen import say, show, table
from .session import Session
from .views import day, fact_values

if TYPE_CHECKING:
    from rich.tree import Tree

    from ...sdk.memory import Memory
    from ...store.paths import Path

__all__ = ["answer_aliases", "answer_pattern"]

_SHOWN = 20  # chains
_PAIRS = 50  # names that are alike
_NOTES = 2  # under each step
_LONGEST = 160  # characters of a note


def answer_pattern(
    session: Session,
    memory: Memory,
    pattern: str,
    *,
    as_of: str | None,
    known_at: str | int | None,
    superseded: bool,
) -> None:
    """Prints the chains that fit a pattern; where none does, whether facts that are stated the other way round do."""
    found = memory.paths(pattern, as_of=as_of, known_at=known_at, superseded=superseded)
    if session.as_json:
        session.answer({"paths": [_values(path) for path in found], "cut": found.cut})
        return
    for path in found[:_SHOWN]:
        show(_tree(memory, path))
    if found:
        hidden = len(found) - len(found[:_SHOWN])
        if hidden or found.cut:
            counted = f"{hidden:,} more fit" if not found.cut else f"at least {hidden:,} more fit; there may be others"
            say(f"{counted}; --json lists up to 100")
        return
    turned = memory.paths(pattern, as_of=as_of, known_at=known_at, superseded=superseded, either_way=True, limit=1)
    if turned:
        say(f"nothing fits; the other way round this does: {one_line(str(turned[0]))}")
        say("> walks from subject to object, < from object to subject, - either way")
    else:
        say("nothing fits" + ("; a name has too many facts to try them all" if found.cut or turned.cut else ""))


def answer_aliases(session: Session, memory: Memory) -> None:
    """Prints pairs of names that may mean the same one; nothing is merged."""
    from ...sdk.alike import alike

    found = alike(memory)
    if session.as_json:
        session.answer([asdict(pair) for pair in found])
    elif found:
        rows = [
            (f"{pair.links:,}", pair.why, cut(one_line(pair.name), 60), cut(one_line(pair.other), 60))
            for pair in found[:_PAIRS]
        ]
        show(table("links", "why", "name", "may be", rows=rows, right=("links",)))
        more = f" of {len(found):,}; --json lists them all" if len(found) > _PAIRS else ""
        say(f"{len(rows):,} proposals{more}; nothing is merged")
    else:
        say("no two names are alike")


def _tree(memory: Memory, path: Path) -> Tree:
    from rich.text import Text
    from rich.tree import Tree

    told = Text(one_line(str(path)), "bold")
    if path.confidence < 1:
        told.append(f"  sure {path.confidence:.2f}", "dim")
    tree = Tree(told, guide_style="dim")
    for step in path.steps:
        fact = step.fact
        said = Text(one_line(f"{fact.subject} {fact.relation} {fact.object}"))
        span = [f"since {day(fact.valid_from)}"] if fact.valid_from else []
        span += [f"until {day(fact.valid_to)}"] if fact.valid_to else []
        if span:
            said.append(f"  {', '.join(span)}", "dim")
        if fact.superseded:
            said.stylize("dim strike")
        branch = tree.add(said)
        for id in fact.notes[:_NOTES]:
            note = memory.get(id)
            who = f"{one_line(note.speaker)}: " if note.speaker else ""
            branch.add(
                Text.assemble(
                    (f"{note.id} {day(note.happened)} ".replace("  ", " "), "dim"),
                    who,
                    cut(one_line(note.text), _LONGEST),
                )
            )
        if len(fact.notes) > _NOTES:
            branch.add(Text(f"and {len(fact.notes) - _NOTES:,} more notes", "dim"))
    return tree


def _values(path: Path) -> dict[str, object]:
    return {
        "found": list(path.found),
        "confidence": path.confidence,
        "steps": [{**fact_values(step.fact), "backward": step.backward} for step in path.steps],
    }
