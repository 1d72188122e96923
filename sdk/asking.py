"""What a memory is asked beside `read`: chains of facts, and which names are one."""

from __future__ import annotations

from functools import partial

from ..store.aliases import SameName
from ..store.draft import checked_field, checked_moment, checked_text
from ..store.paths import Paths, follow
from ..store.store import Store
from .arguments import Moment, checked_count, filtered
from .attending import attend
from .recall import Recall

__all__ = ["Asking"]

_MOST = 1_000  # chains


class Asking:
    """The part of `Memory` that answers out of facts.

    Attributes:
        scope: the handle's scope.
    """

    scope: str
    _store: Store

    def nothing(self, question: str) -> Recall:
        """Returns an empty recall, as of a question that was not read for."""
        return Recall(question, (), partial(attend, self._store))

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
        """Returns the chains of facts that fit a pattern, surest first.

        Args:
            pattern: names and relations in turn, ``?`` for what is asked: ``"? lives in Lisbon"``,
                ``"Ada ? Lisbon"``, or with signs ``"Ada < daughter of < ? > lives in > ?"``: ``>`` from subject to
                object, ``<`` from object to subject, ``-`` either way; at most four steps.
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
        with self._store.database.reading():
            which = filtered(self.scope, self._store.notes.changes, scope=scope, known_at=known_at)
            return follow(
                self._store.database,
                self._store.triplets,
                words,
                self._store.notes.among(which),
                scope=which.scope,
                as_of=checked_moment(as_of, "as_of"),
                superseded=superseded,
                either_way=either_way,
                limit=limit,
            )

    def same(self, name: str, other: str) -> SameName:
        """Says that two names are one; facts, links and patterns then take them for one, shown as ``name``.

        Nothing else ever merges names. The notes stay as they are, and `apart` takes it back. It holds for this
        handle's scope. Forgetting the last note that mentions one of the names forgets the statement as well.

        Args:
            name: the one to show.
            other: another name of the same.

        Raises:
            InvalidInput: a name without letters and digits, or one name given twice.
        """
        names = checked_field(name, "name"), checked_field(other, "other")
        with self._store.database.writing():
            return self._store.aliases.same(*names, scope=self.scope, seq=self._store.notes.changes.last())

    def apart(self, name: str, other: str) -> None:
        """Takes back that two names are one; what was said in another scope, also below, is taken back there.

        Raises:
            InvalidInput: nobody said so; the message names what was said of them.
        """
        names = checked_field(name, "name"), checked_field(other, "other")
        with self._store.database.writing():
            self._store.aliases.apart(*names, scope=self.scope)

    def one_name(self) -> list[SameName]:
        """Returns what was said of names in this scope and below, in the order it was said."""
        with self._store.database.reading():
            return self._store.aliases.said(self.scope)
