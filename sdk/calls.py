"""Calls carried out on a memory: facts read and written as a model asks for them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ..engines.calls.grammar import Call, parse_call
from ..engines.calls.outcome import Outcome
from ..store.errors import InvalidInput, LimitExceeded, NoteNotFound
from ..store.likeness import spelt_like
from ..store.names import fold
from ..store.note import Fact
from .arguments import Moment, checked_count, filtered
from .memory import Memory

__all__ = ["Calls"]

_SIDES = ("subject", "relation", "object")
_MOST = 1_000


class Calls:
    """What a model may do with one memory by calls.

    Names are taken as they are written, case, articles and possessives aside, and under every name that a person said
    is the same; only a name that the memory does not know is looked for among those that differ in one letter, two
    neighbouring letters or accents. If there is one such name, it is meant; if there are several, none is guessed.

    Args:
        memory: whose facts are read, and where facts are written; nothing outside its scope is seen or touched.
        as_of: what was true then; left out, what holds now.
        known_at: only what was known then: a moment, or the number of a change.
        scope: a scope below the handle's own, to read and write in.
        origins: read only what notes of these origins say, for example ``("user", "tool")`` before acting on it.
        most: a read of more values tells the model nothing: it asked for too much.
        source: where what is written comes from, to find, quarantine or forget it by.
        thread: the conversation that what is written belongs to.
        derived_from: ids of the notes the model was given; what it writes goes when they are forgotten.
    """

    def __init__(
        self,
        memory: Memory,
        *,
        as_of: Moment | None = None,
        known_at: Moment | int | None = None,
        scope: str | None = None,
        origins: Collection[str] | None = None,
        most: int = 10,
        source: str = "call",
        thread: str | None = None,
        derived_from: Sequence[str] = (),
    ) -> None:
        self._memory = memory
        self._which: dict[str, Any] = {"as_of": as_of, "known_at": known_at, "scope": scope, "origins": origins}
        self._scope = scope
        self._most = checked_count(most, "most", _MOST)
        self._source = source
        self._thread = thread
        self._derived_from = derived_from

    def run(self, call: Call | str) -> Outcome:
        """Carries a call out.

        What the memory refuses, such as a name of two thousand characters, is an outcome and no error: a model made
        the call, and somebody waits for its answer.

        Raises:
            InvalidInput: a text that is no call.
        """
        call = parse_call(call) if isinstance(call, str) else call
        try:
            return self._read(call) if call.verb == "read" else self._write(call)
        except (InvalidInput, LimitExceeded, NoteNotFound) as error:
            return Outcome(call, "refused", why=str(error))

    def _read(self, call: Call) -> Outcome:
        used, facts = call, self._facts(call)
        if not facts:
            meant = self._meant(call)
            if isinstance(meant, Outcome):
                return meant
            used = meant
            facts = self._facts(used) if used != call else []
        asked = _SIDES[call.sides.index(None)]
        values: dict[str, str] = {}
        for fact in facts:
            name = str(getattr(fact, asked))
            values.setdefault(fold(name) or name, name)
        ids = tuple(dict.fromkeys(id for fact in facts for id in fact.notes))
        other = None if used == call else used
        if len(values) > self._most:
            return Outcome(call, "too many", used=other, notes=ids)
        return Outcome(call, "found" if values else "nothing", tuple(values.values()), other, ids)

    def _write(self, call: Call) -> Outcome:
        if self._which["as_of"] is not None or self._which["known_at"] is not None:
            return Outcome(call, "refused", why="these calls see the past, which nobody can write to")
        known = self._facts(call)
        if known:
            return Outcome(call, "known", notes=known[0].notes)
        text = " ".join(side for side in call.sides if side)
        note = self._memory.write(
            text,
            source=self._source,
            thread=self._thread,
            facts=[[side or "" for side in call.sides]],
            origin="model",
            derived_from=self._derived_from,
            scope=self._scope,
        )
        return Outcome(call, "written", notes=(note.id,))

    def _facts(self, call: Call) -> list[Fact]:
        return self._memory.facts(subject=call.subject, relation=call.relation, object=call.object, **self._which)

    def _meant(self, call: Call) -> Call | Outcome:
        """Returns the call with names that the memory knows, or what a name that it does not know may mean."""
        store = self._memory._store  # the two are one face
        with store.database.reading():
            # a name is known whenever it was said, so the moment asked about does not matter
            which = self._which | {"as_of": None}
            chosen = filtered(self._memory.scope, store.notes.changes, **which)
            among = store.notes.among(chosen)
            merged = among.merged()
            known = {relations: store.triplets.names(among, relations=relations) for relations in (False, True)}
        sides = list(call.sides)
        for place, side in enumerate(call.sides):
            names = known[place == 1]
            if side is None or fold(side) in names or fold(side) in merged:
                continue
            shown = [merged.get(name, names[name]) for name in spelt_like(fold(side), names)]
            if place != 1:
                shown += [merged[name] for name in spelt_like(fold(side), merged)]
            shown = list({fold(name): name for name in shown}.values())
            if len(shown) > 1:
                return Outcome(call, "unclear", tuple(shown))
            if shown:
                sides[place] = shown[0]
        return Call(call.verb, *sides)
