"""Which notes belong together: the versions of one note, and what was made of others."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, or_, select

from .database import Database
from .errors import NoteNotFound
from .note import Note
from .notes import Notes
from .schema import note
from .scope import within
from .selection import Chosen
from .shown import shown
from .statements import rows_in

__all__ = ["Lineages"]

_BATCH = 500


class Lineages:
    """Reads which notes belong together; every method runs in the caller's transaction."""

    def __init__(self, database: Database, notes: Notes) -> None:
        self._database = database
        self._notes = notes

    def chosen(self, which: Chosen) -> list[str]:
        """Returns the ids of the first versions of the notes that are meant, in the order they were written.

        Raises:
            NoteNotFound: one of the ids names no note in the scope.
        """
        query = select(note.c.id, note.c.lineage, note.c.num)
        with self._database.reading() as connection:
            if not which.ids:
                rows = connection.execute(query.where(*which.conditions())).all()
            else:
                ids = [id for id in which.ids if isinstance(id, str) and id.isascii() and "\x00" not in id]
                rows = [
                    row
                    for start in range(0, len(ids), _BATCH)
                    for row in connection.execute(
                        query.where(within(which.scope), note.c.id.in_(ids[start : start + _BATCH]))
                    ).all()
                ]
                there = {row.id for row in rows}
                for id in which.ids:
                    if not isinstance(id, str) or id not in there:
                        raise NoteNotFound(f"no note {shown(id)} in scope {which.scope!r}; `tercet list` shows the ids")
        return list(dict.fromkeys(row.lineage for row in sorted(rows, key=lambda row: row.num)))

    def versions(self, lineages: Sequence[str]) -> list[Note]:
        """Returns every version of notes, oldest first."""
        found = []
        for start in range(0, len(lineages), _BATCH):
            part = lineages[start : start + _BATCH]
            later = and_(note.c.lineage.in_(part), note.c.replaces.is_not(None))
            found += self._notes.select(or_(note.c.id.in_(part), later))
        return sorted(found, key=lambda item: item.num)

    def derived(self, versions: Sequence[Note]) -> list[Note]:
        """Returns every version of what was made of these notes, and of what was made of that, oldest first."""
        made = "SELECT DISTINCT n.lineage FROM derived d JOIN note n ON n.num = d.note WHERE d.parent IN (?)"
        seen = set(self.roots(versions))
        found: list[Note] = []
        with self._database.reading() as connection:
            while versions:
                roots = {root for (root,) in rows_in(connection, made, [item.num for item in versions])} - seen
                seen |= roots
                versions = self.versions(sorted(roots))
                found += versions
        return sorted(found, key=lambda item: item.num)

    def roots(self, versions: Sequence[Note]) -> list[str]:
        """Returns the ids of the first versions of notes, in the order of their numbers."""
        of_each = "SELECT num, lineage FROM note WHERE num IN (?)"
        with self._database.reading() as connection:
            found = sorted(rows_in(connection, of_each, [item.num for item in versions]))
        return list(dict.fromkeys(lineage for _, lineage in found))

    def newest(self, ids: Sequence[str]) -> list[str]:
        """Returns the ids of what stands in the place of these versions now; those that nothing replaces stay."""
        found = []
        for version in self._notes.with_ids(ids):
            current = [item for item in self.versions(self.roots([version])) if item.retired is None]
            found.append((current or [version])[0].id)
        return list(dict.fromkeys(found))
