"""Names that a person says are one. Nothing else merges names, and every statement can be taken back.

What is kept is what was said: pairs of names, as written. Notes and triplets stay as they are; who is whom is worked
out when facts are read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from .database import Database
from .errors import InvalidInput
from .names import fold
from .schema import alias, mention, note
from .scope import within
from .shown import shown
from .statements import rows

__all__ = ["Aliases", "SameName", "checked_pair", "every_name", "one_name"]


@dataclass(frozen=True, slots=True)
class SameName:
    """One statement that two names are one.

    Attributes:
        scope: in which it holds, and below.
        name: as written; facts are shown under the name that was said first.
        other: as written.
        seq: number of the newest change when it was said.
    """

    scope: str
    name: str
    other: str
    seq: int

    @property
    def folded(self) -> frozenset[str]:
        """Both names as they are compared."""
        return frozenset({fold(self.name), fold(self.other)})


class Aliases:
    """Which names are one; every method runs in the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def same(self, name: str, other: str, *, scope: str, seq: int) -> SameName:
        """Says that two names are one; saying it twice changes nothing.

        Raises:
            InvalidInput: a name without letters and digits, or one name given twice.
        """
        made = checked_pair(SameName(scope, name, other, seq))
        known = next((said for said in self._own(scope) if said.folded == made.folded), None)
        if known:
            return known
        with self._database.reading() as connection:
            connection.execute(alias.insert().values(scope=scope, name=name, other=other, seq=seq))
        return made

    def apart(self, name: str, other: str, *, scope: str) -> None:
        """Takes back that two names are one.

        Raises:
            InvalidInput: nobody said so of these two in this scope; the message names what was said of them.
        """
        own, wanted = self._own(scope), frozenset({fold(name), fold(other)})
        found = [said for said in own if said.folded == wanted]
        if not found:
            near = [f"{shown(said.name)} = {shown(said.other)}" for said in own if said.folded & wanted]
            told = f"; what was said of them: {', '.join(near[:5])}" if near else ""
            raise InvalidInput(f"nobody said that {shown(name)} and {shown(other)} are one in scope {scope!r}{told}")
        self._delete(found)

    def said(self, scope: str, *, known: int | None = None) -> list[SameName]:
        """Returns what holds in a scope and below, in the order it was said.

        Args:
            scope: of the handle.
            known: number of a change; only what was said by then. What was taken back since is not in it.
        """
        query = select(alias).where(within(scope, alias.c.scope))
        if known is not None:
            query = query.where(alias.c.seq <= known)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(alias.c.seq, alias.c.scope, alias.c.name, alias.c.other)).all()
        return [SameName(row.scope, row.name, row.other, row.seq) for row in rows]

    def merged(self, scope: str, *, known: int | None = None) -> Mapping[str, str]:
        """Returns, for every folded name that is one with others, the name under which all of them are shown."""
        with self._database.reading() as connection:
            if not rows(connection, "SELECT 1 FROM alias LIMIT 1"):  # mostly nobody has said any such thing
                return {}
            return _joined(self.said(scope, known=known))

    def named_in(self, nums: Collection[int]) -> list[SameName]:
        """Returns the statements about names that these notes mention."""
        with self._database.reading() as connection:
            every = connection.execute(select(alias)).all()
            if not every:
                return []
            wanted = sorted(nums)
            names: set[str] = set()
            for start in range(0, len(wanted), 500):
                part = mention.c.note.in_(wanted[start : start + 500])
                names.update(connection.scalars(select(mention.c.name).where(part)))
        found = [SameName(row.scope, row.name, row.other, row.seq) for row in every]
        return [said for said in found if said.folded & names]

    def prune(self, candidates: Sequence[SameName]) -> int:
        """Drops statements of which one name stands in no note any more: it was forgotten with its notes.

        Returns:
            How many went.
        """
        gone = [said for said in candidates if not all(self._mentioned(name, said.scope) for name in said.folded)]
        self._delete(gone)
        return len(gone)

    def _own(self, scope: str) -> list[SameName]:
        return [said for said in self.said(scope) if said.scope == scope]

    def _mentioned(self, name: str, scope: str) -> bool:
        query = select(mention.c.note).join(note, note.c.num == mention.c.note)
        with self._database.reading() as connection:
            found = connection.execute(query.where(mention.c.name == name, within(scope)).limit(1)).first()
        return found is not None

    def _delete(self, gone: Sequence[SameName]) -> None:
        with self._database.reading() as connection:
            for said in gone:
                same = (alias.c.scope == said.scope, alias.c.name == said.name, alias.c.other == said.other)
                connection.execute(alias.delete().where(*same))


def checked_pair(made: SameName) -> SameName:
    """Returns a statement that says something.

    Raises:
        InvalidInput: a name without letters and digits, or one name given twice.
    """
    for one in (made.name, made.other):
        if not fold(one):
            raise InvalidInput(f"name {shown(one)} holds no letter or digit to look for")
    if len(made.folded) == 1:
        raise InvalidInput(
            f"{shown(made.name)} and {shown(made.other)} are one name already; they differ only in writing"
        )
    return made


def one_name(merged: Mapping[str, str], folded: str) -> str:
    """Returns the folded name that stands for all that are one with this one."""
    shown_as = merged.get(folded)
    return fold(shown_as) if shown_as else folded


def every_name(merged: Mapping[str, str], folded: str) -> list[str]:
    """Returns all folded names that are one with this one, itself among them."""
    shown_as = merged.get(folded)
    return sorted(name for name, other in merged.items() if other == shown_as) if shown_as else [folded]


def _joined(said: Sequence[SameName]) -> dict[str, str]:
    shown_as: dict[str, str] = {}
    members: dict[str, set[str]] = {}  # shown name -> the folded names that it stands for
    for one in said:
        first = shown_as.get(fold(one.name), one.name)
        second = shown_as.get(fold(one.other), first)
        # a name that was shown before goes on being shown
        keep, drop = (second, first) if fold(one.name) not in shown_as else (first, second)
        group = members.pop(keep, set()) | members.pop(drop, set()) | one.folded
        members[keep] = group
        shown_as |= dict.fromkeys(group, keep)
    return shown_as
