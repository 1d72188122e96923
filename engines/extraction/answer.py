"""What a model answered, checked: facts that their note supports, and what was refused, with the reason.

A fact is believed where the words that it rests on stand in its note. One whose subject or object the note does not
name (nor its speaker is) is kept with less confidence: a model may have concluded it, or made it up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...store.draft import checked_moment, checked_triplet
from ...store.errors import ExtractionError, InvalidInput, StoreError
from ...store.extracted import Extracted
from ...store.names import fold
from ...store.note import Note, Triplet
from ...store.shown import shown
from ...store.strict_json import loads_strict

__all__ = ["FIELDS", "Refusal", "checked_answer", "excerpt_of"]

FIELDS = ("note", "subject", "relation", "object", "since", "until", "span")
"""What a fact of an answer has, each a string."""
_NAMED, _CONCLUDED = 0.8, 0.5  # confidence; what a caller states has 1, what rules find at most 0.6
_EXCERPT = 200
_ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4})+")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that a model said and that was not believed.

    Attributes:
        note: id of the note, or empty where it is not known.
        why: the reason.
        said: the beginning of what the model said.
    """

    note: str
    why: str
    said: str


class _Fact(BaseModel):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)
    note: str
    subject: str
    relation: str
    object: str
    since: str | None = ""
    until: str | None = ""
    span: str


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")
    facts: list[object] = Field(max_length=2_000)


def checked_answer(
    answer: str, notes: Sequence[Note], *, model: str
) -> tuple[dict[int, tuple[Extracted, ...]], list[Refusal]]:
    """Returns what is believed, per number of a note, and what is refused.

    Args:
        answer: as the model gave it: one JSON object, of which words before and after it are cut off.
        notes: which the model was given, numbered from 1.
        model: its name.

    Raises:
        ExtractionError: the answer holds no such object; nothing of it can be used.
    """
    found: dict[int, dict[Triplet, Extracted]] = {note.num: {} for note in notes}
    refused: list[Refusal] = []
    for said in _facts(answer):
        excerpt = excerpt_of(str(said))
        try:
            fact = _Fact.model_validate(said)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "a fact"
            refused.append(Refusal("", excerpt_of(f"{where}: {first['msg']}"), excerpt))
            continue
        place = fact.note.strip()
        if not place.isdecimal() or len(place) > 9 or not 1 <= int(place) <= len(notes):
            refused.append(
                Refusal("", f"there is no note {_encodable(shown(fact.note))} among the {len(notes)} given", excerpt)
            )
            continue
        note = notes[int(place) - 1]
        try:
            one = _believed(fact, note, model)
        except StoreError as error:
            refused.append(Refusal(note.id, _encodable(str(error)), excerpt))
            continue
        found[note.num].setdefault(one.fact, one)
    return {num: tuple(facts.values()) for num, facts in found.items()}, refused


def excerpt_of(said: str) -> str:
    """Returns the beginning of what a model said; lone surrogates, which nothing can encode, become question marks."""
    return _encodable(said[:_EXCERPT])


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _facts(answer: str) -> Sequence[object]:
    start, end = answer.find("{"), answer.rfind("}")
    if start < 0 or end < start:
        raise ExtractionError(f"the answer holds no JSON object: {shown(answer[:_EXCERPT])}")
    try:
        return _Answer.model_validate(loads_strict(answer[start : end + 1])).facts
    except ValidationError:
        raise ExtractionError(f'the answer is no {{"facts": […]}}: {shown(answer[:_EXCERPT])}') from None
    except InvalidInput as error:
        raise ExtractionError(f"{error}: {shown(answer[:_EXCERPT])}") from None


def _believed(fact: _Fact, note: Note, model: str) -> Extracted:
    """Returns a fact that its note supports.

    Raises:
        InvalidInput: the note does not say so, or a side or a date cannot be one.
    """
    try:
        span = _standing_in(fact.span, note.text)
    except InvalidInput:
        plain = _unescaped(fact.span)  # as the request shows what nobody can see, and brackets
        if plain == fact.span:
            raise
        span = _standing_in(plain, note.text)
    times = {"valid_from": fact.since or note.happened, "valid_to": fact.until or ""}
    moments = {name: checked_moment(value.strip(), name) for name, value in times.items()}
    checked = checked_triplet({"subject": fact.subject, "relation": fact.relation, "object": fact.object, **moments})
    if not (fold(checked.subject) and fold(checked.relation) and fold(checked.object)):
        raise InvalidInput("a side holds no letters and no digits")
    named = f" {fold(span)} {fold(note.speaker)} "  # elsewhere in the note it may be said of somebody else
    sure = all(f" {fold(side)} " in named for side in (checked.subject, checked.object))
    return Extracted(replace(checked, confidence=_NAMED if sure else _CONCLUDED, extractor=model), span)


def _standing_in(span: str, text: str) -> str:
    """Returns the words of a span as they stand in a text, whole; blanks and case may differ.

    Raises:
        InvalidInput: they do not stand there.
    """
    words = span.split()
    if not fold(span):
        raise InvalidInput("it names no words of the note that say so")
    given = text.split()
    lowered, wanted = " ".join(given).lower(), " ".join(words).lower()
    before = r"(?<!\w)" if re.match(r"\w", wanted) else ""
    after = r"(?!\w)" if re.search(r"\w\Z", wanted) else ""
    match = re.search(before + re.escape(wanted) + after, lowered)
    if match is None:
        raise InvalidInput(f"the note does not say {shown(span)}")
    joined = " ".join(given)
    # lower case may have another length, as of İ: then the words are given as the model wrote them
    return joined[match.start() : match.end()] if len(joined) == len(lowered) else " ".join(words)


def _unescaped(text: str) -> str:
    """Returns a text with its JSON escapes of four digits as the characters that they stand for."""
    return _ESCAPES.sub(lambda match: bytes.fromhex(match[0].replace("\\u", "")).decode("utf-16-be", "replace"), text)
