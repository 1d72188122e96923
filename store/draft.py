"""The edge of the store: every value a caller gives is checked here, before anything is touched."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache

from .errors import InvalidInput, LimitExceeded
from .note import Draft, Triplet
from .scope import checked_scope
from .shown import shown

__all__ = [
    "FIELD_LIMIT",
    "ORIGINS",
    "TEXT_LIMIT",
    "checked_draft",
    "checked_field",
    "checked_moment",
    "checked_text",
    "checked_triplet",
]

TEXT_LIMIT = 1_000_000
"""Longest text of a note or a question, in bytes of UTF-8."""
FIELD_LIMIT = 1_000
"""Longest speaker, source, thread, key, or side of a triplet, in characters."""
_METADATA_LIMIT = 65_536
_DEEPEST = 64
_FACTS_LIMIT = 256
_PARENTS_LIMIT = 10_000
ORIGINS = ("user", "tool", "web", "model", "import")

FactInput = Triplet | Sequence[str] | Mapping[str, object]


def checked_text(value: object, what: str, *, limit: int = TEXT_LIMIT) -> str:
    """Returns a string that every database can keep.

    Raises:
        InvalidInput: not a string, a lone surrogate, or a NUL character.
        LimitExceeded: longer than ``limit`` bytes of UTF-8.
    """
    if not isinstance(value, str):
        raise InvalidInput(f"{what} must be a string, not {type(value).__name__}")
    if "\x00" in value:
        raise InvalidInput(f"{what} holds a NUL character, which databases cut or refuse; remove it")
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"{what} holds a lone surrogate at character {error.start}; decode the text again as UTF-8"
        ) from None
    if size > limit:
        raise LimitExceeded(f"{what} has {size:,} bytes, the limit is {limit:,}; split it into several notes")
    return value


def checked_field(value: object, what: str) -> str:
    """Returns a short single-line string, or an empty one for None."""
    if value is None:
        return ""
    if isinstance(value, str) and len(value) <= FIELD_LIMIT and value.isascii() and value.isprintable():
        return value.strip()  # nothing else can be wrong with it
    text = checked_text(value, what, limit=FIELD_LIMIT * 4)
    if len(text) > FIELD_LIMIT:
        raise LimitExceeded(f"{what} has {len(text):,} characters, the limit is {FIELD_LIMIT:,}")
    if "\n" in text or "\r" in text:
        raise InvalidInput(f"{what} must be a single line: {text[:40]!r}")
    return text.strip()


def checked_moment(value: object, what: str) -> str:
    """Returns a moment as ISO 8601 text: ``2024``, ``2024-03``, ``2024-03-09`` or ``2024-03-09T13:56:00``.

    Texts of this form sort in time; a fraction of a second is kept, in microseconds. Aware date-times are converted
    to UTC; others are kept as they are.

    Raises:
        InvalidInput: not a date, or one outside the years 1 to 9999.
    """
    if value is None or value == "":
        return ""
    mend = "use ISO 8601, for example 2024-03-09 or 2024-03-09T13:56"
    if not isinstance(value, (str, date)):
        raise InvalidInput(f"{what} must be a date or an ISO 8601 string, not {type(value).__name__}; {mend}")
    moment = checked_field(value, what) if isinstance(value, str) else value
    try:
        return _iso(moment)
    except (ValueError, OverflowError):
        raise InvalidInput(f"{what} is not a date: {shown(value)}; {mend}") from None


@lru_cache(1_024)  # a batch has few different days
def _iso(moment: str | date) -> str:
    if isinstance(moment, datetime):
        plain = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
        return plain.isoformat(timespec="microseconds" if plain.microsecond else "seconds")
    if isinstance(moment, date):
        return moment.isoformat()
    if len(moment) in (4, 7) and moment[:4].isdigit():
        date.fromisoformat(f"{moment}-01-01"[:10])
        return moment
    if len(moment) == 10:
        return date.fromisoformat(moment).isoformat()
    if len(moment) > 10 and moment[4] == "-":
        return _iso(datetime.fromisoformat(moment))
    raise ValueError(moment)


def checked_triplet(fact: object) -> Triplet:
    """Returns one triplet of a caller.

    Args:
        fact: ``(subject, relation, object)``, a `Triplet`, or a mapping with those keys and, if known,
            ``valid_from`` and ``valid_to``.

    Raises:
        InvalidInput: a missing or empty side, an unknown key, or dates in the wrong order.
    """
    if isinstance(fact, Triplet):
        fact = {name: getattr(fact, name) for name in ("subject", "relation", "object", "valid_from", "valid_to")}
    if isinstance(fact, Mapping):
        unknown = set(fact) - {"subject", "relation", "object", "valid_from", "valid_to"}
        if unknown:
            raise InvalidInput(f"a fact has no field {sorted(map(str, unknown))[0]!r}")
        sides = [fact.get(name) for name in ("subject", "relation", "object")]
        start, end = fact.get("valid_from"), fact.get("valid_to")
    elif isinstance(fact, Sequence) and not isinstance(fact, str) and len(fact) == 3:
        sides, start, end = list(fact), None, None
    else:
        raise InvalidInput(f"a fact is (subject, relation, object), not {shown(fact)}")
    subject, relation, target = map(checked_field, sides, ("the subject of a fact", "its relation", "its object"))
    if not (subject and relation and target):
        raise InvalidInput(f"a fact needs a subject, a relation and an object: {(subject, relation, target)!r}")
    valid_from, valid_to = checked_moment(start, "valid_from"), checked_moment(end, "valid_to")
    if valid_from and valid_to and valid_to <= valid_from:
        raise InvalidInput(f"valid_to {valid_to!r} must come after valid_from {valid_from!r}")
    return Triplet(subject, relation, target, valid_from, valid_to)


def checked_draft(
    text: object,
    *,
    scope: object,
    below: str | None = None,
    speaker: object = None,
    source: object = None,
    thread: object = None,
    happened: object = None,
    facts: object = (),
    origin: object = None,
    metadata: object = None,
    key: object = None,
    derived_from: object = (),
) -> Draft:
    """Returns a draft whose every value can be stored; the arguments are those of ``Memory.write``.

    Raises:
        InvalidInput: a value of the wrong kind.
        LimitExceeded: a value over its limit.
    """
    words = checked_text(text, "the text")
    if not words.strip():
        raise InvalidInput("the text is empty; there is nothing to remember")
    parents = _checked_ids(derived_from)
    if origin is None:
        origin = "model" if parents else "user"
    if origin not in ORIGINS:
        raise InvalidInput(f"origin {shown(origin)} is unknown; use one of {', '.join(ORIGINS)}")
    if isinstance(facts, (str, Mapping)) or not isinstance(facts, Sequence):
        raise InvalidInput(f"facts must be a list of (subject, relation, object), not {type(facts).__name__}")
    if len(facts) > _FACTS_LIMIT:
        raise LimitExceeded(f"{len(facts)} facts in one note, the limit is {_FACTS_LIMIT}; split the note")
    return Draft(
        text=words,
        scope=checked_scope(scope, below=below),
        speaker=checked_field(speaker, "speaker"),
        source=checked_field(source, "source"),
        thread=checked_field(thread, "thread"),
        happened=checked_moment(happened, "happened"),
        facts=tuple(checked_triplet(fact) for fact in facts),
        origin=str(origin),
        metadata=_checked_metadata(metadata),
        key=checked_field(key, "key") or None,
        parents=parents,
    )


def _checked_ids(value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise InvalidInput(f"derived_from must be a list of ids of notes, not {type(value).__name__}")
    if len(value) > _PARENTS_LIMIT:
        raise LimitExceeded(
            f"derived_from names {len(value):,} notes, the limit is {_PARENTS_LIMIT:,}; make it in steps"
        )
    return tuple(dict.fromkeys(checked_field(id, "an id in derived_from") for id in value))


def _checked_metadata(value: object) -> Mapping[str, object]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidInput(f"metadata must be a mapping, not {type(value).__name__}")
    plain: dict[str, object] = json.loads(json.dumps(_plain(value, 1)))
    size = len(json.dumps(plain))
    if size > _METADATA_LIMIT:
        raise LimitExceeded(f"metadata has {size:,} bytes as JSON, the limit is {_METADATA_LIMIT:,}")
    return plain


def _plain(value: object, depth: int) -> object:
    """Returns a value in the types of JSON."""
    if depth > _DEEPEST:
        raise InvalidInput(f"metadata is nested deeper than {_DEEPEST}")
    if isinstance(value, Mapping):
        return {
            checked_text(name, "a key of metadata", limit=FIELD_LIMIT): _plain(item, depth + 1)
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise InvalidInput("metadata holds a whole number outside 64 bits; store it as a string")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidInput(f"metadata holds {value}, which JSON cannot keep; leave it out")
        return value
    return checked_text(value, "a value of metadata", limit=_METADATA_LIMIT)
