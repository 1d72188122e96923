"""The notes themselves: the truth that every form is made of."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import accumulate
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select

from .aliases import Aliases
from .changes import Changes
from .database import Database
from .descent import UNMADE, Descent
from .errors import KeyReused, NoteNotFound
from .form import Among
from .note import Draft, Note
from .note_rows import BY_NUM, WRITTEN, query, read, row, same_content
from .schema import note
from .scope import within
from .selection import Filter
from .shown import shown
from .sight import Sight
from .standing import Standing, Turn
from .statements import insert, rows, rows_in, run_in, run_many

__all__ = ["Notes", "Turn", "without"]

_BATCH = 500


@dataclass(frozen=True, slots=True)
class _End:
    """The last turn of a thread: its place, and the last turn that is not in quarantine, if any."""

    num: int | None
    position: int
    text: str


class Notes:
    """Reads and writes notes and their changes; every method runs in the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.changes = Changes(database)
        self.descent = Descent(database)
        self._sight = Sight(database)
        self._standing = Standing(database)

    # reading

    def among(self, chosen: Filter) -> Among:
        """Returns the notes that a filter admits, for a form to rank."""
        conditions = chosen.conditions()

        @cache
        def merged() -> Mapping[str, str]:
            return Aliases(self._database).merged(chosen.scope, known=chosen.known)

        return Among(conditions, cache(partial(self._sight.nums, chosen, conditions)), chosen, merged)

    def narrowed(self, among: Among, *conditions: ColumnElement[bool], key: Hashable) -> Among:
        """Returns those of the notes that fit some conditions too, which the key stands for."""
        every, key = (*among.conditions, *conditions), (among.key, key)
        return replace(among, conditions=every, nums=cache(partial(self._sight.nums, key, every)), key=key)

    def get(self, id: str, scope: str) -> Note:
        """Returns one note, current or not.

        Raises:
            NoteNotFound: no such note in this scope; a note of another scope looks the same.
        """
        found = self.find(id, scope)
        if found is None:
            raise NoteNotFound(f"no note {shown(id)} in scope {scope!r}; `tercet list` shows the ids")
        return found

    def find(self, id: str, scope: str) -> Note | None:
        """Returns one note, current or not, or None where there is none in this scope."""
        if not isinstance(id, str) or not id.isascii() or "\x00" in id:
            return None
        found = self.select(note.c.id == id, within(scope), limit=1)
        return found[0] if found else None

    def with_ids(self, ids: Sequence[str]) -> list[Note]:
        """Returns the notes that have one of these ids, in any scope."""
        parts = [ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH)]
        return [item for part in parts for item in self.select(note.c.id.in_(part))]

    def by_num(self, nums: Collection[int], *, known: int | None = None) -> dict[int, Note]:
        """Returns notes by number, as of a change; numbers without a note are left out."""
        with self._database.reading() as connection:
            found = rows_in(connection, BY_NUM, sorted(nums))
            return {item.num: item for item in self._read(found, known)}

    def select(
        self,
        *conditions: ColumnElement[bool],
        newest: bool = False,
        limit: int | None = None,
        known: int | None = None,
    ) -> list[Note]:
        """Returns notes in the order they were written, or newest first.

        Args:
            conditions: on table ``note``.
            newest: newest first.
            limit: at most so many.
            known: number of the change as of which they are called stale or not; None for now.
        """
        chosen = query().where(*conditions).order_by(note.c.num.desc() if newest else note.c.num).limit(limit)
        with self._database.reading() as connection:
            return self._read(connection.execute(chosen).all(), known)

    def batches(self, *conditions: ColumnElement[bool], size: int = _BATCH) -> Iterator[list[Note]]:
        """Yields all notes that fit, in the order they were written, a batch at a time."""
        last = 0
        while batch := self.select(note.c.num > last, *conditions, limit=size):
            yield batch
            last = batch[-1].num

    def revisions(self, lineage: str) -> list[Note]:
        """Returns every version of a note, oldest first."""
        return self.select(or_(note.c.id == lineage, and_(note.c.lineage == lineage, note.c.replaces.is_not(None))))

    def lineage(self, item: Note) -> str:
        """Returns the id of the first version of a note."""
        with self._database.reading() as connection:
            found: str | None = connection.scalar(select(note.c.lineage).where(note.c.num == item.num))
        if found is None:
            raise NoteNotFound(f"note {item.id!r} was forgotten meanwhile")
        return found

    def turns(self, nums: Collection[int]) -> dict[int, Turn]:
        """Returns where notes stand in their dialogues; notes without a thread are left out."""
        return self._standing.of(nums)

    def count(self, *conditions: ColumnElement[bool]) -> int:
        """Returns how many notes fit."""
        with self._database.reading() as connection:
            return connection.scalar(select(func.count()).select_from(note).where(*conditions)) or 0

    # writing

    def insert(self, drafts: Sequence[Draft]) -> tuple[list[Note], list[Note]]:
        """Writes drafts; one whose key was used before in its scope with the same content is not written again.

        Returns:
            (the note of every draft, in order; those that are new).

        Raises:
            KeyReused: a key was used before with other content.
            NoteNotFound: a note it was made of is not in its scope.
            InvalidInput: a note it was made of is in quarantine.
        """
        known, (seq, at) = self._keyed(drafts), self.changes.now()
        ends: dict[tuple[str, str], _End | None] = {}
        notes, fresh = [], []
        for draft, id in zip(drafts, _new_ids(len(drafts)), strict=True):
            item = known.get((draft.scope, draft.key or ""))
            if item is None:
                seq += 1
                where = (draft.scope, draft.thread)
                if draft.thread and where not in ends:
                    ends[where] = self._end_of_thread(*where)
                item = _new(draft, seq, at, id, after=ends.get(where) if draft.thread else None)
                fresh.append(item)
                if draft.thread:
                    ends[where] = _End(item.num, item.position, item.text)
                if draft.key:
                    known[draft.scope, draft.key] = item
            elif not same_content(item, draft) or set(item.parents) != set(draft.parents):
                raise KeyReused(
                    f"key {draft.key!r} already names note {item.id} with other content; "
                    "use a new key, or revise that note"
                )
            notes.append(item)
        self._store(fresh, "write", [item.id for item in fresh])
        self.descent.record(fresh)
        return notes, fresh

    def unwritten(self, drafts: Sequence[Draft]) -> list[Draft]:
        """Returns the drafts whose key, if they have one, names no note yet."""
        known = self._keyed(drafts)
        return [draft for draft in drafts if (draft.scope, draft.key or "") not in known]

    def replace(self, old: Note, draft: Draft, op: str) -> Note:
        """Writes a newer version of a note and retires the old one; turns after it now follow the new one."""
        seq, at = self.changes.now()
        new = _new(draft, seq + 1, at, *_new_ids(1), old=old)
        self._store([new], op, [self.lineage(old)])
        self.descent.record([new])
        with self._database.reading() as connection:
            connection.execute(note.update().where(note.c.num == old.num).values(retired=new.num))
            connection.execute(
                note.update().where(note.c.previous == old.num, note.c.num != new.num).values(previous=new.num)
            )
        return new

    def retire(self, old: Note, *, at: str = "") -> int:
        """Takes a note out of the present without forgetting it, now or when an export says it was.

        Returns:
            The number of the change.
        """
        last, now = self.changes.now()
        seq = last + 1
        self.changes.log([(seq, "undo", old.num, old.id, self.lineage(old), old.scope, at or now)])
        with self._database.reading() as connection:
            connection.execute(note.update().where(note.c.num == old.num).values(retired=seq))
            connection.execute(note.update().where(note.c.previous == old.num).values(previous=old.before))
        return seq

    def followers(self, nums: Collection[int], *, but: Collection[int] = ()) -> list[Note]:
        """Returns the notes whose turn before is one of these, except some."""
        wanted, those = sorted(nums), set(but)
        return [
            item
            for start in range(0, len(wanted), _BATCH)
            for item in self.select(note.c.previous.in_(wanted[start : start + _BATCH]))
            if item.num not in those
        ]

    def would_follow(self, turn: Note) -> list[Note]:
        """Returns the notes that follow the turn before this one because this one is held."""
        same = note.c.previous.is_(None) if turn.before is None else note.c.previous == turn.before
        of_thread = (note.c.scope == turn.scope, note.c.thread == turn.thread, note.c.thread != "")
        return self.select(*of_thread, note.c.position > turn.position, same)

    def mark(self, items: Sequence[Note], op: str, *, at: str = "") -> int:
        """Puts notes in quarantine, or releases them, now or when an export says it was.

        Returns:
            The number of the last change.
        """
        (seq, now), nums = self.changes.now(), [item.num for item in items]
        with self._database.reading() as connection:
            lineages = dict(rows_in(connection, "SELECT num, lineage FROM note WHERE num IN (?)", nums))
            marks = [(seq + place if op == "quarantine" else None, num) for place, num in enumerate(nums, 1)]
            run_many(connection, "UPDATE note SET held = ? WHERE num = ?", marks)
        self.changes.log(
            (seq + place, op, item.num, item.id, lineages[item.num], item.scope, at or now)
            for place, item in enumerate(items, 1)
        )
        return seq + len(items)

    def delete(self, victims: Sequence[Note], *, followers: Sequence[Note]) -> int:
        """Deletes rows and logs it; turns after them follow the turns before them, as if never written.

        Args:
            victims: what goes.
            followers: the turns after them that stay.

        Returns:
            The number of the last change.
        """
        (seq, at), nums = self.changes.now(), [victim.num for victim in victims]
        with self._database.reading() as connection:
            lineages = dict(rows_in(connection, "SELECT num, lineage FROM note WHERE num IN (?)", nums))
            self.follow(without(followers, victims))
            run_in(connection, "DELETE FROM note WHERE num IN (?)", nums)
        self.changes.log(
            (seq + place, "forget", victim.num, victim.id, lineages[victim.num], victim.scope, at)
            for place, victim in enumerate(victims, 1)
        )
        return seq + len(victims)

    def follow(self, moves: Mapping[int, int | None]) -> None:
        """Gives turns another turn before them: number -> number."""
        with self._database.reading() as connection:
            run_many(
                connection,
                "UPDATE note SET previous = ? WHERE num = ?",
                [(before, num) for num, before in moves.items()],
            )

    def _read(self, found: Sequence[Sequence[Any]], known: int | None) -> list[Note]:
        """Returns the notes of some rows: the number comes first in them, and whether it was made of others last."""
        made = self.descent.of([one[0] for one in found if one[-1]], known=known)
        return [read(one, made.get(one[0], UNMADE)) for one in found]

    def _store(self, items: Sequence[Note], op: str, lineages: Sequence[str]) -> None:
        rooted = list(zip(items, lineages, strict=True))
        with self._database.reading() as connection:
            insert(connection, note, WRITTEN, [row(item, root) for item, root in rooted])
        self.changes.log((i.num, op, i.num, i.id, root, i.scope, i.known) for i, root in rooted)

    def _end_of_thread(self, scope: str, thread: str) -> _End | None:
        with self._database.reading() as connection:
            last = rows(
                connection,
                "SELECT num, position, text, held, previous FROM note WHERE scope = ? AND thread = ? AND thread <> '' "
                "AND retired IS NULL ORDER BY position DESC, num DESC LIMIT 1",
                scope,
                thread,
            )
            if not last:
                return None
            num, position, words, held, previous = last[0]
            if held is None:
                return _End(num, position, words)
            shown_before = self.by_num([previous] if previous else [])
            return _End(previous, position, shown_before[previous].text if shown_before else "")

    def _keyed(self, drafts: Sequence[Draft]) -> dict[tuple[str, str], Note]:
        """Returns the notes that the drafts' keys name already."""
        keys = sorted({draft.key for draft in drafts if draft.key})
        return {
            (item.scope, item.key or ""): item
            for start in range(0, len(keys), _BATCH)
            for item in self.select(note.c.key.in_(keys[start : start + _BATCH]))
        }


