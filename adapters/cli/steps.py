"""The steps of the demo: each does one thing with the memory, and tells it to people and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from .care import gate_told
from .chat import STORIES, STORIES_CANNOT
from .plain import cut, one_line
from .reading import recall_table, recall_values
from .screen import console, progress, table, waiting
from .views import day
from .worddiff import word_diff
from .writing import receipt_told

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from ...sdk.memory import Memory
    from ...sdk.recall import Recall
    from ..dialogues import Transcript

__all__ = [
    "ALLERGY",
    "BLOOD",
    "HOUSE",
    "Stage",
    "Told",
    "attend",
    "facts",
    "forget",
    "forget_house",
    "graph",
    "read",
    "revise",
    "write",
]

ALLERGY = "What is Nora allergic to?"
BLOOD = "How often are Juno's blood tests now?"
HOUSE = "Which house did Nora move into?"
_TOWN = "In which town does Lena work?"
_BAR = 20  # characters


@dataclass(frozen=True, slots=True)
class Stage:
    """What the steps work with."""

    memory: Memory
    transcript: Transcript


@dataclass(frozen=True, slots=True)
class Told:
    """What a step found.

    Attributes:
        shown: for people.
        values: the same as JSON values.
    """

    shown: Sequence[RenderableType]
    values: Mapping[str, object]


def write(stage: Stage) -> Told:
    """Writes every turn of the dialogue."""
    turns = stage.transcript.turns
    drafts: list[Mapping[str, Any]] = [{**turn, "key": turn["source"], "origin": "import"} for turn in turns]
    began = monotonic()
    with progress("remembering", len(drafts)) as advance:
        notes = stage.memory.write_many(drafts, on_progress=advance)
    seconds = monotonic() - began
    stats = stage.memory.stats()
    held = {name: form.count for name, form in stats.forms.items()}
    days = sorted(day(note.happened) for note in notes if note.happened)
    speakers = " and ".join(sorted({one_line(note.speaker) for note in notes}))
    when = f", from {days[0]} to {days[-1]}" if days else ""
    return Told(
        [
            f"{len(notes):,} turns of {speakers}{when}, in {seconds:.1f} s",
            f"made of them: {held['vectors']:,} vectors, {held['triplets']:,} triplets, {held['graph']:,} links",
        ],
        {"notes": len(notes), "forms": held, "bytes": stats.bytes},
    )


def read(stage: Stage, *, question: str) -> Told:
    """Asks, and shows whether the turns that answer it came back."""
    with waiting("reading"):
        recall = stage.memory.read(question, k=5)
    evidence = next((one.evidence for one in stage.transcript.questions if one.text == question), ())
    answer = next((one.answer for one in stage.transcript.questions if one.text == question), "")
    found = sorted({note.source for note in recall.notes} & set(evidence))
    return Told(
        [_asked(question), recall_table(recall[:2]), *_evidence(answer, len(found), len(evidence))],
        {
            "question": question,
            "answer": answer,
            "evidence": list(evidence),
            "found": found,
            "recall": recall_values(recall),
        },
    )


def facts(stage: Stage) -> Told:
    """Asks the same fact as of two dates, and shows what superseded what."""
    moments = ("2024-06-01", "2024-12-01")
    found = {
        moment: stage.memory.facts(subject="Nora", relation="lives in", as_of=moment)[0].object for moment in moments
    }
    every = stage.memory.facts(subject="Nora", relation="lives in", superseded=True)
    spans = [(fact.object, day(fact.valid_from), day(fact.valid_to)) for fact in every]
    return Told(
        [
            table(
                "Nora lives in",
                "since",
                "until",
                "as of",
                rows=[
                    (one_line(place), since, until, ", ".join(moment for moment in moments if found[moment] == place))
                    for place, since, until in sorted(spans, key=lambda span: span[1])
                ],
            )
        ],
        {"as_of": found, "facts": [asdict(fact) for fact in every]},
    )


def graph(stage: Stage) -> Told:
    """Asks what only two memories together answer."""
    with waiting("reading"):
        recall = stage.memory.read(_TOWN, k=3)
    best, *_ = recall.answers
    return Told(
        [
            _asked(_TOWN),
            recall_table(recall),
            f"{one_line(best.name)}: one memory names the bakery, another its town; a fact links them.",
            f"The way there: {one_line(str(best.path))}",
        ],
        {"question": _TOWN, "recall": recall_values(recall), "answer": best.name, "way": best.path.told},
    )


def attend(stage: Stage, *, question: str) -> Told:
    """Puts memories into the attention of the small model, and shows how much each of them got."""
    from rich.text import Text

    from ...engines.chat import Message
    from ...engines.local_model import LocalModel

    model = LocalModel(STORIES)
    recall = stage.memory.read(question, k=3)
    with waiting("examining the model"):
        report = model.attention.report
        with recall.attend(model) as attention:
            said = model.generate([Message("user", question)], max_tokens=24)
    shares = attention.masses
    return Told(
        [
            gate_told(report),
            "",
            _asked(question),
            _bars(shares, recall),
            f"The other {attention.local:.1%} stayed with the question.",
            f"The model goes on: “{cut(one_line(said), 80)} …”",
            Text(STORIES_CANNOT, "yellow"),
        ],
        {
            "model": model.name,
            "gate": report.as_dict(),
            "question": question,
            "attention": [
                {"note": note.id, "text": note.text, "share": share}
                for note, share in zip(recall.notes, shares, strict=True)
            ],
            "local": attention.local,
            "said": said,
        },
    )


def revise(stage: Stage) -> Told:
    """Puts new words in the place of a memory's, and reads again."""
    with waiting("revising"):
        old = stage.memory.read(BLOOD, k=1)[0].note
        new = stage.memory.revise(old.id, old.text.replace("every three months", "every four months"))
        recall = stage.memory.read(BLOOD, k=1)
    return Told(
        [
            word_diff(old.text, new.text, coloured=console().color_system is not None),
            _asked(BLOOD),
            recall_table(recall),
        ],
        {"old": old.id, "new": new.id, "text": new.text, "question": BLOOD, "recall": recall_values(recall)},
    )


