"""Pattern queries: chains of facts, each step with the notes that support it."""

from __future__ import annotations

from ..store.draft import checked_moment, checked_text
from ..store.paths import Paths, follow
from .arguments import Moment, checked_count, filtered
from .handle import Handle

__all__ = ["paths"]

_MOST = 1_000


def paths(
    memory: Handle,
    pattern: str,
    *,
    as_of: Moment | None = None,
    known_at: Moment | int | None = None,
    scope: str | None = None,
    superseded: bool = False,
    either_way: bool = False,
    limit: int = 100,
) -> Paths:
    """Returns the chains of facts that fit a pattern, surest first.

    Args:
        memory: the handle; only what it may see can fit.
        pattern: names and relations in turn, ``?`` for what is asked: ``"? lives in Lisbon"``, ``"Ada ? Lisbon"``,
            or with signs ``"Ada < daughter of < ? > lives in > ?"``: ``>`` from subject to object, ``<`` from object
            to subject, ``-`` either way; at most four steps.
        as_of: what was true then; left out, what holds now.
        known_at: what was known then: a moment, or the number of a change.
        scope: a scope below the handle's own.
        superseded: also facts whose place was taken or whose time is over.
        either_way: take every step in both directions.
        limit: at most so many chains, 1 to 1,000.

    Returns:
        The chains; their ``cut`` says whether there may be more: of one name at most 200 facts are followed in a
        step, and at most 2,000 chains are kept.

    Raises:
        InvalidInput: the pattern cannot be read; the message shows how to write it.
    """
    words = checked_text(pattern, "the pattern", limit=4_000)
    checked_count(limit, "limit", _MOST)
    store = memory._store  # the two are one face
    with store.database.reading():
        chosen = filtered(memory.scope, store.notes.changes, scope=scope, known_at=known_at)
        return follow(
            store.database,
            store.triplets,
            words,
            store.notes.among(chosen),
            scope=chosen.scope,
            as_of=checked_moment(as_of, "as_of"),
            superseded=superseded,
            either_way=either_way,
            limit=limit,
        )
