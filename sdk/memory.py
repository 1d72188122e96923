"""Memory: the face of the library."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..engines.embedder import MiniLM
from ..engines.rerank import Reranker
from ..engines.rules import RuleExtractor
from ..engines.screening import Screen
from ..store.draft import checked_moment, checked_text
from ..store.form import Embedder, Extractor
from ..store.near import Tiers
from ..store.note import Fact, Note
from ..store.postgres import is_url
from ..store.scope import checked_scope
from ..store.store import Store
from .arguments import FactInput, Moment, all_drafted, checked_count, checked_forms, drafted, filtered, within_budget
from .arranging import checked_diversity
from .asking import Asking
from .attending import attend
from .extracting import Extracting
from .history import Event, events
from .keeping import Keeping
from .reading import FORMS, likely, rank
from .recall import Recall, Recollection, Why
from .summarising import Summarising
from .timeline import Timeline, timeline

__all__ = ["Memory"]

_MOST = 1_000  # notes in one recall
_LISTED = 100_000  # notes in one listing


class Memory(Asking, Extracting, Summarising, Keeping):
    """What one scope remembers.

    A handle sees its own scope and everything below it, and nothing else. It may be used from several threads,
    and several processes may open the same place.

    Args:
        location: a folder, made if new, readable by its owner only; or the URL of a PostgreSQL database,
            ``postgresql://user:password@host/database``.
        scope: whose memory it is, for example ``"ada"`` or ``"ada/work"``.
        embedder: makes the vectors; None to go without. The default is all-MiniLM-L6-v2 from this machine.
        extractor: finds facts and names in the words; None to keep only the facts that are given.
        reranker: reads the best notes of every read again, for example `LateInteraction` or a `CrossEncoder`.
        screen: looks for secrets and personal data in whatever is to be written, for example `PatternScreen`.
        tiers: room for keys and values in RAM and on disk, and when they get it; None for `Tiers()`, save that RAM
            stays at what another handle of this process set.

    Raises:
        InvalidScope: the scope is malformed.
        FormMismatch: the vectors in the folder were made by another embedder.
        NewerStore: a later version of Tercet wrote the folder.
        MissingExtra: the default embedder is not installed.
    """

    def __init__(
        self,
        location: str | os.PathLike[str],
        *,
        scope: str,
        embedder: Embedder | None = MiniLM(),  # noqa: B008  (loads nothing, and every handle may share it)
        extractor: Extractor | None = RuleExtractor(),  # noqa: B008
        reranker: Reranker | None = None,
        screen: Screen | None = None,
        tiers: Tiers | None = None,
    ) -> None:
        self.scope = checked_scope(scope)
        self._screen = screen
        self._reranker = reranker
        place = os.fspath(location) if is_url(location) else Path(location)
        self._store = Store(place, embedder=embedder, extractor=extractor, scope=self.scope, tiers=tiers)

    def __repr__(self) -> str:
        return f"Memory({self._store.database.place!r}, scope={self.scope!r})"

    # write

    def write(
        self,
        text: str,
        *,
        speaker: str | None = None,
        source: str | None = None,
        thread: str | None = None,
        happened: Moment | None = None,
        facts: Sequence[FactInput] = (),
        origin: str | None = None,
        metadata: Mapping[str, object] | None = None,
        key: str | None = None,
        derived_from: Sequence[str] = (),
        scope: str | None = None,
    ) -> Note:
        """Remembers one note; it is durable and in every form when this returns.

        Args:
            text: the words, at most 1 MB.
            speaker: who said it.
            source: where, for example ``"chat:1"``.
            thread: the conversation it belongs to; turns of a thread follow each other in the order written.
            happened: when, as a date, a date-time, or ISO 8601 text (``"2024"``, ``"2024-03"``, ``"2024-03-09"``).
            facts: what it says as ``(subject, relation, object)``, or mappings that may also hold ``valid_from``
                and ``valid_to``.
            origin: ``"user"``, ``"tool"``, ``"web"``, ``"model"`` or ``"import"``; facts of web and model notes
                never end older ones. Left out: ``"model"`` for what was derived, else ``"user"``.
            metadata: JSON values of your own.
            key: idempotency key: writing the same key and content again writes nothing and returns the first note,
                even if that was revised or undone since (its ``retired`` says so); forgetting frees the key.
            derived_from: ids of the notes this was made of, for example those it sums up, in its scope or below.
                It is forgotten with any of them, and stale once one of them is revised or undone.
            scope: the handle's scope or one below it.

        Raises:
            InvalidInput: a value that cannot be stored; nothing was written.
            LimitExceeded: a value over its limit; nothing was written.
            KeyReused: the key was used with other content.
            NoteNotFound: it derives from a note that is not there.
        """
        draft = drafted(
            self.scope,
            {
                "text": text,
                "speaker": speaker,
                "source": source,
                "thread": thread,
                "happened": happened,
                "facts": facts,
                "origin": origin,
                "metadata": metadata,
                "key": key,
                "derived_from": derived_from,
                "scope": scope,
            },
            screen=self._screen,
        )
        return self._store.write([draft])[0]

    def write_many(
        self, drafts: Iterable[str | Mapping[str, Any]], *, on_progress: Callable[[int], None] | None = None
    ) -> list[Note]:
        """Remembers many notes at once, all or none.

        Args:
            drafts: texts, or mappings with the keywords of `write` and a ``text``.
            on_progress: called with how many more notes are prepared, for a progress bar.

        Returns:
            The notes, in order.

        Raises:
            InvalidInput: a draft cannot be stored; the message names its place, and nothing was written.
        """
        return self._store.write(all_drafted(self.scope, drafts, screen=self._screen), progressed=on_progress)

    # read

    def read(
        self,
        question: str,
        *,
        k: int = 5,
        as_of: Moment | None = None,
        known_at: Moment | int | None = None,
        scope: str | None = None,
        origins: Collection[str] | None = None,
        budget: int | None = None,
        by: Collection[str] = FORMS,
        least: float = 0.0,
        diversity: float = 0.0,
    ) -> Recall:
        """Recalls what fits a question; every form votes.

        Args:
            question: what is asked, in plain words; nothing in it is query syntax.
            k: most memories, 1 to 1,000.
            as_of: only what had happened by then.
            known_at: only what was known by then: a moment, or the number of a change.
            scope: a scope below the handle's own.
            origins: only notes of these origins, for example ``("user", "tool")`` before acting on what they say.
            budget: most tokens of all memories together (estimated); at least whole memories are kept.
            by: which forms may vote, out of ``words``, ``vectors``, ``triplets`` and ``graph``.
            diversity: how much a memory that repeats better ones steps back, 0 to 1; then best first means most new
                to say first, also for ``budget`` and for a prompt's.
            least: recall nothing at a smaller `Recall.confidence`, 0 to 1; 0.5 for questions about anything.

        Returns:
            At most ``k`` recollections, best first; none for a question without words.

        Raises:
            InvalidInput: no text, an unknown form, a number out of range, ``least`` where nothing gives a confidence.
        """
        words = checked_text(question, "the question")
        checked_count(k, "k", _MOST)
        by, spread = checked_forms(by), checked_diversity(diversity)
        with self._store.database.reading():
            chosen = filtered(
                self.scope, self._store.notes.changes, scope=scope, as_of=as_of, known_at=known_at, origins=origins
            )
            among = self._store.notes.among(chosen)
            ranking = rank(
                self._store,
                words,
                k,
                among=among,
                scope=chosen.scope,
                by=by,
                as_of=checked_moment(as_of, "as_of"),
                reranker=self._reranker,
                diversity=spread,
            )
            ranked = likely(ranking, least)
            notes = self._store.notes.by_num([one.num for one in ranked], known=chosen.known)
        every = [(notes[one.num], one) for one in ranked if one.num in notes and chosen.shows(notes[one.num])]
        found = [Recollection(item, one.score, Why(one.votes, one.path)) for item, one in every]
        kept, answers = within_budget(found, budget), ranking.answers if ranked else ()
        return Recall(words, kept, partial(attend, self._store), ranking.confidence, answers)

    def facts(
        self,
        *,
        subject: str | None = None,
        relation: str | None = None,
        object: str | None = None,
        as_of: Moment | None = None,
        known_at: Moment | int | None = None,
        scope: str | None = None,
        origins: Collection[str] | None = None,
        superseded: bool = False,
        limit: int | None = None,
    ) -> list[Fact]:
        """Returns facts, most confident first.

        Args:
            subject: only about this one; names are compared without case, articles and punctuation.
            relation: only this relation.
            object: only with this object.
            as_of: what was true then; left out, what holds now or is yet to begin, as far as is known.
            known_at: what was known then: a moment, or the number of a change.
            scope: a scope below the handle's own.
            origins: only what notes of these origins say.
            superseded: also facts whose place was taken or whose time is over.
            limit: at most so many.
        """
        with self._store.database.reading():
            chosen = filtered(self.scope, self._store.notes.changes, scope=scope, known_at=known_at, origins=origins)
            found = self._store.triplets.facts(
                self._store.notes.among(chosen),
                scope=chosen.scope,
                subject=checked_text(subject or "", "subject", limit=4_000),
                relation=checked_text(relation or "", "relation", limit=4_000),
                object=checked_text(object or "", "object", limit=4_000),
                as_of=checked_moment(as_of, "as_of"),
                superseded=superseded,
                limit=limit if limit is None else checked_count(limit, "limit", _LISTED),
            )
            stale = self._store.notes.descent.stale({id for fact in found for id in fact.notes}, known=chosen.known)
        return [replace(fact, stale=True) if stale.issuperset(fact.notes) else fact for fact in found]

    def timeline(
        self,
        question: str,
        *,
        as_of: Moment | None = None,
        known_at: Moment | int | None = None,
        scope: str | None = None,
        limit: int = 1_000,
    ) -> Timeline:
        """Returns what happened when, for ordering and counting questions, without a model; see `sdk.timeline`.

        Args:
            question: in plain words: "How many times did Ada run in May 2023?", "What came first, the move or the
                wedding?"
            as_of: only what had happened by then.
            known_at: only what was known by then: a moment, or the number of a change.
            scope: a scope below the handle's own.
            limit: most events, the earliest.

        Raises:
            InvalidInput: a question that is no text, or a ``limit`` out of range.
        """
        return timeline(self, question, as_of=as_of, known_at=known_at, scope=scope, limit=limit)

    def notes(
        self,
        *,
        speaker: str | None = None,
        source: str | None = None,
        thread: str | None = None,
        as_of: Moment | None = None,
        known_at: Moment | int | None = None,
        scope: str | None = None,
        origins: Collection[str] | None = None,
        held: bool = False,
        limit: int = 100,
    ) -> list[Note]:
        """Returns notes, newest first; filters only, no ranking. With ``held``, those in quarantine and no others."""
        checked_count(limit, "limit", _LISTED)
        chosen = filtered(
            self.scope,
            self._store.notes.changes,
            scope=scope,
            as_of=as_of,
            known_at=known_at,
            speaker=speaker,
            source=source,
            thread=thread,
            origins=origins,
            held=held,
        )
        return self._store.notes.select(*chosen.conditions(), newest=True, limit=limit, known=chosen.known)

    def get(self, id: str) -> Note:
        """Returns one note, current or replaced.

        Raises:
            NoteNotFound: no such note in this scope.
        """
        return self._store.notes.get(id, self.scope)

    def history(self, id: str) -> list[Event]:
        """Returns what happened to a note and its other versions, oldest first."""
        return events(self._store, self.get(id))

    # revise and undo

    def revise(
        self,
        id: str,
        text: str,
        *,
        happened: Moment | None = None,
        facts: Sequence[FactInput] = (),
        metadata: Mapping[str, object] | None = None,
        derived_from: Sequence[str] | None = None,
    ) -> Note:
        """Replaces a note by a newer version of it; the old one stays in its history.

        Args:
            id: of the note as it is now.
            text: the new words.
            happened: a new date; left out, the old one stays.
            facts: what the new words say; the old note's facts go with it.
            metadata: new values; left out, the old ones stay.
            derived_from: ids of the notes that the new words were made of; left out, those of the old note, as they
                are now.

        Raises:
            NoteNotFound: no such note in this scope.
            InvalidInput: the note was replaced before; the message names its newest version.
        """
        old = self.get(id)
        draft = drafted(
            self.scope,
            {
                "text": text,
                "speaker": old.speaker,
                "source": old.source,
                "thread": old.thread,
                "happened": old.happened if happened is None else happened,
                "facts": facts,
                "origin": old.origin,
                "metadata": old.metadata if metadata is None else metadata,
                "derived_from": self._store.lineages.newest(old.parents) if derived_from is None else derived_from,
                "scope": old.scope,
            },
            screen=self._screen,
        )
        return self._store.revise(old, draft)

    def undo(self, change: int) -> Note | None:
        """Undoes a write or a revision.

        Args:
            change: number of the change, as in ``note.change`` and `history`.

        Returns:
            The version that is current now; None after the undo of a first write.

        Raises:
            ChangeNotFound: no such change in this scope.
            CannotUndo: it is a forget, its note was forgotten, or something newer stands on it.
        """
        return self._store.undo(self._store.notes.changes.get(checked_count(change, "change", 2**62), self.scope))
