"""Reads dialogue files in the format of LoCoMo into what ``Memory.write_many`` takes.

A file is a JSON list of dialogues. Each has a ``conversation`` with ``session_1``, ``session_2``, … (lists of
turns ``{speaker, dia_id, text}``) and ``session_1_date_time``, … (``"1:56 pm on 8 May, 2023"``), and may have
``qa``, a list of questions with the ids of the turns that answer them. Format: LoCoMo (Maharana et al., 2024).
Beyond LoCoMo a turn may carry ``facts``: triplets that the caller's own tools found in it.

This file knows nothing of memories; it only turns one untrusted file into checked values.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from ..store.draft import checked_text
from ..store.errors import InvalidInput, LimitExceeded
from ..store.strict_json import loads_strict

__all__ = ["Question", "Transcript", "read_dialogue"]

FILE_LIMIT = 64 * 2**20
"""Largest dialogue file, in bytes."""
_SESSION = re.compile(r"session_(\d{1,6})")
# strptime would read month names in the language of the machine; files are in English everywhere
_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_MOMENT = re.compile(
    rf"(1[0-2]|0?[1-9]):([0-5]\d)\s*([ap])m\s+on\s+(\d{{1,2}})\s+({'|'.join(_MONTHS)}),?\s+(\d{{4}})",
    re.IGNORECASE,
)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Question:
    """One question about a transcript.

    Attributes:
        text: the question.
        answer: the expected answer, or empty where the file gives none (unanswerable questions).
        evidence: sources of the turns that answer it, as in `Transcript.turns`; a file may name
            turns that do not exist.
        category: LoCoMo's number: 1 multi-hop, 2 temporal, 3 open-domain, 4 single-hop, 5 adversarial.
    """

    text: str
    answer: str
    evidence: tuple[str, ...]
    category: int


@dataclass(frozen=True, slots=True)
class Transcript:
    """One dialogue, ready to be written.

    Attributes:
        id: the file's ``sample_id``, or ``"dialogue-1"``, … by place where it has none.
        turns: mappings with the keywords of ``Memory.write``, in the order they were said: ``text``, ``speaker``,
            ``source`` (``"conv-26:D1:3"``), ``thread`` (the id: the whole dialogue is one thread), ``happened``
            (ISO 8601, or empty for a session without a date), ``metadata`` (``{"session": 1}``), and ``facts``
            where the file has some.
        questions: the file's questions, in its order.
    """

    id: str
    turns: tuple[Mapping[str, object], ...]
    questions: tuple[Question, ...]


class _Row(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class _Fact(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    subject: str
    relation: str
    object: str
    valid_from: str = ""
    valid_to: str = ""


def _named(fact: object) -> object:
    """Returns ``[subject, relation, object]`` with its sides named; anything else as it is."""
    if isinstance(fact, list) and len(fact) == 3:
        return dict(zip(("subject", "relation", "object"), fact, strict=True))
    return fact


class _Turn(_Row):
    speaker: str
    dia_id: str
    text: str
    blip_caption: str | None = None
    facts: list[Annotated[_Fact, BeforeValidator(_named)]] = []

    def words(self) -> str:
        """Returns the text; what an image showed follows it as ``[image: caption]``."""
        caption = (self.blip_caption or "").strip()
        return f"{self.text} [image: {caption}]".strip() if caption else self.text


class _Question(_Row):
    question: str
    answer: str | int | float | None = None
    evidence: list[str] = []
    category: int


class _Dialogue(_Row):
    sample_id: str | None = None
    conversation: dict[str, object]
    qa: list[_Question] = []


_DIALOGUES = TypeAdapter(list[_Dialogue])
_TURNS = TypeAdapter(list[_Turn])
_DATE = TypeAdapter(str | None, config=ConfigDict(strict=True))


def read_dialogue(path: str | PathLike[str]) -> list[Transcript]:
    """Reads every dialogue of a file; nothing is returned unless all of it is well-formed.

    Sessions are taken in the order of their numbers. A turn with neither words nor an image caption holds
    nothing to remember and is left out.

    Raises:
        InvalidInput: the file cannot be read, is not JSON, has another shape, repeats a key of an object or the
            id of a dialogue, is nested deeper than 64, or holds NUL characters or lone surrogates.
        LimitExceeded: the file is larger than 64 MiB.
    """
    file = Path(path)
    dialogues = _validated(_DIALOGUES, _parsed(file), file, "")
    names = [item.sample_id or f"dialogue-{place}" for place, item in enumerate(dialogues, start=1)]
    for name, count in Counter(names).items():
        if count > 1:
            raise _refusal(file, f"sample_id {name!r} stands on {count} dialogues; give each its own")
    return [
        Transcript(
            id=name,
            turns=tuple(_turns(item, name, file, f"[{place}].conversation.")),
            questions=tuple(_question(row, name) for row in item.qa),
        )
        for place, (name, item) in enumerate(zip(names, dialogues, strict=True))
    ]


def _turns(dialogue: _Dialogue, name: str, file: Path, where: str) -> Iterator[Mapping[str, object]]:
    conversation = dialogue.conversation
    sessions = sorted((int(found[1]), key) for key in conversation if (found := _SESSION.fullmatch(key)))
    if not sessions:
        raise _refusal(file, f"{where[:-1]} has no session_1; is this a LoCoMo file?")
    for number, key in sessions:
        dated = f"{key}_date_time"
        date = _validated(_DATE, conversation.get(dated), file, where + dated)
        happened = _moment(date, file, where + dated) if date else ""
        for row in _validated(_TURNS, conversation[key], file, where + key):
            if not (text := row.words()).strip():
                continue
            turn: dict[str, object] = {
                "text": text,
                "speaker": row.speaker,
                "source": f"{name}:{row.dia_id}",
                "thread": name,
                "happened": happened,
                "metadata": {"session": number},
            }
            if row.facts:
                turn["facts"] = [fact.model_dump(exclude_defaults=True) for fact in row.facts]
            yield turn


def _question(row: _Question, name: str) -> Question:
    return Question(
        text=row.question,
        answer="" if row.answer is None else str(row.answer),
        evidence=tuple(f"{name}:{source}" for source in row.evidence),
        category=row.category,
    )


def _moment(text: str, file: Path, where: str) -> str:
    """Returns ``"1:56 pm on 8 May, 2023"`` as ``"2023-05-08T13:56"``."""
    found = _MOMENT.fullmatch(text.strip())
    if found is not None:
        hour, minute, half, day, month, year = found.groups()
        clock = int(hour) % 12 + (12 if half.lower() == "p" else 0)
        try:
            moment = datetime(int(year), _MONTHS.index(month.lower()) + 1, int(day), clock, int(minute))
        except ValueError:
            pass  # no such day; the message below says so
        else:
            return moment.isoformat(timespec="minutes")
    raise _refusal(file, f"{where} is not a moment: {text[:60]!r}; write it as '1:56 pm on 8 May, 2023'")


def _parsed(file: Path) -> object:
    """Returns the JSON value of a file, with no repeated key, no bad character, and bounded depth."""
    try:
        with file.open("rb") as stream:
            data = stream.read(FILE_LIMIT + 1)
    except OSError as error:
        raise _refusal(file, f"it cannot be read ({error.strerror})") from error
    if len(data) > FILE_LIMIT:
        raise LimitExceeded(f"{file} is larger than {FILE_LIMIT // 2**20} MiB; split it into several files")

    try:
        value = loads_strict(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise _refusal(file, f"byte {error.start} is not UTF-8; save the file as UTF-8") from None
    except InvalidInput as error:
        raise _refusal(file, str(error)) from None
    for text in _strings(value):
        checked_text(text, f"{file}: the string {text[:40]!r}", limit=FILE_LIMIT)
    return value


def _strings(value: object) -> Iterator[str]:
    """Yields every string of a JSON value, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _validated(shape: TypeAdapter[T], value: object, file: Path, where: str) -> T:
    try:
        return shape.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = where + _path(first["loc"])
        given: Any = first["input"]
        got = "" if first["type"] == "missing" or isinstance(given, (dict, list)) else f", not {given!r:.60}"
        message = first["msg"][0].lower() + first["msg"][1:]
        if first["type"] == "model_type":
            message = "input should be an object"  # pydantic would name a class of ours
        raise _refusal(file, f"{place.lstrip('.') or 'the whole file'}: {message}{got}") from None


def _path(loc: Sequence[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)


def _refusal(file: Path, what: str) -> InvalidInput:
    return InvalidInput(f"{file}: {what}")