def forget(stage: Stage, *, question: str) -> Told:
    """Forgets what answers a question best, erases its bytes, and asks again."""
    with waiting("forgetting"):
        doomed = stage.memory.read(question, k=1)[0].note
        receipt = stage.memory.forget(doomed.id, erase=True)
        recall = stage.memory.read(question, k=2)
    return Told(
        [
            f"{doomed.id}: “{cut(one_line(doomed.text), 200)}”",
            *receipt_told(receipt),
            "",
            _asked(question),
            recall_table(recall),
        ],
        {"receipt": receipt.as_dict(), "question": question, "recall": recall_values(recall)},
    )


def forget_house(stage: Stage) -> Told:
    """Forgets where Nora moved to: what only that memory said is gone, and what it had superseded holds again."""
    told = forget(stage, question=HOUSE)
    home = stage.memory.facts(subject="Nora", relation="lives in")[0]
    line = f"What stood on that memory alone is gone with it: as far as is known now, Nora lives in {home.object}."
    return Told([*told.shown, line], {**told.values, "facts": [asdict(home)]})


def _asked(question: str) -> RenderableType:
    from rich.text import Text

    return Text.assemble(("? ", "cyan"), one_line(question))


def _evidence(answer: str, found: int, every: int) -> list[RenderableType]:
    """Returns whether the turns that answer a question came back; nothing where the file does not name them."""
    from rich.text import Text

    if not every:
        return []
    mark = ("✓", "green") if found == every else ("✗", "yellow")
    turns = "turn that answers" if every == 1 else "turns that answer"
    expected = f"; expected: {one_line(answer)}" if answer else ""
    return [Text.assemble(mark, f" {found} of {every} {turns} it among the 5 best{expected}")]


def _bars(shares: Sequence[float], recall: Recall) -> Table:
    """Returns the memories' shares of the attention as bars; the longest is as long as a bar can be."""
    from rich.text import Text

    longest = max(shares)
    rows = [
        (
            f"{share:.1%}",
            Text("█" * max(1, round(_BAR * share / longest)), "cyan"),
            cut(f"{one_line(note.speaker)}: {one_line(note.text)}", 100),
        )
        for share, note in zip(shares, recall.notes, strict=True)
    ]
    return table("attention", "", "memory", rows=rows, right=("attention",))
