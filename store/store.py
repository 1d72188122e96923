"""The store: notes and their forms, changed together in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from . import in_memory
from .aliases import Aliases
from .changes import Change
from .database import Database
from .embeddings import Embeddings
from .errors import CannotUndo, InvalidInput, StoreError
from .forgotten import Forgotten
from .form import Embedder, Encoder, Extractor, Form, Vector
from .graph import Graph
from .lineages import Lineages
from .merging import Merging
from .migrations import VERSION, migrate, version_of
from .near import Near, Tiers, near
from .note import Draft, Note, spoken
from .notes import Notes
from .postgres import Postgres
from .progress import positions, reach
from .quarantine import Quarantine
from .quotas import Quotas
from .records import KeysValues
from .schema import note
from .selection import Chosen
from .sqlite import SQLite
from .triplets import Triplets
from .turns import Turns
from .words import Words
from .worth import note_uses

__all__ = ["Store"]

_BATCH = 256
_STEP = 64  # texts embedded between two reports of progress
_KEPT = ("text", "scope", "speaker", "source", "thread", "happened", "facts", "origin", "metadata", "parents")
Progressed = Callable[[int], None]
Witness = Callable[[Sequence[Note], Sequence[Path]], None]


@dataclass(frozen=True, slots=True)
class _Write:
    """What one caller wants written, with the vectors that were made for it."""

    drafts: Sequence[Draft]
    vectors: Mapping[str, Vector]
    form: Embeddings | None  # that made them


class Store:
    """Notes and their forms in one database.

    Args:
        location: a folder, made if new; or, as a string, the URL of a PostgreSQL database.
        scope: what reads may see, with all below it, where the database itself can hold them to it; None for all.
        embedder: for the form of vectors; None to go without.
        extractor: finds triplets and names; None to keep only what callers state.
        tiers: room for explicit memories; None for the usual room, and for what other handles set in RAM.

    Raises:
        NewerStore: a later version of Tercet wrote it.
        FormMismatch: the vectors were made by another embedder.
    """

    def __init__(
        self,
        location: Path | str,
        *,
        embedder: Embedder | None,
        extractor: Extractor | None,
        scope: str | None = None,
        tiers: Tiers | None = None,
    ) -> None:
        self.database: Database = Postgres(location, scope=scope) if isinstance(location, str) else SQLite(location)
        self.notes = Notes(self.database)
        self.aliases = Aliases(self.database)
        self.lineages = Lineages(self.database, self.notes)
        self.quotas = Quotas(self.database)
        self.words = Words(self.database)
        self._turns = Turns(self.notes, self.words)
        self._quarantine = Quarantine(self.database, self.notes, self.lineages, self._turns)
        self.triplets = Triplets(self.database, extractor)
        self.graph = Graph(self.database, extractor)
        self.vectors: Embeddings | None = self.database.vectors(embedder) if embedder else None
        self.tiers = tiers or Tiers()
        self.near = near(self.database.place, tiers.ram if tiers else None)
        self._record_uses: Counter[str] = Counter()
        self._writes: Merging[_Write, list[Note]] = Merging(self._write_together)
        try:
            self._open()
        except BaseException:
            self.database.close()
            raise

    @property
    def forms(self) -> tuple[Form, ...]:
        """Every form kept by this handle, in the order they are filled: the graph is made of the triplets."""
        return (self.words, *([self.vectors] if self.vectors else []), self.triplets, self.graph)

    def keys_values(self, encoder: Encoder | None = None) -> KeysValues:
        """Returns the form of explicit memories for one model."""
        return KeysValues(self.database, encoder, tiers=self.tiers, uses=self._record_uses, near=self.near)

    # the four verbs

    def write(self, drafts: Sequence[Draft], *, progressed: Progressed | None = None) -> list[Note]:
        """Writes drafts and everything derived from them, all or nothing; returns their notes in order."""
        with self.embedded(self.notes.unwritten(drafts), progressed) as form:
            return self._writes.run(_Write(drafts, form.staged() if form else {}, form))

    def revise(self, old: Note, draft: Draft, *, op: str = "revise") -> Note:
        """Replaces a current note by a newer version; all forms change with it.

        Raises:
            InvalidInput: the note was replaced or undone before, or is in quarantine.
            NoteNotFound: it was forgotten meanwhile.
        """
        with self.embedded([draft]), self.changing():
            now = self.notes.get(old.id, old.scope)
            if now.retired is not None:
                raise InvalidInput(f"note {old.id} is not current any more; its history names the newest version")
            if now.held is not None:
                raise InvalidInput(f"note {old.id} is in quarantine; release it first")
            made = self.replace(now, draft, op)
        self.keys_values().follow()
        return made

    def forget(self, chosen: Chosen, *, before: Witness | None = None) -> Forgotten:
        """Takes notes out of all forms and deletes them: every version, and all that was made of them.

        Args:
            chosen: which notes; where none fits, nothing is changed.
            before: called with all versions and their files while they are still there, in the same transaction.

        Raises:
            NoteNotFound: an id names no note in the scope; nothing was forgotten.
        """
        with self.changing():
            meant = tuple(self.lineages.versions(self.lineages.chosen(chosen)))
            if not meant:
                return Forgotten((), (), self.notes.changes.last(), {}, 0, "")
            derived = tuple(self.lineages.derived(meant))
            victims = (*meant, *derived)
            ids, nums = [item.id for item in victims], [item.num for item in victims]
            keys_values = self.keys_values()
            counts = {form.name: form.count() for form in (*self.forms, keys_values)}
            doomed = keys_values.files(nums)
            if before:
                before(victims, doomed)
            named = self.aliases.named_in(nums)
            with self._turns.after(nums, but=nums) as after:
                for form in (*self.forms, keys_values):
                    form.remove(ids)
                seq = self.notes.delete(victims, followers=after)
            self.aliases.prune(named)
            removed = {form.name: counts[form.name] - form.count() for form in (*self.forms, keys_values)}
            self._reach(seq)
        keys_values.follow()
        problem = keys_values.delete(doomed)
        in_memory.drop(self.database.place)
        return Forgotten(meant, derived, seq, {"notes": len(victims), **removed}, len(doomed), problem)

    def quarantine(self, chosen: Chosen) -> list[Note]:
        """Puts notes in quarantine, with every version and all that was made of them; returns those that were not.

        Raises:
            NoteNotFound: an id names no note in the scope; nothing was changed.
        """
        with self.changing():
            items = self._quarantine.to_hold(chosen)
            if items:
                self.hold(items)
        return items

    def release(self, chosen: Chosen) -> list[Note]:
        """Takes notes out of quarantine, with what was held along with them; returns those that were in it.

        Raises:
            NoteNotFound: an id names no note in the scope; nothing was changed.
        """
        with self.changing():
            items = self._quarantine.to_release(chosen)
            if items:
                self.let_go(items)
        return items

    def undo(self, made: Change) -> Note | None:
        """Undoes a write or a revision.

        Args:
            made: the change.

        Returns:
            The note that is current now: a new version with the words of the one before; None after the undo
            of a first write.

        Raises:
            CannotUndo: something newer stands on it, it is no write and no revision, or its note was forgotten.
        """
        current = self._undoable(made)
        if current.replaces is None:
            with self.changing():
                self.retire(self._undoable(made))
            self.keys_values().follow()
            return None
        earlier = next(item for item in self.notes.revisions(made.lineage) if item.id == current.replaces)
        draft = Draft(**{name: getattr(earlier, name) for name in _KEPT})
        return self.revise(current, draft, op="undo")

    # the same inside a transaction, for imports

    @contextmanager
    def changing(self) -> Iterator[None]:
        """A transaction in which every form has seen all that was written before it.

        A handle with fewer forms, for example one without an embedder, may have written to the same folder.
        """
        try:
            with self.database.writing():
                self._catch_up()
                yield
        except BaseException:
            self.quotas.recount()
            raise

    @contextmanager
    def embedded(
        self, drafts: Sequence[Draft | Note], progressed: Progressed | None = None
    ) -> Iterator[Embeddings | None]:
        """Embeds texts ahead of the transaction that is opened inside, so that no model runs while others wait.

        Yields:
            The form that holds the vectors until then.
        """
        form = self.vectors
        try:
            for start in range(0, len(drafts), _STEP):
                part = drafts[start : start + _STEP]
                if form:
                    form.stage([spoken(draft) for draft in part])
                if progressed:
                    progressed(len(part))
            yield form
        finally:
            if form:
                form.unstage()

    def add(self, drafts: Sequence[Draft]) -> list[Note]:
        """Adds drafts to the notes and to every form."""
        notes, fresh = self.notes.insert(drafts)
        if fresh:
            self.quotas.check(fresh)
            for form in self.forms:
                form.add(fresh)
            self._reach(fresh[-1].num)
        return notes

    def _write_together(self, writes: Sequence[_Write]) -> list[list[Note] | Exception]:
        """Adds the drafts of several callers in one transaction; a caller's mistake is that caller's alone."""
        if self.vectors:
            for write in writes:
                if write.form is self.vectors:  # and not of the embedder before
                    self.vectors.lend(write.vectors)
        with self.changing():
            if len(writes) == 1:
                return [self.add(writes[0].drafts)]
            try:
                with self.database.savepoint():
                    notes = iter(self.add([draft for write in writes for draft in write.drafts]))
                    return [list(islice(notes, len(write.drafts))) for write in writes]
            except DBAPIError:  # the file's trouble is everybody's
                raise
            except Exception:  # noqa: BLE001  (whoever made it gets it back: it may be a caller's own extractor)
                return [self._add_alone(write) for write in writes]

    def _add_alone(self, write: _Write) -> list[Note] | Exception:
        try:
            with self.database.savepoint():
                return self.add(write.drafts)
        except DBAPIError:
            raise
        except Exception as error:  # noqa: BLE001  (raised again in the thread of its caller)
            return error

    def replace(self, old: Note, draft: Draft, op: str) -> Note:
        """Adds a newer version of a note; the old one stays in the forms, for reads of the past."""
        with self._turns.after([old.num]):
            new = self.notes.replace(old, draft, op)
            self.quotas.check([new])
            for form in self.forms:
                form.add([new])
        self._reach(new.num)
        return new

    def retire(self, current: Note, *, at: str = "") -> None:
        """Takes a note out of the present, now or when an export says it was."""
        with self._turns.after([current.num]):
            seq = self.notes.retire(current, at=at)
        self._reach(seq)

    def hold(self, items: Sequence[Note], *, at: str = "") -> None:
        """Puts notes in quarantine, now or when an export says it was."""
        self._reach(self._quarantine.hold(items, at=at))

    def let_go(self, items: Sequence[Note], *, at: str = "") -> None:
        """Takes notes out of quarantine, now or when an export says it was."""
        self._reach(self._quarantine.let_go(items, at=at))

    # care

    def rebuild(self, names: Sequence[str], *, progressed: Progressed | None = None) -> None:
        """Drops forms and makes them again from the words, all or nothing."""
        chosen = [form for form in self.forms if form.name in names]
        with self.database.overseeing():
            every = self.notes.select() if self.vectors in chosen else []
        with self.embedded(every, progressed), self.database.writing():
            for form in chosen:
                form.clear()
            for batch in self.notes.batches(size=_BATCH):
                for form in chosen:
                    form.add(batch)
            reach(self.database, [form.name for form in chosen], self.notes.changes.last())

    def close(self) -> None:
        """Closes the files; which explicit memories were used is written down, unless the store is busy."""
        try:
            if self._record_uses:
                with suppress(StoreError), self.database.overseeing(), self.database.writing() as connection:
                    note_uses(connection, self._record_uses)
        finally:
            self.near = Near(0)  # others may hold what was shared
            self.database.close()

    def _open(self) -> None:
        with self.database.reading() as connection:
            version = version_of(connection)
        if version != VERSION:
            with self.database.writing() as connection:
                migrate(connection)
        if self.vectors and not self.vectors.remembered():
            with self.database.writing():
                self.vectors.remember()
        with self.database.overseeing():
            self._catch_up()
            self.keys_values().collect()

    def _catch_up(self) -> None:
        """Gives each form what was written while it was not open, for example without an embedder."""
        last, seen = self.notes.changes.last(), positions(self.database)
        for form in self.forms:
            if seen.get(form.name, 0) < last:
                for batch in self.notes.batches(note.c.num > seen.get(form.name, 0), size=_BATCH):
                    with self.database.writing():
                        form.add(batch)
                        reach(self.database, [form.name], batch[-1].num)

    def _reach(self, seq: int) -> None:
        # records hang on rows of notes: what is kept of them has always seen the last change
        reach(self.database, [*(form.name for form in self.forms), KeysValues.name], seq)

    def _undoable(self, made: Change) -> Note:
        """Returns the version that a change wrote, if nothing stands on it."""
        wrote = self.notes.find(made.note, made.scope)
        if made.op == "forget" or wrote is None:
            raise CannotUndo(f"the note of change {made.seq} was forgotten; what was forgotten cannot be brought back")
        if made.op in ("quarantine", "release"):
            back = "release the note" if made.op == "quarantine" else "put it in quarantine again"
            raise CannotUndo(f"change {made.seq} is a {made.op}; {back}")
        if made.num != made.seq:
            raise CannotUndo(f"change {made.seq} took a note back; to have it, write it again, without the key it had")
        if wrote.held is not None:
            raise CannotUndo(f"the note of change {made.seq} is in quarantine; release it first, or forget it")
        if wrote.retired is not None:
            of_note = self.notes.changes.of([item.num for item in self.notes.revisions(made.lineage)])
            newest = next(done for done in reversed(of_note) if done.op not in ("quarantine", "release"))
            mend = f"undo change {newest.seq} first" if newest.num == newest.seq else "its note was taken back already"
            raise CannotUndo(f"change {made.seq} is no longer the last of its note; {mend}")
        return wrote
