"""The graph of a memory for other programs, through networkx: Gephi, yEd, Cytoscape and networkx read GraphML."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, TYPE_CHECKING

from ..store.names import fold
from ..store.note import Fact, Note

if TYPE_CHECKING:
    from networkx import MultiDiGraph

    from ..store.graph import Link

__all__ = ["graph_of", "write_graphml"]


def graph_of(*, notes: Iterable[Note], facts: Iterable[Fact], links: Iterable[Link]) -> MultiDiGraph:
    """Returns notes and names as nodes, facts, mentions and aliases as edges.

    A node has a ``kind`` (``"note"`` or ``"name"``) and a ``label``; an edge has a ``kind`` (``"fact"``, ``"mentions"``
    or ``"alias"``) and a ``label``, and the edge of a fact its validity, confidence and extractor.

    Args:
        notes: whose ids may stand in the links.
        facts: become edges; several may lie between the same two names.
        links: of the graph form; those that are facts are left to ``facts``, which knows more of them.
    """
    import networkx

    graph = networkx.MultiDiGraph()
    for note in notes:
        graph.add_node(note.id, kind="note", label=note.text, speaker=note.speaker, happened=note.happened)

    def node(surface: str) -> str:
        if surface in graph and graph.nodes[surface]["kind"] == "note":
            return surface
        key = f"name:{fold(surface) or surface}"
        if key not in graph:
            graph.add_node(key, kind="name", label=surface)
        return key

    for link in links:
        if link.label in ("mentions", "alias"):
            graph.add_edge(node(link.source), node(link.target), kind=link.label, label=link.label)
    for fact in facts:
        graph.add_edge(
            node(fact.subject),
            node(fact.object),
            kind="fact",
            label=fact.relation,
            valid_from=fact.valid_from,
            valid_to=fact.valid_to,
            superseded=fact.superseded,
            confidence=fact.confidence,
            extractor=fact.extractor,
        )
    return graph


def write_graphml(graph: MultiDiGraph, stream: IO[bytes]) -> None:
    r"""Writes a graph as GraphML; characters that XML cannot hold become escapes such as ``\x1b``."""
    import networkx

    safe = networkx.MultiDiGraph()
    for name, values in graph.nodes(data=True):
        safe.add_node(_safe(name), **{key: _safe(value) for key, value in values.items()})
    for source, target, values in graph.edges(data=True):
        safe.add_edge(_safe(source), _safe(target), **{key: _safe(value) for key, value in values.items()})
    networkx.write_graphml(safe, stream, encoding="utf-8")


def _safe(value: object) -> object:
    """XML 1.0 holds tabs, line breaks and everything from U+0020 on, but for surrogates, U+FFFE and U+FFFF."""
    if not isinstance(value, str):
        return value
    return "".join(c if c in "\t\n" or (c >= " " and c not in "\ufffe\uffff") else ascii(c)[1:-1] for c in value)