def _new_ids(count: int) -> list[str]:
    """Returns random ids that lie close together: their index then changes in few pages, not in one for each."""
    digits = secrets.token_hex(8 + 4 * count)
    gaps = (1 + int(digits[at : at + 8], 16) for at in range(16, len(digits), 8))
    return [f"{id % 2**64:016x}" for id in accumulate(gaps, initial=int(digits[:16], 16))][1:]


def _new(draft: Draft, num: int, at: str, id: str, *, after: _End | None = None, old: Note | None = None) -> Note:
    """A note out of a draft: after the last turn of its thread, or in the place of the one it revises."""
    if old:
        position, before, previous = old.position, old.before, old.previous
    elif after:
        position, before, previous = after.position + 1, after.num, after.text
    else:
        position, before, previous = 0, None, ""
    return Note(
        num=num,
        id=draft.id or id,
        text=draft.text,
        scope=draft.scope,
        speaker=draft.speaker,
        source=draft.source,
        thread=draft.thread,
        position=position,
        happened=draft.happened,
        known=draft.known or at,
        origin=draft.origin,
        metadata=draft.metadata,
        facts=tuple(draft.facts),
        key=draft.key,
        retired=None,
        replaces=old.id if old else None,
        before=before,
        previous=previous,
        parents=tuple(draft.parents),
    )


def without(followers: Sequence[Note], gone: Sequence[Note]) -> dict[int, int | None]:
    """Returns, per turn, the number of the turn before it once others are gone."""
    before = {item.num: item.before for item in gone}
    found: dict[int, int | None] = {}
    for item in followers:
        place = item.before
        while place is not None and place in before:
            place = before[place]
        found[item.num] = place
    return found
