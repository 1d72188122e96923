"""Relations of which a subject has one value at a time: a newer value ends the older one."""

from __future__ import annotations

from sqlalchemy import select

from .database import Database
from .errors import InvalidInput
from .names import fold
from .schema import relation
from .scope import within
from .shown import shown

__all__ = ["SINGLE_VALUED", "Relations"]

SINGLE_VALUED = frozenset(
    fold(name)
    for name in (
        "lives in",
        "lives at",
        "lives with",
        "is based in",
        "works at",
        "works for",
        "works as",
        "employed by",
        "studies at",
        "married to",
        "engaged to",
        "born in",
        "born on",
        "located in",
        "capital",
        "age",
        "name",
        "email",
        "phone",
        "address",
        "job",
        "employer",
    )
)
"""Known from the start; `Relations.declare` adds to them or takes from them, in a scope and below."""


class Relations:
    """Which relations are single-valued, as the scopes of this store see it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def declare(self, name: str, *, scope: str, single: bool) -> None:
        """Says whether a relation has one value at a time, for a scope and all below it.

        Runs in the caller's transaction.

        Raises:
            InvalidInput: the name holds no letter and no digit.
        """
        if not fold(name):
            raise InvalidInput(f"relation {shown(name)} holds no letter or digit to look for")
        with self._database.reading() as connection:
            connection.execute(relation.delete().where(relation.c.scope == scope, relation.c.name == fold(name)))
            connection.execute(relation.insert().values(scope=scope, name=fold(name), single=int(single)))

    def said(self, scope: str) -> list[tuple[str, str, bool]]:
        """Returns (scope, folded name, whether single) of what was declared in a scope and below."""
        query = select(relation).where(within(scope, relation.c.scope)).order_by(relation.c.scope, relation.c.name)
        with self._database.reading() as connection:
            return [(where, name, bool(single)) for where, name, single in connection.execute(query)]

    def single_valued(self, scope: str) -> frozenset[str]:
        """Returns the folded names of all relations that are single-valued for a reader of this scope.

        What a scope says goes before what the scopes above it say; what others say does not matter.
        """
        parts = scope.split("/")
        above = ["", *("/".join(parts[:length]) for length in range(1, len(parts) + 1))]
        query = select(relation.c.name, relation.c.single).where(relation.c.scope.in_(above)).order_by(relation.c.scope)
        with self._database.reading() as connection:
            declared = {name: bool(single) for name, single in connection.execute(query)}
        return frozenset(name for name in SINGLE_VALUED | declared.keys() if declared.get(name, True))
