"""The path that explains a recall, as a tree: from the names of the question along facts and links to the memories."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from .plain import cut, one_line
from .reading import recall_values
from .views import day

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from ...sdk.explaining import Explanation, Walked
    from ...sdk.recall import Recollection

__all__ = ["explained_tree", "explained_values"]

_LONGEST = 160  # characters of a memory


def explained_tree(explanation: Explanation) -> Tree:
    """Returns the ways from the question to the memories; what several ways share is drawn once."""
    from rich.text import Text
    from rich.tree import Tree

    tree = Tree(Text(one_line(explanation.recall.cue), "bold"), guide_style="dim")
    drawn: dict[tuple[str, ...], Tree] = {}
    for name in explanation.names:
        drawn[(name,)] = tree.add(Text(one_line(name), "cyan"))
    alone: list[Recollection] = []
    for found, way in zip(explanation.recall, explanation.ways, strict=True):
        if not found.why.path:
            alone.append(found)
            continue
        place = found.why.path[:1]
        if place not in drawn:
            drawn[place] = tree.add(Text(one_line(place[0]), "cyan"))
        for step in way:
            branch, place = drawn[place], (*place, step.relation, step.target)
            if place not in drawn:
                drawn[place] = branch.add(_walked(step))
        drawn[place].add(_memory(found))
    for name in explanation.names:
        if not drawn[(name,)].children:
            drawn[(name,)].add(Text("leads to none of the memories below", "dim"))
    if alone:
        branch = tree.add(Text("found by their words alone, no link leads there", "dim"))
        for found in alone:
            branch.add(_memory(found))
    return tree


def explained_values(explanation: Explanation) -> dict[str, object]:
    """Returns an explanation as JSON values."""
    return {
        "names": list(explanation.names),
        "found": [
            {**values, "walked": [asdict(step) for step in way]}
            for values, way in zip(recall_values(explanation.recall), explanation.ways, strict=True)
        ],
    }


def _walked(step: Walked) -> Text:
    from rich.text import Text

    if step.relation == "alias":
        return Text.assemble(("maybe the same as ", "dim"), one_line(step.target))
    relation = one_line(step.relation)
    told = Text.assemble((f"← {relation} " if step.backward else f"{relation} → ", "cyan"), one_line(step.target))
    if step.fact:
        more = f" +{len(step.fact.notes) - 1}" if len(step.fact.notes) > 1 else ""
        told.append(f"  {step.fact.notes[0]}{more}", "dim")
        if step.fact.superseded:
            told.stylize("strike")
    return told


def _memory(found: Recollection) -> Text:
    from rich.text import Text

    note, votes = found.note, " · ".join(f"{name} {vote:.2f}" for name, vote in found.why.votes.items())
    who = f"{one_line(note.speaker)}: " if note.speaker else ""
    return Text.assemble(
        (f"{found.score:.2f} ", "bold green"),
        (f"{day(note.happened)} " if note.happened else "", "dim"),
        who,
        cut(one_line(note.text), _LONGEST),
        (f"\n{note.id} · {votes}", "dim"),
    )
