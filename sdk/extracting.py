"""Facts that a language model reads in notes: what it would cost, doing it, and what it rests on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from ..engines.chat import ChatModel
from ..engines.extraction import FactReader, Reading, Refusal
from ..engines.screening import Screen, SecretFound, screened
from ..store.extracted import Extracted, extracted_of, unread
from ..store.note import Draft, Note
from ..store.readings import keep_readings
from ..store.store import Store
from .arguments import checked_count, filtered
from .current import still_current

__all__ = ["Extracting", "Extraction", "ExtractionCost"]

_MOST = 1_000_000  # notes in one go


@dataclass(frozen=True, slots=True)
class ExtractionCost:
    """What reading the notes that a model has not read yet would take.

    Attributes:
        notes: how many there are.
        requests: how often the model is asked, if it answers usably each time.
        tokens_in: of all questions together, by the model's own count.
        tokens_out: most tokens of all answers together.
    """

    notes: int
    requests: int
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class Extraction:
    """What came of reading notes.

    Attributes:
        notes: how many were read; those that were not, because the model said nothing usable, are read next time.
        facts: how many facts were kept.
        refused: what the model said and was not believed, or the memory's screen kept out, with the reason.
        requests: how often it was asked.
        tokens_in: of all questions together, by the model's own count.
        tokens_out: of all answers together.
    """

    notes: int
    facts: int
    refused: tuple[Refusal, ...]
    requests: int
    tokens_in: int
    tokens_out: int


class Extracting:
    """The part of `Memory` that lets a model read notes.

    Attributes:
        scope: the handle's scope.
    """

    scope: str
    _store: Store
    _screen: Screen | None

    def extract(
        self,
        model: ChatModel | FactReader,
        *,
        scope: str | None = None,
        origins: Collection[str] | None = None,
        limit: int | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> Extraction:
        """Lets a model read the notes it has not read yet, and keeps the facts that they support.

        A fact is kept with the words of its note that say so; what the note does not say is refused. Its
        ``extractor`` is the model's name, its confidence at most 0.8, and it never ends another fact. Notes are not
        changed. Each request is kept when it is answered, so that what was done stays done. What was forgotten,
        replaced or put in quarantine since this began is not sent any more.

        Args:
            model: a `LocalModel` or an `EndpointModel`; or a `FactReader`, to choose how much it is given at once.
            scope: a scope below the handle's own.
            origins: only notes of these origins.
            limit: at most so many notes, the oldest first, but last those of which the model said nothing usable.
            on_progress: called with how many more notes were read.

        Raises:
            EngineError: the model cannot be reached or fails; what was read before is kept.
        """
        reader = model if isinstance(model, FactReader) else FactReader(model)
        name = reader.model.name
        notes = kept = requests = tokens_in = tokens_out = 0
        refused: list[Refusal] = []
        for batch in reader.batches(self._unread(name, scope, origins, limit)):
            current = still_current(self._store, batch)
            done = reader.read(current) if current else Reading()
            found, kept_out = self._let_through(current, done)
            tried = [item.num for item in current if item.num not in done.found]
            kept += keep_readings(self._store, name, found, tried=tried)
            notes += len(done.found)
            refused += [*done.refused, *kept_out]
            requests, tokens_in = requests + done.requests, tokens_in + done.tokens_in
            tokens_out += done.tokens_out
            if on_progress:
                on_progress(len(batch))
        return Extraction(notes, kept, tuple(refused), requests, tokens_in, tokens_out)

    def extraction_cost(
        self,
        model: ChatModel | FactReader,
        *,
        scope: str | None = None,
        origins: Collection[str] | None = None,
        limit: int | None = None,
    ) -> ExtractionCost:
        """Returns what `extract` with the same arguments would take; the model only counts tokens, nothing is sent."""
        reader = model if isinstance(model, FactReader) else FactReader(model)
        notes = self._unread(reader.model.name, scope, origins, limit)
        costs = [reader.cost(batch) for batch in reader.batches(notes)]
        return ExtractionCost(len(notes), len(costs), sum(cost[0] for cost in costs), sum(cost[1] for cost in costs))

    def extracted(self, id: str) -> Sequence[Extracted]:
        """Returns what a model found in a note, each fact with the words that say so; nothing if none has read it.

        Raises:
            NoteNotFound: no such note in this scope.
        """
        item = self._store.notes.get(id, self.scope)
        with self._store.database.reading() as connection:
            return extracted_of(connection, [item.num]).get(item.num, ())

    def _let_through(
        self, notes: Sequence[Note], done: Reading
    ) -> tuple[dict[int, tuple[Extracted, ...]], list[Refusal]]:
        """Returns what was found as the screen lets it be kept, and what it keeps out."""
        if self._screen is None:
            return done.found, []
        ids = {item.num: item.id for item in notes}
        refused: list[Refusal] = []
        found: dict[int, tuple[Extracted, ...]] = {}
        for num, every in done.found.items():
            kept = []
            for one in every:
                try:
                    clean = screened(Draft(one.span, self.scope, facts=(one.fact,)), self._screen)
                except SecretFound as error:
                    refused.append(Refusal(ids[num], str(error), ""))
                else:
                    kept.append(Extracted(clean.facts[0], clean.text))
            found[num] = tuple(kept)
        return found, refused

    def _unread(self, model: str, scope: str | None, origins: Collection[str] | None, limit: int | None) -> list[Note]:
        most = _MOST if limit is None else checked_count(limit, "limit", _MOST)
        with self._store.database.reading() as connection:
            chosen = filtered(self.scope, self._store.notes.changes, scope=scope, origins=origins)
            nums = unread(connection, model, self._store.notes.among(chosen).conditions, most)
            found = self._store.notes.by_num(nums)
        return [found[num] for num in nums if num in found]
