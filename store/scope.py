"""Scopes: whose memory it is. A handle sees its own scope and everything below it, and nothing else."""

from __future__ import annotations

import re
from functools import lru_cache

from sqlalchemy import ColumnElement, and_, or_

from .errors import InvalidScope
from .schema import note
from .shown import shown

__all__ = ["checked_scope", "covers", "within"]

_SEGMENT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_DEEPEST = 8


def checked_scope(scope: object, *, below: str | None = None) -> str:
    """Returns ``scope`` if it is a well-formed path, and lies at or below ``below``.

    Args:
        scope: segments of ``a-z 0-9 _ -`` (64 characters at the most) joined by ``/``, at most 8 deep.
        below: the handle's own scope.

    Raises:
        InvalidScope: malformed, empty, or outside the handle.
    """
    if not isinstance(scope, str) or not scope:
        raise InvalidScope(f"a scope is needed, not {shown(scope)}; give one such as 'ada' or 'ada/work'")
    if not _is_well_formed(scope):
        raise InvalidScope(
            f"scope {scope[:80]!r} is malformed; use a-z, 0-9, '_' and '-', at most 64 a segment, "
            f"segments joined by '/', at most {_DEEPEST} deep"
        )
    if below is not None and scope != below and not scope.startswith(below + "/"):
        raise InvalidScope(f"scope {scope!r} is outside this handle's scope {below!r}; open a handle for it")
    return scope


@lru_cache(1_024)
def _is_well_formed(scope: str) -> bool:
    parts = scope.split("/")
    return len(parts) <= _DEEPEST and all(_SEGMENT.fullmatch(part) for part in parts)


def covers(scope: str, other: str) -> bool:
    """Returns whether a handle of one scope sees another."""
    return other == scope or other.startswith(scope + "/")


def within(scope: str, column: ColumnElement[str] = note.c.scope) -> ColumnElement[bool]:
    """Returns the SQL condition that admits a scope and all below it.

    A range instead of LIKE, where ``_`` is a wildcard: ``'0'`` is the character after ``'/'``. Both ends are open,
    because ``ada0`` is somebody else.
    """
    return or_(column == scope, and_(column > scope + "/", column < scope + "0"))
