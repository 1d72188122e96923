"""The graph of a memory as one page for a browser: it needs no network, and nothing but its own script runs in it.

The page is a template and its data. The data is JSON in a block that no browser runs, with every ``<`` escaped, and
enters the page as text only; the policy names the one script and the one style by their hashes.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from ..store.names import fold
from ..store.note import Fact, Note
from .cli.plain import cut, plain, safe_json

if TYPE_CHECKING:
    from ..sdk.explaining import Explanation
    from ..store.graph import Link

__all__ = ["Page", "graph_page"]

_TEMPLATE = Path(__file__).with_name("graph_page.html")
_NAMES = 2_000
_NOTES = 5_000
_FACTS = 20_000
_DRAWN = 2_000  # notes as points of the picture
_LONGEST = 1_000  # characters of a note
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Page:
    """A page, and how much is in it.

    Attributes:
        html: the whole page.
        names: how many names it holds.
        notes: how many notes.
        facts: how many facts.
        limits: what was left out, a sentence each; the page says the same.
    """

    html: str
    names: int
    notes: int
    facts: int
    limits: tuple[str, ...]


def graph_page(
    *,
    notes: Sequence[Note],
    facts: Sequence[Fact],
    links: Iterable[Link],
    explanation: Explanation | None = None,
) -> Page:
    """Returns the page of a graph: the best-linked names with their facts and notes, the rest counted and left out.

    Args:
        notes: newest first.
        facts: the surest first, with those whose time is over.
        links: of the graph form; only mentions and aliases are taken, facts know more than their links.
        explanation: of a recall, to be highlighted; what it names is never left out.
    """
    graph = _Graph(notes, facts, links)
    chosen = _Chosen(graph, explanation)
    limits = chosen.limits()
    values = {
        "names": chosen.name_values(),
        "notes": chosen.note_values(),
        "facts": chosen.fact_values(),
        "mentions": [side for note, name in chosen.mentions for side in (note, name)],
        "aliases": chosen.aliases,
        "most_drawn": _DRAWN,
        "limits": [f"{len(graph.notes):,} notes, {len(graph.degrees):,} names, {len(facts):,} facts", *limits],
        "explained": _explained(explanation, chosen) if explanation else None,
    }
    return Page(_filled(values), len(chosen.names), len(chosen.notes), len(chosen.facts), limits)


class _Graph:
    """Everything there is, before anything is left out."""

    def __init__(self, notes: Sequence[Note], facts: Sequence[Fact], links: Iterable[Link]) -> None:
        self.notes = {note.id: note for note in notes}
        self.facts = facts
        self.surfaces: dict[str, str] = {}
        self.degrees: Counter[str] = Counter()
        self.mentions: list[tuple[str, str]] = []
        self.aliases: list[tuple[str, str]] = []
        for link in links:
            if link.label == "mentions" and link.source in self.notes:
                self.mentions.append((link.source, self._counted(link.target)))
            elif link.label == "alias" and link.source not in self.notes:
                self.aliases.append((self._counted(link.source), self._counted(link.target)))
        for fact in facts:
            self._counted(fact.subject)
            self._counted(fact.object)
        self.speakers = {_key(note.speaker) for note in notes if note.speaker}

    def _counted(self, surface: str) -> str:
        key = _key(surface)
        self.surfaces.setdefault(key, surface)
        self.degrees[key] += 1
        return key


class _Chosen:
    """What is in the page; names, notes and facts are numbered in their order."""

    def __init__(self, graph: _Graph, explanation: Explanation | None) -> None:
        self._graph = graph
        named = {_key(name) for name in _named(explanation)} & graph.degrees.keys()
        best = [name for name, _ in graph.degrees.most_common(_NAMES)]
        self.names = {name: place for place, name in enumerate(dict.fromkeys([*sorted(named), *best]))}
        linked = {note for note, name in graph.mentions if name in self.names}
        linked |= {id for fact in graph.facts for id in fact.notes if self._holds(fact)}
        came = [found.note for found in explanation.recall] if explanation else []
        wanted = [note for note in graph.notes.values() if note.id in linked][:_NOTES]
        kept = {note.id: note for note in (*came, *wanted)}
        # in the order they were written, so that the newest of a day can be told
        self.notes = {note.id: place for place, note in enumerate(sorted(kept.values(), key=lambda note: note.num))}
        self._kept = kept
        self.facts = [fact for fact in graph.facts if self._holds(fact)][:_FACTS]
        self.mentions = [
            (self.notes[note], self.names[name])
            for note, name in graph.mentions
            if note in self.notes and name in self.names
        ]
        self.aliases = [
            (self.names[one], self.names[other])
            for one, other in graph.aliases
            if one in self.names and other in self.names
        ]

    def _holds(self, fact: Fact) -> bool:
        return _key(fact.subject) in self.names and _key(fact.object) in self.names

    def limits(self) -> tuple[str, ...]:
        """Returns what is left out, in words."""
        graph = self._graph
        counted = (
            ("best-linked", len(self.names), len(graph.degrees), "names"),
            ("newest", len(self.notes), len(graph.notes), "notes"),
            ("surest", len(self.facts), len(graph.facts), "facts"),
        )
        told = [
            f"only the {kept:,} {which} of {every:,} {what} are in this page"
            for which, kept, every, what in counted
            # notes that mention nothing have no place in a graph
            if kept < every and (what != "notes" or kept >= _NOTES)
        ]
        return tuple(told)

    def name_values(self) -> list[dict[str, object]]:
        graph = self._graph
        return [
            {
                "label": cut(plain(graph.surfaces[name]), _LONGEST_NAME),
                "links": graph.degrees[name],
                "speaker": name in graph.speakers,
            }
            for name in self.names
        ]

    def note_values(self) -> list[dict[str, object]]:
        return [
            {
                "id": note.id,
                "text": cut(plain(note.text), _LONGEST),
                "speaker": cut(plain(note.speaker), _LONGEST_NAME),
                "day": note.happened[:10],
            }
            for note in (self._kept[id] for id in self.notes)
        ]

    def fact_values(self) -> list[dict[str, object]]:
        return [
            {
                "s": self.names[_key(fact.subject)],
                "o": self.names[_key(fact.object)],
                "relation": cut(plain(fact.relation), _LONGEST_NAME),
                "from": fact.valid_from,
                "to": fact.valid_to,
                "over": fact.superseded,
                "sure": fact.confidence,
                "by": cut(plain(fact.extractor), _LONGEST_NAME),
                "support": len(fact.notes),
                "notes": [self.notes[id] for id in fact.notes if id in self.notes],
            }
            for fact in self.facts
        ]


def _key(surface: str) -> str:
    return fold(surface) or surface


def _named(explanation: Explanation | None) -> list[str]:
    if explanation is None:
        return []
    return [*explanation.names, *(name for found in explanation.recall for name in found.why.path[::2])]


def _explained(explanation: Explanation, chosen: _Chosen) -> dict[str, object]:
    def placed(names: Sequence[str]) -> list[int]:
        return [chosen.names[_key(name)] for name in names if _key(name) in chosen.names]

    return {
        "question": plain(explanation.recall.cue),
        "starts": placed(explanation.names),
        "found": [
            {
                "note": chosen.notes[found.note.id],
                "score": found.score,
                "votes": list(found.why.votes.items()),
                "way": plain(found.why.way) if len(found.why.path) > 1 else "",
                "path": placed(found.why.path[::2]),
            }
            for found in explanation.recall
        ],
    }


def _filled(values: Mapping[str, object]) -> str:
    template = _TEMPLATE.read_text("utf-8")
    policy = (
        f"default-src 'none'; script-src {_hash_of('script', template)}; style-src {_hash_of('style', template)}; "
        "base-uri 'none'; form-action 'none'"
    )
    data = safe_json(values, indent=None)
    for char in "<>&":
        data = data.replace(char, f"\\u{ord(char):04x}")
    # the data last: whatever it holds is never taken for a place to fill
    return template.replace("{{policy}}", policy, 1).replace("{{data}}", data, 1)


def _hash_of(tag: str, template: str) -> str:
    found = re.findall(f"<{tag}>(.*?)</{tag}>", template, re.DOTALL)
    return " ".join(f"'sha256-{b64encode(sha256(one.encode()).digest()).decode()}'" for one in found)
