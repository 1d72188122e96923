"""The arguments of `Memory`, checked once for all its methods."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from ..engines.prompt import approximate_tokens
from ..engines.screening import Screen, screened
from ..store.changes import Changes
from ..store.draft import ORIGINS, checked_draft, checked_field, checked_moment
from ..store.errors import InvalidInput, LimitExceeded
from ..store.note import Draft, Triplet
from ..store.scope import checked_scope
from ..store.selection import Chosen, Filter
from ..store.shown import shown
from .reading import FORMS
from .recall import Recollection

__all__ = [
    "FactInput",
    "Moment",
    "all_drafted",
    "checked_count",
    "checked_forms",
    "chosen",
    "drafted",
    "filtered",
    "within_budget",
]

Moment = str | date | datetime
FactInput = Triplet | Sequence[str] | Mapping[str, object]
_KEYWORDS = frozenset("text speaker source thread happened facts origin metadata key derived_from scope".split())


def drafted(scope: str, values: Mapping[str, Any], *, screen: Screen | None = None) -> Draft:
    """Returns a checked draft out of `Memory.write`'s keywords.

    Raises:
        InvalidInput: not a mapping, an unknown keyword, or a value that cannot be stored.
        SecretFound: the screen keeps it out.
    """
    if not isinstance(values, Mapping):
        raise InvalidInput(f"a draft is a text or a mapping, not {type(values).__name__}")
    unknown = set(values) - _KEYWORDS
    if unknown:
        raise InvalidInput(f"a draft has no field {sorted(map(str, unknown))[0]!r}")
    rest = {name: value for name, value in values.items() if name not in ("text", "scope") and value is not None}
    own = values.get("scope")
    draft = checked_draft(values.get("text"), scope=scope if own is None else own, below=scope, **rest)
    return screened(draft, screen) if screen else draft


def all_drafted(scope: str, drafts: Iterable[str | Mapping[str, Any]], *, screen: Screen | None = None) -> list[Draft]:
    """Returns checked drafts out of texts and mappings.

    Raises:
        InvalidInput: one text instead of many, or a draft that cannot be stored, named by its place.
        LimitExceeded: a value over its limit, likewise.
    """
    if isinstance(drafts, (str, bytes, Mapping)) or not isinstance(drafts, Iterable):
        raise InvalidInput(f"drafts are a list of texts or mappings, not {type(drafts).__name__}; for one use `write`")
    checked = []
    for place, draft in enumerate(drafts):
        try:
            checked.append(drafted(scope, {"text": draft} if isinstance(draft, str) else draft, screen=screen))
        except (InvalidInput, LimitExceeded) as error:
            raise type(error)(f"draft {place}: {error}") from error
    return checked


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
    origins: Collection[str] | None = None,
    held: bool = False,
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
        speaker=checked_field(speaker, "speaker"),
        source=checked_field(source, "source"),
        thread=checked_field(thread, "thread"),
        origins=() if origins is None else _checked_origins(origins),
        held=held,
    )


def _checked_origins(origins: Collection[str]) -> tuple[str, ...]:
    if isinstance(origins, str) or not isinstance(origins, Collection):
        raise InvalidInput(f"origins are given as a list out of {', '.join(ORIGINS)}, not {shown(origins)}")
    if not origins:
        raise InvalidInput("origins is empty, so nothing could be found; leave it out for all of them")
    for origin in origins:
        if origin not in ORIGINS:
            raise InvalidInput(f"origin {shown(origin)} is unknown; use one of {', '.join(ORIGINS)}")
    return tuple(sorted(set(origins)))


def chosen(
    own: str,
    ids: Sequence[str],
    *,
    what: str,
    speaker: str | None = None,
    source: str | None = None,
    thread: str | None = None,
    origin: str | None = None,
    scope: str | None = None,
) -> Chosen:
    """Returns which notes a handle of scope ``own`` means with these arguments.

    Args:
        own: the handle's scope.
        ids: of the notes.
        what: name of the method, for messages.
        speaker: only this speaker; like each of the following, what is left out narrows nothing.
        source: only this source.
        thread: only this thread.
        origin: only this origin.
        scope: the handle's scope or one below it, with all below it.

    Raises:
        InvalidInput: ids together with a filter, neither of them, or a filter that is empty.
        InvalidScope: the scope is malformed, or outside the handle's.
    """
    fields = {"speaker": speaker, "source": source, "thread": thread, "origin": origin}
    named = {name: checked_field(value, name) for name, value in fields.items() if value is not None}
    for name, value in named.items():
        if not value:
            raise InvalidInput(f"{name} is empty, and would mean nothing or everything; leave it out, or name one")
    if named.get("origin", ORIGINS[0]) not in ORIGINS:
        raise InvalidInput(f"origin {shown(origin)} is unknown; use one of {', '.join(ORIGINS)}")
    where = checked_scope(own if scope is None else scope, below=own)
    if ids and (named or scope is not None):
        raise InvalidInput(f"{what} takes ids or filters, not both; ids alone say which notes are meant")
    if not (ids or named or scope is not None):
        raise InvalidInput(
            f"{what} needs the id of at least one note, or a filter; it never means all of them. "
            f"For everything in a scope name it: {what}(scope={own!r})"
        )
    return Chosen(where, tuple(ids), **named)


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
        raise InvalidInput(f"{what} must be a whole number from {least:,} to {most:,}, not {shown(value)}")
    return value


def checked_forms(names: Collection[str]) -> tuple[str, ...]:
    """Returns names of forms that may vote or be made anew.

    Raises:
        InvalidInput: no collection of names, or one that no form has.
    """
    if isinstance(names, str) or not isinstance(names, Collection):
        raise InvalidInput(f"forms are given as a list out of {', '.join(FORMS)}, not {shown(names)}")
    for name in names:
        if name not in FORMS:
            raise InvalidInput(f"no form is called {shown(name)}; use {', '.join(FORMS)}")
    return tuple(names)
