"""What a memory is asked beside `read`: chains of facts, and which names are one."""

from __future__ import annotations

from ..store.aliases import SameName
from ..store.paths import Paths
from ..store.store import Store
from .arguments import Moment
from .one_name import apart, one_name, same
from .paths import paths

__all__ = ["Asking"]


class Asking:
    """The part of `Memory` that answers out of facts.

    Attributes:
        scope: the handle's scope.
    """

    scope: str
    _store: Store

    def paths(
        self,
        pattern: str,
        *,
        as_of: Moment | None = None,
        known_at: Moment | int | None = None,
        scope: str | None = None,
        superseded: bool = False,
        either_way: bool = False,
        limit: int = 100,
    ) -> Paths:
        """Returns the chains of facts that fit a pattern, surest first; see `tercet.sdk.paths.paths`.

        Args:
            pattern: names and relations in turn, ``?`` for what is asked: ``"? lives in Lisbon"``, or
                ``"Ada < daughter of < ? > lives in > ?"``.
            as_of: what was true then; left out, what holds now.
            known_at: what was known then: a moment, or the number of a change.
            scope: a scope below the handle's own.
            superseded: also facts whose place was taken or whose time is over.
            either_way: take every step in both directions.
            limit: at most so many chains, 1 to 1,000.

        Raises:
            InvalidInput: the pattern cannot be read; the message shows how to write it.
        """
        return paths(
            self,
            pattern,
            as_of=as_of,
            known_at=known_at,
            scope=scope,
            superseded=superseded,
            either_way=either_way,
            limit=limit,
        )

    def same(self, name: str, other: str) -> SameName:
        """Says that two names are one; facts, links and patterns then take them for one, shown as ``name``.

        The notes stay as they are, and `apart` takes it back. It holds for this handle's scope.

        Raises:
            InvalidInput: a name without letters and digits, or one name given twice.
        """
        return same(self, name, other)

    def apart(self, name: str, other: str) -> None:
        """Takes back that two names are one.

        Raises:
            InvalidInput: nobody said so in this scope; the message names what was said of them.
        """
        apart(self, name, other)

    def one_name(self) -> list[SameName]:
        """Returns what was said of names in this scope and below, in the order it was said."""
        return one_name(self)
