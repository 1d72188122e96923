"""What is done with notes that are there: forgetting them, and keeping the memory in order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from ..engines.rerank import Reranker
from ..engines.screening import Screen
from ..store.checks import Finding
from ..store.draft import checked_text
from ..store.errors import InvalidInput
from ..store.form import Embedder
from ..store.note import Note
from ..store.quotas import Limit
from ..store.reembedding import embed_with
from ..store.scope import checked_scope, covers
from ..store.selection import Filter
from ..store.store import Store
from .arguments import checked_count, checked_forms, chosen
from .attending import explicit, reranked
from .exchange import export_lines, import_lines
from .forgetting import forget
from .history import FormState, Stats
from .reading import FORMS
from .recall import Recall
from .receipt import Receipt
from .verifying import verify

__all__ = ["Keeping"]

_AT_ONCE = 64  # notes that are encoded in one transaction


class Keeping:
    """The half of `Memory` that does not write and does not read.

    Attributes:
        scope: the handle's scope.
    """

    scope: str
    _store: Store
    _screen: Screen | None
    _reranker: Reranker | None

    def stats(self) -> Stats:
        """Returns how much is remembered in this scope, and what each form of the whole store holds."""
        with self._store.database.reading():
            among = self._store.notes.among(Filter(self.scope))
            return Stats(
                notes=self._store.notes.count(*among.conditions),
                facts=len(self._store.triplets.facts(among, scope=self.scope)),
                bytes=self._store.database.size(),
                change=self._store.notes.changes.last(),
                forms=self._states(),
            )

    def _states(self) -> dict[str, FormState]:
        with self._store.database.overseeing():
            return {
                form.name: FormState(form.count(), form.applied())
                for form in (*self._store.forms, self._store.keys_values())
            }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the files; a closed handle must not be used again."""
        self._store.close()

    # keys and values

    def encode(self, *ids: str, model: Any, tokenizer: Any = None) -> None:  # noqa: ANN401
        """Makes the keys and values of notes for a model, and keeps them on disk, ahead of their first use.

        `Recall.attend` makes those that are missing, and keeps them once they are used twice.

        Args:
            ids: of the notes; without ids, every note of the scope that is current.
            model: a transformers causal language model, or a `tercet.engines.LocalModel`.
            tokenizer: the model's own; found by the model's name or folder when left out.

        Raises:
            NoteNotFound: one of the ids does not exist in this scope.
            UnsupportedModel: the injection gate refused the model; the message says why.
        """
        form = explicit(self._store, model, tokenizer)
        if ids:
            form.add([self._store.notes.get(id, self.scope) for id in ids])
            return
        with self._store.database.reading():
            nums = self._store.notes.among(Filter(self.scope)).nums().tolist()
        for start in range(0, len(nums), _AT_ONCE):
            found = self._store.notes.by_num(nums[start : start + _AT_ONCE])
            form.add(list(found.values()))

    def reranked(
        self,
        recall: Recall,
        *,
        model: Any,  # noqa: ANN401
        tokenizer: Any = None,  # noqa: ANN401
        heads: Sequence[tuple[int, int]] | None = None,
    ) -> Recall:
        """Returns a recall reordered by what a local model's own queries find in the keys of its memories.

        To be given more than is wanted, and cut: ``memory.reranked(memory.read(question, k=20), model=model)[:5]``.
        Whether it helps is the model's own affair; see the figures in docs/attention.md.

        Args:
            recall: of this memory.
            model: a transformers causal language model, or a `tercet.engines.LocalModel`.
            tokenizer: the model's own; found by the model's name or folder when left out.
            heads: query heads that are heard, from `tercet.engines.attention.own_keys.best_heads`; left out, all.

        Raises:
            UnsupportedModel: the injection gate refused the model; the message says why.
        """
        return reranked(self._store, recall, model, tokenizer, heads)

    # what goes

    def matching(
        self,
        *ids: str,
        speaker: str | None = None,
        source: str | None = None,
        thread: str | None = None,
        origin: str | None = None,
        scope: str | None = None,
    ) -> list[Note]:
        """Returns what `forget` would take with these arguments: every version, oldest first.

        What was derived from them comes after them; what of it is above this handle's scope goes too, unseen.
        """
        which = chosen(
            self.scope, ids, what="matching", speaker=speaker, source=source, thread=thread, origin=origin, scope=scope
        )
        with self._store.database.reading():
            found = self._store.lineages.versions(self._store.lineages.chosen(which))
            return found + [item for item in self._store.lineages.derived(found) if covers(self.scope, item.scope)]

    def forget(
        self,
        *ids: str,
        speaker: str | None = None,
        source: str | None = None,
        thread: str | None = None,
        origin: str | None = None,
        scope: str | None = None,
        erase: bool = False,
    ) -> Receipt:
        """Forgets notes with every earlier version of them, and all that was derived from them, all or none.

        Args:
            ids: of the notes; without ids, every note that fits all of the following, in any of its versions.
            speaker: what this one said.
            source: what was said there.
            thread: what belongs to this conversation.
            origin: what is of this origin, for example ``"web"``.
            scope: the handle's scope or one below it; alone, everything in it and below it.
            erase: also remove the bytes from the files, and have another process look for them.

        Returns:
            What was done, with its proof, and what could not be reached. Where no note fits a filter, a receipt
            of no notes: forgetting the same twice is no mistake.

        Raises:
            NoteNotFound: one of the ids does not exist in this scope; nothing was forgotten.
            InvalidInput: ids together with filters, neither of them, or an empty filter; nothing was forgotten.
        """
        which = chosen(
            self.scope, ids, what="forget", speaker=speaker, source=source, thread=thread, origin=origin, scope=scope
        )
        receipt = forget(self._store, which, scope=self.scope, erase=erase)
        clear = getattr(self._reranker, "clear", None)
        if clear is not None:  # what it has read may be kept, and is nobody's any more
            clear()
        return receipt

    def quarantine(
        self,
        *ids: str,
        speaker: str | None = None,
        source: str | None = None,
        thread: str | None = None,
        origin: str | None = None,
        scope: str | None = None,
    ) -> int:
        """Sets notes aside, with every version and all that was derived from them, until they are released.

        What is in quarantine is in no read, no fact, no graph and no listing save ``notes(held=True)``; reads of what
        was known before still see it. It can be looked at by its id, forgotten, and released, but not revised.

        Args:
            ids: of the notes; without ids, every note that fits all of the following, in any of its versions.
            speaker: what this one said.
            source: what was said there.
            thread: what belongs to this conversation.
            origin: what is of this origin, for example ``"web"``.
            scope: the handle's scope or one below it; alone, everything in it and below it.

        Returns:
            How many notes were set aside that were not before.

        Raises:
            NoteNotFound: one of the ids does not exist in this scope; nothing was changed.
            InvalidInput: ids together with filters, neither of them, or an empty filter; nothing was changed.
        """
        fields = {"speaker": speaker, "source": source, "thread": thread, "origin": origin, "scope": scope}
        held = self._store.quarantine(chosen(self.scope, ids, what="quarantine", **fields))
        return _counted(held)

    def release(
        self,
        *ids: str,
        speaker: str | None = None,
        source: str | None = None,
        thread: str | None = None,
        origin: str | None = None,
        scope: str | None = None,
    ) -> int:
        """Takes notes out of quarantine; they are as they were before.

        What was set aside because it derived from them comes back too, unless something else it derives from is
        still held. The arguments and the errors are those of `quarantine`.

        Returns:
            How many notes came back.
        """
        fields = {"speaker": speaker, "source": source, "thread": thread, "origin": origin, "scope": scope}
        return _counted(self._store.release(chosen(self.scope, ids, what="release", **fields)))

    def verify(self, receipt: Receipt, *, look_for: Sequence[str] = ()) -> list[Finding]:
        """Looks up anew what a receipt says: that its notes are in no table, form and file, and nobody changed it.

        Args:
            receipt: what `forget` returned, also one read from a file with `Receipt.from_dict`.
            look_for: words of what was forgotten, which the receipt does not hold: another process searches every
                file of the store for them.

        Returns:
            One finding per thing looked at, each ``"ok"``, ``"warn"`` or ``"fail"``; it is true of now, not for ever.

        Raises:
            InvalidScope: the receipt is of a scope outside this handle.
            InvalidInput: words too short to look for.
        """
        checked_scope(receipt.scope, below=self.scope)
        if isinstance(look_for, str):
            raise InvalidInput("look_for is a list of words; put the one into a list")
        return verify(self._store, receipt, [checked_text(words, "look_for") for words in look_for])

    # limits

    def limit(self, *, scope: str | None = None, notes: int | None = None, bytes: int | None = None) -> None:
        """Limits what a scope may hold with all scopes below it; what would pass a limit is refused, by any handle.

        Both limits are set anew at each call. Reads and forgets work at any size, and a limit below what is held
        already stops new writes only.

        Args:
            scope: the handle's scope or one below it.
            notes: most notes, every version counted; None for no limit.
            bytes: most bytes of text as UTF-8, every version counted; None for no limit.
        """
        where = checked_scope(self.scope if scope is None else scope, below=self.scope)
        most = {"notes": notes, "bytes": bytes}
        checked = {name: checked_count(n, name, 2**62, least=0) for name, n in most.items() if n is not None}
        with self._store.database.writing():
            self._store.quotas.set(where, notes=checked.get("notes"), size=checked.get("bytes"))

    def limits(self) -> dict[str, Limit]:
        """Returns the limits of this scope and of those below it, with what is used of them."""
        with self._store.database.reading():
            return self._store.quotas.limits(self.scope)

    # care

    def single_valued(self, relation: str, *, single: bool = True) -> None:
        """Says that a relation has one value at a time in this scope and below: a newer value ends the older one."""
        name = checked_text(relation, "relation", limit=4_000)
        with self._store.database.writing():
            self._store.triplets.relations.declare(name, scope=self.scope, single=single)

    def rebuild(self, *, forms: Collection[str] = FORMS, on_progress: Callable[[int], None] | None = None) -> None:
        """Drops forms of the whole store and makes them again from the words."""
        self._store.rebuild(checked_forms(forms), progressed=on_progress)

    def embed_with(self, embedder: Embedder, *, on_progress: Callable[[int], None] | None = None) -> None:
        """Moves the whole store to another embedder; the old vectors serve until every note has its new one.

        It may be interrupted and called again: what was embedded stays. Other handles that are open with the old
        embedder raise `FormMismatch` from then on.
        """
        embed_with(self._store, embedder, progressed=on_progress)

    def export(self) -> Iterator[str]:
        """Yields this scope as JSON Lines: a header, then every note with its versions, oldest first."""
        return export_lines(self._store, self.scope)

    def import_(self, lines: Iterable[str], *, on_progress: Callable[[int], None] | None = None) -> int:
        """Takes an export in, all or nothing; notes that are here already with the same content are skipped.

        Returns:
            How many notes were new.

        Raises:
            InvalidInput: a line is malformed or belongs to a scope outside this handle; nothing was written.
        """
        return import_lines(self._store, lines, scope=self.scope, on_progress=on_progress, screen=self._screen)


def _counted(versions: Sequence[Note]) -> int:
    """How many notes these versions belong to."""
    older = {version.replaces for version in versions}
    return sum(1 for version in versions if version.id not in older)
