"""Changes written elsewhere, made again here: the store's half of an import."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .errors import InvalidInput
from .note import Draft, Note
from .note_rows import same_content
from .shown import shown
from .store import Store

__all__ = ["Replayed", "is_new", "replay"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """One change of an export.

    Attributes:
        op: ``"write"``, ``"revise"``, ``"undo"``, ``"quarantine"`` or ``"release"``.
        id: of the note it wrote, or, without a draft, of the note it took away, held or released.
        replaces: id of the version before, if any.
        draft: what it wrote, with its id and, if times are kept, when; None for what wrote nothing.
        at: when that was done, if times are kept; empty for now.
    """

    op: str
    id: str
    replaces: str | None
    draft: Draft | None
    at: str = ""


def replay(
    store: Store, changes: Sequence[Replayed], *, scope: str, progressed: Callable[[int], None] | None = None
) -> int:
    """Makes changes again in their order, all or nothing; returns how many versions were written.

    An id that is taken by a note outside the importing scope is replaced by a new one: nobody learns of the other.

    Args:
        store: where.
        changes: what.
        scope: of the handle; no change reaches a note outside it.
        progressed: called with how many more drafts are prepared.

    Raises:
        InvalidInput: two changes write the same id, or a change names a version that is not there, is not current,
            or belongs to another scope than what replaces it.
    """
    drafts = [made.draft for made in changes if made.draft]
    ids = [draft.id for draft in drafts]
    if len(set(ids)) < len(ids):
        twice = next(id for place, id in enumerate(ids) if id in ids[:place])
        raise InvalidInput(f"the export writes note {twice} twice")
    with store.embedded(drafts, progressed), store.changing():
        before = store.notes.count()
        taken = {item.id for item in store.notes.with_ids(ids)}
        # another process may have imported the same meanwhile
        changes = [made for made in changes if made.id not in taken or is_new(store, made, scope)]
        here: dict[str, str] = {}  # id in the export -> id in this store
        waiting: list[Replayed] = []
        last = {made.id: made for made in changes if made.op in ("quarantine", "release")}

        def flush() -> None:
            notes = store.add([_own(made, taken) for made in waiting])
            here.update((made.id, item.id) for made, item in zip(waiting, notes, strict=True))
            waiting.clear()

        for made in changes:
            if made.op == "write" and made.draft and not made.draft.parents:
                waiting.append(made)
                continue
            flush()
            if made.draft:
                made = replace(made, draft=replace(made.draft, parents=[here.get(id, id) for id in made.draft.parents]))
            if made.op == "write":
                waiting.append(made)
                continue
            target = (made.replaces if made.draft else made.id) or ""
            # asked for anew each time: the changes before this one may have given it another turn before
            old = store.notes.find(here.get(target, target), scope)
            if old is None:
                raise InvalidInput(f"the export names a version {shown(target)} that is neither in it nor here")
            if made.draft:
                here[made.id] = _replaced(store, old, _own(made, taken), made.op).id
            elif made.op == "undo":
                if old.retired is None:
                    store.retire(old, at=made.at)
            # what was here before keeps to what was decided here, save that it is held if it is held there
            elif made.id in here or (made.op == "quarantine" and last[made.id] is made):
                if made.op == "quarantine" and old.held is None:
                    store.hold([old], at=made.at)
                elif made.op == "release" and old.held is not None:
                    store.let_go([old], at=made.at)
        flush()
        return store.notes.count() - before


def is_new(store: Store, made: Replayed, scope: str) -> bool:
    """Returns whether a change is not here already.

    Raises:
        InvalidInput: its note is here with other content.
    """
    here = store.notes.find(made.id, scope)
    if here is None or made.draft is None:
        return True
    if not same_content(here, made.draft):
        raise InvalidInput(f"note {made.id} is here already with other content; forget it first, or import elsewhere")
    return False


def _own(made: Replayed, taken: set[str]) -> Draft:
    if made.draft is None:
        raise InvalidInput(f"the change of note {made.id} writes nothing")
    return replace(made.draft, id="") if made.id in taken else made.draft


def _replaced(store: Store, old: Note, draft: Draft, op: str) -> Note:
    if old.retired is not None:
        raise InvalidInput(f"the export revises note {old.id}, which was revised or undone here before")
    if old.scope != draft.scope:
        raise InvalidInput(f"the export moves note {old.id} from scope {old.scope!r} to {draft.scope!r}")
    return store.replace(old, draft, op)
