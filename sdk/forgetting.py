"""Forgetting with a receipt that tells the truth."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from ..store.beside import copies_beside
from ..store.errors import StoreError
from ..store.gone import identity
from ..store.note import Note
from ..store.scrub import Needles, needles_of, scrub
from ..store.selection import Chosen
from ..store.sqlite import SQLite
from ..store.store import Store
from .receipt import Receipt, Step

__all__ = ["forget"]

_ELSEWHERE = "exports, backups and copies of the folder made before: forget the notes there too"
_NOT_ERASED = (
    "the bytes in the store's own files, until they are overwritten: `tercet doctor --erase` removes them; "
    "erasing while forgetting proves it, too"
)


def forget(store: Store, chosen: Chosen, *, scope: str, erase: bool) -> Receipt:
    """Forgets notes and their versions; with ``erase`` removes the bytes and has another process look for them.

    Where no note fits, nothing is changed, and there is nothing to look for.
    """
    name_of_store = identity(store.database)  # first: what is written later would fill the log again
    needles: list[Needles] = []

    def witness(victims: Sequence[Note], files: Sequence[Path]) -> None:
        if erase:
            needles.append(needles_of(store.database, victims, files))

    done = store.forget(chosen, before=witness)
    steps = [
        Step(name, "deleted", f"{count} removed, in the transaction of change {done.change}")
        for name, count in done.removed.items()
    ]
    if done.derived:
        told = f"{len(done.derived)} versions of notes made of them; write them again from what remains"
        steps.append(Step("derived notes", "deleted", told))
    if done.files:
        action = "NOT all deleted" if done.problem else "deleted"
        steps.append(Step("files", action, done.problem or f"{done.files} files of explicit memories unlinked"))
    if not done.notes:
        steps = [Step("notes", "nothing", "no note fits; nothing was changed")]
    scrubbed = scrub(store.database, needles[0]) if needles else None
    left = [_NOT_ERASED] if done.notes and not scrubbed else []
    if done.problem:
        left.append(f"files of explicit memories, until the next opening deletes them: {done.problem}")
    if scrubbed:
        steps += [Step(*step) for step in scrubbed.steps]
        left += [*scrubbed.left, *_beside(store, scrubbed.sought)]
    return Receipt(
        store=name_of_store,
        notes=tuple(item.id for item in done.notes),
        derived=tuple(item.id for item in done.derived),
        scope=scope,
        change=done.change,
        at=datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="seconds"),
        erased=scrubbed is not None and scrubbed.clean and not done.problem,
        steps=tuple(steps),
        uncovered=(_ELSEWHERE, *left),
    ).sealed()


def _beside(store: Store, sought: Sequence[bytes]) -> list[str]:
    """What lies beside the store's folder and holds what was erased; nobody deletes a person's backups."""
    if not isinstance(store.database, SQLite):
        return []
    try:
        found, _ = copies_beside(store.database.folder, sought)
    except (StoreError, OSError) as error:
        return [f"what lies beside the store, which could not be searched: {error}"]
    return [
        f"{name} beside the store, which holds {count} of the byte strings, until it is deleted"
        for name, count in sorted(found.items())
    ]
