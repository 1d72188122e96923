"""What a model learns calls from: dialogues in which it looks up what it is asked, and writes what it is told.

Laid out as `CallEngine` runs them: the call is the model's, what comes of it is not, and is no part of the loss.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".dev"))

from tercet.engines.calls.grammar import Call, format_call
from tercet.engines.calls.outcome import Outcome, format_outcome

from ..worlds import Fact, Question, Told, World
from ..worlds.world import ME
from .documents import Answer, Document, Writer

__all__ = ["called_document", "calls_of"]

CALLED = "called"
"""The kind of answers that are calls."""


def called_document(writer: Writer, random: Random, world: World) -> Document:
    """Returns a dialogue without memories, in which each question is looked up and some notes are written."""
    document = Document()
    document.add([writer.bos], weight=0.0, place=0)
    known = {(fact.subject, fact.relation): fact for told in world.notes for fact in told.facts}
    told = [note for note in world.notes if note.speaker == ME and note.facts]
    turns: list[Question | Told] = [*world.questions, *random.sample(told, min(1, len(told)))]
    random.shuffle(turns)
    for turn in turns:
        outcomes = list(calls_of(turn, known))
        if not outcomes:
            continue
        document.add(writer.encode(f"<|user|> {turn.text}"), weight=0.05)
        document.add([writer.assistant], weight=0.0)
        for outcome in outcomes:
            _add(document, writer.encode(f" {format_call(outcome.call)}"), CALLED)
            document.add(writer.encode(format_outcome(outcome)), weight=0.0)
        said, kind = (turn.answer, turn.kind) if isinstance(turn, Question) else ("I will remember that", "statement")
        _add(document, [*writer.encode(f" {said}."), writer.eos], f"{kind}, {CALLED}")
    return document


def calls_of(turn: Question | Told, known: dict[tuple[str, str], Fact]) -> Iterator[Outcome]:
    """Yields the calls that answer a question or keep a note, with what comes of them; none where calls cannot."""
    if isinstance(turn, Told):
        for told in turn.facts:
            yield Outcome(Call("write", told.subject, told.relation, told.value), "written")
        return
    kind, subject, *rest = turn.ask
    relations = {"value": rest, "before": ["lived"], "is": rest[:1]}.get(kind, [])
    facts: list[Fact] = []
    for relation in relations:
        fact = known.get((facts[-1].value if facts else subject, relation))
        if fact is None:
            return
        facts.append(fact)
    for one in facts:
        yield Outcome(Call("read", one.subject, one.relation, None), "found", (one.value,))


def _add(document: Document, tokens: list[int], kind: str) -> None:
    place = len(document.tokens)
    document.answers.append(Answer(place, place + len(tokens), kind))
    document.add(tokens, weight=1.0)
