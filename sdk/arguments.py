"""The arguments of `Memory`, checked once for all its methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from ..engines.prompt import approximate_tokens
from ..store.changes import Changes
from ..store.draft import checked_draft, checked_moment, checked_text
from ..store.errors import InvalidInput
from ..store.note import Draft, Triplet
from ..store.notes import Filter
from ..store.scope import checked_scope
from .recall import Recollection

__all__ = ["FactInput", "Moment", "checked_count", "drafted", "filtered", "within_budget"]

Moment = str | date | datetime
FactInput = Triplet | Sequence[str] | Mapping[str, object]
_FIELD_BYTES = 4_000
_KEYWORDS = frozenset("text speaker source thread happened facts origin metadata key scope".split())


def drafted(scope: str, values: Mapping[str, Any]) -> Draft:
    """Returns a checked draft out of `Memory.write`'s keywords.

    Raises:
        InvalidInput: not a mapping, an unknown keyword, or a value that cannot be stored.
    """
    if not isinstance(values, Mapping):
        raise InvalidInput(f"a draft is a text or a mapping, not {type(values).__name__}")
    unknown = set(values) - _KEYWORDS
    if unknown:
        raise InvalidInput(f"a draft has no field {sorted(map(str, unknown))[0]!r}")
    rest = {name: value for name, value in values.items() if name not in ("text", "scope") and value is not None}
    own = values.get("scope")
    return checked_draft(values.get("text"), scope=scope if own is None else own, below=scope, **rest)


def filtered(
    own: str,
    changes: Changes,
    *,
    scope: str | None = None,
    as_of: Moment | None = None,
    known_at: Moment | int | None = None,
    speaker: str | None = None,
    source: str | None = None,
    thread: str | None = None,
) -> Filter:
    """Returns which notes a handle of scope ``own`` may see with these arguments."""
    known: int | None = None
    if isinstance(known_at, int) and not isinstance(known_at, bool):
        known = checked_count(known_at, "known_at", 2**62, least=0)
    elif known_at is not None:
        known = changes.known_at(checked_moment(known_at, "known_at"))
    return Filter(
        scope=checked_scope(own if scope is None else scope, below=own),
        known=known,
        as_of=checked_moment(as_of, "as_of"),
        speaker=checked_text(speaker or "", "speaker", limit=_FIELD_BYTES),
        source=checked_text(source or "", "source", limit=_FIELD_BYTES),
        thread=checked_text(thread or "", "thread", limit=_FIELD_BYTES),
    )


def within_budget(found: Sequence[Recollection], budget: int | None) -> Sequence[Recollection]:
    """Returns the best memories whose estimated tokens together stay within a budget."""
    if budget is None:
        return found
    checked_count(budget, "budget", 2**31)
    spent = 0
    for place, one in enumerate(found):
        spent += approximate_tokens(one.note.text)
        if spent > budget:
            return found[:place]
    return found


def checked_count(value: object, what: str, most: int, *, least: int = 1) -> int:
    """Returns a whole number from ``least`` to ``most``.

    Raises:
        InvalidInput: something else.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidInput(f"{what} must be a whole number from {least:,} to {most:,}, not {str(value)[:40]}")
    return value
