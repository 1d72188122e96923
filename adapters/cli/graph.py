"""The command graph: the links around a name or behind a recall, as a tree; the whole graph, as a page or GraphML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

from ...store.errors import AdapterError
from .command import Command, with_session
from .files import replacing
from .inputs import text_of
from .plain import cut, one_line
from .screen import say, show, table, waiting
from .session import Session
from .views import day

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from ...sdk.explaining import Explanation
    from ...store.graph import Link
    from ...store.note import Fact, Note

__all__ = ["graph"]

_FACTS, _NEXT, _NOTES, _NAMES = 12, 4, 6, 15  # shown of each
_EVERY_NOTE = 100_000


@dataclass(frozen=True, slots=True)
class _Picture:
    """What a graph is drawn of."""

    notes: Mapping[str, Note]
    facts: Sequence[Fact]
    links: Sequence[Link]  # mentions and aliases; facts know more than their links


@click.command(
    cls=Command,
    epilog="""
    tercet graph --around Ada
    tercet graph --explain "Where does Ada's daughter live?"
    tercet graph --output ada.html
    tercet graph --output ada.graphml
    """,
)
@click.option("--around", metavar="NAME", help="Show the facts, aliases and notes of a name.")
@click.option("--explain", "question", metavar="QUESTION", help="Show the ways that lead to what a read recalls.")
@click.option("-k", "--count", "k", metavar="N", type=int, default=5, show_default=True, help="Most memories recalled.")
@click.option(
    "--output",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write the graph: FILE.html is a page for a browser, any other name GraphML.",
)
@click.option("--yes", is_flag=True, help="Replace FILE without asking.")
@with_session
def graph(session: Session, around: str | None, question: str | None, k: int, file: str | None, yes: bool) -> None:
    """Shows how names and notes are linked.

    Without an option it lists the names with the most links. A page needs no network; with --explain it shows the
    ways to the memories.
    """
    page = file is not None and file.lower().endswith((".html", ".htm"))
    if around is not None and (file is not None or question is not None):
        raise click.UsageError("--around shows one name; leave --output and --explain out")
    if question is not None and file is not None and not page:
        raise click.UsageError(f"{file} would be GraphML, which explains nothing; name a file that ends in .html")
    from ...sdk.explaining import explain
    from ...sdk.links import links

    with session.open() as memory, waiting("drawing"):
        explanation = explain(memory, text_of(question), k=k) if question is not None else None
        if explanation is not None and file is None:
            _show_explanation(session, explanation)
            return
        notes = {note.id: note for note in memory.notes(limit=_EVERY_NOTE)}
        named = [link for link in links(memory) if link.label == "alias" or link.source in notes]
        picture = _Picture(notes, memory.facts(superseded=True), named)
    if file is not None and page:
        _write_page(session, picture, explanation, file, yes=yes)
    elif file is not None:
        _write(session, picture, file, yes=yes)
    elif around is not None:
        _show_around(session, picture, around)
    elif session.as_json:
        session.answer(_values(picture.facts, picture.links))
    else:
        _show_names(picture)


def _show_explanation(session: Session, explanation: Explanation) -> None:
    from .explaining import explained_tree, explained_values

    if session.as_json:
        session.answer(explained_values(explanation))
    elif explanation.recall:
        show(explained_tree(explanation))
    else:
        say("nothing fits")


def _write_page(session: Session, picture: _Picture, explanation: Explanation | None, file: str, *, yes: bool) -> None:
    from ..graph_page import graph_page

    made = graph_page(
        notes=list(picture.notes.values()), facts=picture.facts, links=picture.links, explanation=explanation
    )
    with replacing(file, yes=yes) as stream:
        stream.write(made.html.encode())
    if session.as_json:
        counts = {"names": made.names, "notes": made.notes, "facts": made.facts}
        session.answer({"file": file, **counts, "limits": list(made.limits)})
        return
    click.echo(f"{file}: {made.names:,} names, {made.notes:,} notes, {made.facts:,} facts; open it in a browser")
    for limit in made.limits:
        say(limit)
    if len(picture.notes) == _EVERY_NOTE:
        say(f"only the newest {_EVERY_NOTE:,} notes were looked at")


def _write(session: Session, picture: _Picture, file: str, *, yes: bool) -> None:
    from ..graphml import graph_of, write_graphml

    made = graph_of(notes=picture.notes.values(), facts=picture.facts, links=picture.links)
    with replacing(file, yes=yes) as stream:
        write_graphml(made, stream)
    counts = {"nodes": made.number_of_nodes(), "edges": made.number_of_edges()}
    if session.as_json:
        session.answer({"file": file, **counts})
    else:
        click.echo(f"{file}: {counts['nodes']:,} nodes, {counts['edges']:,} edges")
    if len(picture.notes) == _EVERY_NOTE:
        say(f"only the newest {_EVERY_NOTE:,} notes are in it")


def _show_names(picture: _Picture) -> None:
    counts, surfaces = _degrees(picture)
    rows = [(f"{count:,}", cut(one_line(surfaces[name]), 100)) for name, count in counts.most_common(_NAMES)]
    if not rows:
        say("no names yet")
        return
    show(table("links", "name", rows=rows, right=("links",)))
    notes = "1 note" if len(picture.notes) == 1 else f"{len(picture.notes):,} notes"
    say(f"{len(counts):,} names in {notes}; --around NAME shows one of them")


def _show_around(session: Session, picture: _Picture, around: str) -> None:
    from ...store.names import fold

    counts, surfaces = _degrees(picture)
    name = fold(around)
    if name not in counts:
        close = get_close_matches(name, surfaces, n=3, cutoff=0.5)
        mend = (
            f"did you mean {' or '.join(repr(surfaces[one]) for one in close)}?"
            if close
            else "tercet graph lists names"
        )
        raise AdapterError(f"no name {around!r} in the graph; {mend}")
    facts = [fact for fact in picture.facts if name in (fold(fact.subject), fold(fact.object))]
    links = [link for link in picture.links if name in (fold(link.source), fold(link.target))]
    if session.as_json:
        session.answer(_values(facts, links))
    else:
        show(_tree(picture, name, surfaces[name], facts, links))


def _tree(picture: _Picture, name: str, surface: str, facts: Sequence[Fact], links: Sequence[Link]) -> Tree:
    from rich.text import Text
    from rich.tree import Tree

    from ...store.names import fold

    tree = Tree(Text(one_line(surface), "bold"), guide_style="dim")
    for fact in facts[:_FACTS]:
        branch = tree.add(_told(fact, name))
        other = fold(fact.object) if fold(fact.subject) == name else fold(fact.subject)
        onward = [one for one in picture.facts if fold(one.subject) == other and fold(one.object) != name]
        for one in onward[:_NEXT]:
            branch.add(_told(one, other))
        _more(branch, len(onward) - _NEXT)
    _more(tree, len(facts) - _FACTS)
    for link in links:
        if link.label == "alias":
            other_name = link.target if fold(link.source) == name else link.source
            tree.add(Text.assemble(("maybe the same as ", "dim"), one_line(other_name)))
    said = [picture.notes[link.source] for link in links if link.label == "mentions"]
    if said:
        branch = tree.add(Text(f"in {len(said):,} {'note' if len(said) == 1 else 'notes'}", "dim"))
        for note in said[-_NOTES:]:
            who = f"{one_line(note.speaker)}: " if note.speaker else ""
            branch.add(Text.assemble((f"{day(note.happened)} ", "dim"), who, cut(one_line(note.text), 120)))
        _more(branch, len(said) - _NOTES)
    return tree


def _told(fact: Fact, name: str) -> Text:
    """Returns a fact as seen from one of its sides."""
    from rich.text import Text

    from ...store.names import fold

    away = fold(fact.subject) == name
    relation, other = one_line(fact.relation), one_line(fact.object if away else fact.subject)
    told = Text.assemble((f"{relation} → " if away else f"← {relation} ", "cyan"), other)
    span = [f"since {day(fact.valid_from)}"] if fact.valid_from else []
    span += [f"until {day(fact.valid_to)}"] if fact.valid_to else []
    span += [f"{one_line(fact.extractor)} {fact.confidence:.1f}"] if fact.confidence < 1 else []
    if span:
        told.append(f"  {', '.join(span)}", "dim")
    if fact.superseded:
        told.stylize("dim strike", 0, len(told))
    return told


def _more(tree: Tree, count: int) -> None:
    from rich.text import Text

    if count > 0:
        tree.add(Text(f"and {count:,} more", "dim"))


def _degrees(picture: _Picture) -> tuple[Counter[str], dict[str, str]]:
    """Returns how many links each folded name has, and how it was first written."""
    from ...store.names import fold

    counts: Counter[str] = Counter()
    surfaces: dict[str, str] = {}
    sides = [side for fact in picture.facts for side in (fact.subject, fact.object)]
    sides += [side for link in picture.links for side in (link.source, link.target)]
    for side in _names(sides, picture.notes):
        surfaces.setdefault(fold(side) or side, side)
        counts[fold(side) or side] += 1
    return counts, surfaces


def _names(sides: Sequence[str], notes: Collection[str]) -> list[str]:
    return [side for side in sides if side not in notes]


def _values(facts: Sequence[Fact], links: Sequence[Link]) -> list[dict[str, object]]:
    stated = [
        {
            "source": fact.subject,
            "label": fact.relation,
            "target": fact.object,
            "kind": "fact",
            "valid_from": fact.valid_from,
            "valid_to": fact.valid_to,
            "superseded": fact.superseded,
        }
        for fact in facts
    ]
    return stated + [
        {"source": link.source, "label": link.label, "target": link.target, "kind": link.label} for link in links
    ]
