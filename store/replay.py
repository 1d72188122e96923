"""Changes written elsewhere, made again here: the store's half of an import."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .errors import InvalidInput
from .note import Draft, Note
from .schema import note
from .store import Store

__all__ = ["Replayed", "replay"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """One change of an export.

    Attributes:
        op: ``"write"``, ``"revise"`` or ``"undo"``.
        id: of the note it wrote, or, without a draft, of the note it took away.
        replaces: id of the version before, if any.
        draft: what it wrote, with its id and, if times are kept, when; None for the undo of a first write.
    """

    op: str
    id: str
    replaces: str | None
    draft: Draft | None


def replay(store: Store, changes: Sequence[Replayed], *, progressed: Callable[[int], None] | None = None) -> int:
    """Makes changes again in their order, all or nothing; returns how many versions were written.

    An id that is taken by a note outside the importing scope is replaced by a new one: nobody learns of the other.

    Raises:
        InvalidInput: a change names a version that is not there.
    """
    drafts = [made.draft for made in changes if made.draft]
    with store.embedded(drafts, progressed), store.database.writing():
        taken = {item.id for item in store.notes.with_ids([made.id for made in changes if made.draft])}
        here: dict[str, Note] = {}
        waiting: list[Replayed] = []

        def flush() -> None:
            notes = store.add([_own(made, taken) for made in waiting])
            here.update((made.id, item) for made, item in zip(waiting, notes, strict=True))
            waiting.clear()

        for made in changes:
            if made.op == "write" and made.draft:
                waiting.append(made)
                continue
            flush()
            target = made.replaces if made.draft else made.id
            old = here.get(target or "") or _current(store, target or "")
            if made.draft:
                here[made.id] = store.replace(old, _own(made, taken), made.op)
            elif old.retired is None:
                store.retire(old)
        flush()
    return len(drafts)


def _own(made: Replayed, taken: set[str]) -> Draft:
    if made.draft is None:
        raise InvalidInput(f"the change of note {made.id} writes nothing")
    return replace(made.draft, id="") if made.id in taken else made.draft


def _current(store: Store, id: str) -> Note:
    found = store.notes.select(note.c.id == id, limit=1)
    if not found:
        raise InvalidInput(f"the export names a version {id!r} that is neither in it nor here")
    return found[0]
