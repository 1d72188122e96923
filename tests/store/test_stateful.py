"""A memory of three scopes against a model of plain dictionaries: every verb in any order, and every form agrees."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from factories import HashEncoder, Memories, disagreements  # type: ignore[import-not-found]
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from servers import Server  # type: ignore[import-not-found]
from stateful_model import Memo, Model, sees  # type: ignore[import-not-found]

from tercet.sdk import Memory, Receipt
from tercet.store.errors import CannotUndo, InvalidInput, InvalidScope, KeyReused, LimitExceeded, NoteNotFound
from tercet.store.note import Note
from tercet.store.schema import change

SCOPES = ("ada", "ada/work", "ada0")
WORDS = "apple pear river Lisbon Porto Ada Mia where likes 日本".split()
PEOPLE = ("Ada", "Mia")

scopes = st.sampled_from(SCOPES)
bodies = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)
threads = st.sampled_from(["", "", "t", "u"])
homes = st.none() | st.tuples(st.sampled_from(PEOPLE), st.sampled_from(["Lisbon", "Porto", "Faro"]))
picks = st.integers(0, 1000)
speakers = st.sampled_from(["", "", *PEOPLE])


class Comparison(RuleBasedStateMachine):
    """Does everything twice: in a memory, and in the model."""

    def __init__(self, server: Server | None = None) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="tercet-stateful-"))
        self.memories = Memories(self.home, server)
        self.handles: dict[str, Memory] = {scope: self.memories(scope) for scope in SCOPES}
        self.encoder = HashEncoder()
        self.model = Model()
        self.counter = 0

    def teardown(self) -> None:
        self.memories.close()
        shutil.rmtree(self.home)

    # what a test does

    @rule(scope=scopes, body=bodies, thread=threads, home=homes, keyed=st.booleans(), speaker=speakers)
    def write(
        self, scope: str, body: str, thread: str, home: tuple[str, str] | None, keyed: bool, speaker: str
    ) -> None:
        text, key = self._text(body), f"key {self.counter}" if keyed else None
        facts = [(home[0], "lives in", home[1])] if home else []
        note = self.handles[scope].write(text, thread=thread, facts=facts, key=key, speaker=speaker)
        assert note.text == text
        self._written(note, home)
        self.model.changed()

    @rule(scope=scopes, body=bodies, thread=threads, chosen=st.lists(picks, min_size=1, max_size=3))
    def sum_up(self, scope: str, body: str, thread: str, chosen: list[int]) -> None:
        memos = [memo for pick in chosen if (memo := self._pick(list(self.model.memos.values()), pick))]
        ids, text = [memo.id for memo in memos], self._text(body)
        if not all(sees(scope, memo.scope) for memo in memos):
            with pytest.raises(NoteNotFound):
                self.handles[scope].write(text, derived_from=ids)
        elif self._held(ids):
            with pytest.raises(InvalidInput, match="in quarantine"):
                self.handles[scope].write(text, derived_from=ids)
        else:
            self._written(self.handles[scope].write(text, thread=thread, derived_from=ids), None)
            self.model.changed()

    @rule(scope=scopes, over=st.booleans())
    def limit(self, scope: str, over: bool) -> None:
        """A full scope takes nothing more, by any handle that writes into it; then it is opened again."""
        handle, used = self.handles[scope], sum(sees(scope, memo.scope) for memo in self.model.memos.values())
        handle.limit(notes=used + 1 - over)
        assert handle.limits()[scope].used_notes == used
        with pytest.raises(LimitExceeded):
            handle.write_many([self._text("too"), self._text("many")][: 2 - over])
        handle.limit()

    @rule(scope=scopes, written=st.lists(st.tuples(bodies, threads, homes), min_size=2, max_size=5))
    def write_many(self, scope: str, written: list[tuple[str, str, tuple[str, str] | None]]) -> None:
        drafts = [
            {"text": self._text(body), "thread": thread, "facts": [(home[0], "lives in", home[1])] if home else []}
            for body, thread, home in written
        ]
        for note, (_, _, home) in zip(self.handles[scope].write_many(drafts), written, strict=True):
            self._written(note, home)
            self.model.changed()

    @rule(pick=picks, same=st.booleans())
    def write_a_key_again(self, pick: int, same: bool) -> None:
        if memo := self._pick([memo for memo in self.model.memos.values() if memo.key], pick):
            facts = [(memo.home[0], "lives in", memo.home[1])] if memo.home else []
            handle = self.handles[memo.scope]
            if same:
                again = handle.write(memo.text, thread=memo.thread, facts=facts, key=memo.key, speaker=memo.speaker)
                assert again.id == memo.id
            else:
                with pytest.raises(KeyReused):
                    handle.write_many(["not written", {"text": "other", "key": memo.key}])

    @rule(scope=scopes, pick=picks, body=bodies, home=homes)
    def revise(self, scope: str, pick: int, body: str, home: tuple[str, str] | None) -> None:
        memo = self._pick(list(self.model.memos.values()), pick)
        if not memo:
            return
        facts = [(home[0], "lives in", home[1])] if home else []
        text = self._text(body)
        if not sees(scope, memo.scope):
            with pytest.raises(NoteNotFound):
                self.handles[scope].revise(memo.id, text, facts=facts)
        elif not memo.current:
            with pytest.raises(InvalidInput, match="not current"):
                self.handles[scope].revise(memo.id, text, facts=facts)
        elif self._held([memo.id, *self.model.newest(memo)]):
            with pytest.raises(InvalidInput, match="in quarantine"):
                self.handles[scope].revise(memo.id, text, facts=facts)
        else:
            parents = self.model.newest(memo)
            self._replaced(memo, self.handles[scope].revise(memo.id, text, facts=facts), home, parents)

    @rule(pick=picks)
    def undo(self, pick: int) -> None:
        memo = self._pick(list(self.model.memos.values()), pick)
        if not memo:
            return
        handle = self.handles[memo.scope]
        earlier = self.model.memos[memo.replaces] if memo.replaces else None
        if not memo.current or self._held([memo.id]):
            with pytest.raises(CannotUndo):
                handle.undo(memo.num)
        elif earlier and self._held(earlier.parents):
            with pytest.raises(InvalidInput, match="in quarantine"):
                handle.undo(memo.num)
        elif earlier is None:
            assert handle.undo(memo.num) is None
            memo.current, memo.taken_back = False, True
            if memo.thread:
                self.model.turns[memo.scope, memo.thread].remove(memo.lineage)
            self.model.changed()
        else:
            note = handle.undo(memo.num)
            assert note
            assert note.text == earlier.text
            self._replaced(memo, note, earlier.home, earlier.parents)

    @rule(scope=scopes, chosen=st.lists(picks, min_size=1, max_size=3), erase=st.integers(0, 9).map(lambda n: n == 0))
    def forget(self, scope: str, chosen: list[int], erase: bool) -> None:
        memos = [memo for pick in chosen if (memo := self._pick(list(self.model.memos.values()), pick))]
        if not memos:
            return
        ids = [memo.id for memo in memos]
        if not all(sees(scope, memo.scope) for memo in memos):
            with pytest.raises(NoteNotFound):
                self.handles[scope].forget(*ids)
            return
        receipt = self.handles[scope].forget(*ids, erase=erase)
        # the role that tests log in to PostgreSQL as may not look into the server's files, and the receipt says so
        assert receipt.erased == (erase and not self.memories.server)
        self._forgotten(receipt, {memo.lineage for memo in memos})

    @rule(scope=scopes, within=scopes, speaker=speakers)
    def forget_by_filter(self, scope: str, within: str, speaker: str) -> None:
        if not sees(scope, within):
            with pytest.raises(InvalidScope):
                self.handles[scope].forget(scope=within, speaker=speaker or None)
        elif speaker:
            receipt = self.handles[scope].forget(scope=within, speaker=speaker)
            self._forgotten(receipt, self._meant(within, speaker))

    @rule(scope=scopes, speaker=speakers, pick=picks, back=st.booleans())
    def quarantine(self, scope: str, speaker: str, pick: int, back: bool) -> None:
        handle, memo = self.handles[scope], self._pick(list(self.model.memos.values()), pick)
        verb = handle.release if back else handle.quarantine
        if speaker:
            meant, count = self._meant(scope, speaker), verb(speaker=speaker)
        elif memo and sees(scope, memo.scope):
            meant, count = {memo.lineage}, verb(memo.id)
        else:
            with pytest.raises(NoteNotFound):
                verb(memo.id if memo else "0" * 16)
            return
        before = dict(self.model.held)
        moved = self.model.release(meant) if back else self.model.hold(meant)
        assert count == len(moved)
        after, self.model.held = self.model.held, before
        with handle._store.database.overseeing():  # what was made of it may stand in a scope above
            logged = handle._store.notes.changes.select(change.c.seq >= len(self.model.moments))
        assert {made.note for made in logged} == {memo.id for memo in self.model.versions(moved)}
        for made in logged:  # one change per version; a note is shown as long as its current one is not held
            if self.model.memos[made.note].current:
                if back:
                    del self.model.held[made.lineage]
                else:
                    self.model.held[made.lineage] = after[made.lineage]
            self.model.changed()
        self.model.held = after

    @rule(pick=picks)
    def encode(self, pick: int) -> None:
        if memo := self._pick(list(self.model.memos.values()), pick):
            store = self.handles[memo.scope]._store
            store.keys_values(self.encoder).records([store.notes.get(memo.id, memo.scope)])

    @rule(form=st.sampled_from(["words", "vectors", "triplets", "graph"]), scope=scopes)
    def rebuild(self, form: str, scope: str) -> None:
        self.handles[scope].rebuild(forms=[form])

    @rule(scope=scopes)
    def reopen(self, scope: str) -> None:
        self.handles[scope].close()
        self.handles[scope] = self.memories(scope)

    @rule(scope=scopes)
    def move(self, scope: str) -> None:
        """An export makes the same memory elsewhere."""
        self.counter += 1
        lines = list(self.handles[scope].export())
        with self.memories(scope, f"copy-{self.counter}") as copy:
            copy.import_(lines)
            assert list(copy.export()) == lines
            assert seen(copy) == seen(self.handles[scope])
            assert disagreements(copy._store) == []
        shutil.rmtree(self.home / f"copy-{self.counter}", ignore_errors=True)

    @precondition(lambda self: self.model.forgotten)
    @rule(scope=scopes, pick=picks)
    def look_for_the_forgotten(self, scope: str, pick: int) -> None:
        id = sorted(self.model.forgotten)[pick % len(self.model.forgotten)]
        with pytest.raises(NoteNotFound):
            self.handles[scope].get(id)
        read = self.handles[scope].read(self.model.forgotten[id], k=100, known_at=10**9)
        assert id not in [note.id for note in read.notes]

    # what must hold after each of it

    @rule(scope=scopes, question=bodies, change=picks, form=st.sampled_from(["words", "vectors", "triplets", "graph"]))
    def read(self, scope: str, question: str, change: int, form: str) -> None:
        handle = self.handles[scope]
        visible = {memo.id for memo in self.model.current(scope)}
        assert {note.id for note in handle.read(question, k=100).notes} <= visible
        assert {note.id for note in handle.read(question, k=100, by=[form]).notes} <= visible
        change %= len(self.model.moments)
        then = {id for id in self.model.moments[change] if id in self.model.memos}
        then = {id for id in then if sees(scope, self.model.memos[id].scope)}
        assert {note.id for note in handle.notes(known_at=change, limit=1000)} == then
        assert {note.id for note in handle.read(question, k=100, known_at=change).notes} <= then
        with pytest.raises(InvalidScope):
            handle.read(question, scope="ada1")

    @invariant()
    def notes_are_those_of_the_model(self) -> None:
        for scope, handle in self.handles.items():
            expected = self.model.current(scope)
            notes = handle.notes(limit=1000)
            assert [(note.id, note.text, note.scope) for note in notes] == [(m.id, m.text, m.scope) for m in expected]
            assert [note.previous for note in notes] == [self.model.previous(memo) for memo in expected]
            assert [set(note.parents) for note in notes] == [set(memo.parents) for memo in expected]
            assert [note.stale for note in notes] == [self.model.stale(memo) for memo in expected]
            held = [
                m.id for m in self.model.memos.values() if m.current and self._held([m.id]) and sees(scope, m.scope)
            ]
            assert {note.id for note in handle.notes(held=True, limit=1000)} == set(held)

    @invariant()
    def newest_words_are_found_by_every_form(self) -> None:
        for scope, handle in self.handles.items():
            for memo in self.model.current(scope)[:2]:
                token = memo.text.split()[0]
                for by in (["words"], ["vectors"]):
                    assert memo.id in [note.id for note in handle.read(token, k=1000, by=by).notes]

    @invariant()
    def facts_are_those_of_the_model(self) -> None:
        for scope, handle in self.handles.items():
            told = [memo for memo in reversed(self.model.current(scope)) if memo.home]
            latest = {memo.home[0]: memo.home[1] for memo in told if memo.home}
            assert {fact.subject: fact.object for fact in handle.facts(relation="lives in")} == latest
            ended = handle.facts(relation="lives in", superseded=True)
            assert {(fact.subject, fact.object) for fact in ended} == {memo.home for memo in told}

    @invariant()
    def forms_agree(self) -> None:
        store = self.handles["ada"]._store
        assert disagreements(store) == []
        records = store.keys_values(self.encoder)
        with store.database.overseeing(), store.database.reading() as connection:
            if self.memories.server:
                kept = connection.exec_driver_sql("SELECT count(*) FROM blob").scalar_one()
            else:
                kept = len(store.database.record_files().every())
            assert records.count() == kept
        assert self.handles["ada"].stats().change == len(self.model.moments) - 1

    # how

    def _text(self, body: str) -> str:
        self.counter += 1
        return f"token{self.counter} {body}"

    @staticmethod
    def _pick(memos: list[Memo], pick: int) -> Memo | None:
        return memos[pick % len(memos)] if memos else None

    def _written(self, note: Note, home: tuple[str, str] | None) -> None:
        self.model.memos[note.id] = Memo(
            note.id,
            note.text,
            note.scope,
            note.thread,
            note.id,
            note.num,
            home,
            speaker=note.speaker,
            parents=note.parents,
            key=note.key,
        )
        if note.thread:
            self.model.turns.setdefault((note.scope, note.thread), []).append(note.id)

    def _replaced(self, old: Memo, note: Note, home: tuple[str, str] | None, parents: Sequence[str]) -> None:
        old.current = False
        self.model.memos[note.id] = Memo(
            note.id,
            note.text,
            note.scope,
            note.thread,
            old.lineage,
            note.num,
            home,
            speaker=note.speaker,
            parents=tuple(parents),
            replaces=old.id,
        )
        self.model.changed()

    def _held(self, ids: Sequence[str]) -> bool:
        return any(self.model.memos[id].lineage in self.model.held for id in ids)

    def _meant(self, scope: str, speaker: str) -> set[str]:
        memos = self.model.memos.values()
        return {memo.lineage for memo in memos if sees(scope, memo.scope) and memo.speaker == speaker}

    def _forgotten(self, receipt: Receipt, lineages: set[str]) -> None:
        made = self.model.made_of(lineages)
        assert set(receipt.notes) == {memo.id for memo in self.model.versions(lineages)}
        assert set(receipt.derived) == {memo.id for memo in self.model.versions(made)}
        gone = self.model.versions(lineages | made)
        for memo in gone:
            del self.model.memos[memo.id]
            self.model.forgotten[memo.id] = memo.text
            self.model.held.pop(memo.lineage, None)
            turns = self.model.turns.get((memo.scope, memo.thread), [])
            if memo.lineage in turns:
                turns.remove(memo.lineage)
        self.model.along -= lineages | made
        self.model.changed(len(gone))


def seen(memory: Memory) -> object:
    return [
        (note.id, note.text, note.thread, note.previous, note.known, note.facts) for note in memory.notes(limit=1000)
    ]


LONG = int(os.environ.get("TERCET_EXAMPLES", "20"))  # 200 are 10,000 steps, and take most of an hour


def _run(examples: int, steps: int, server: Server | None = None) -> None:
    chosen = settings(max_examples=examples, stateful_step_count=steps, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(partial(Comparison, server), settings=chosen)  # type: ignore[arg-type]


def test_a_memory_does_what_its_model_does() -> None:
    _run(examples=12, steps=20)


@pytest.mark.slow
def test_a_memory_does_what_its_model_does_for_long() -> None:
    _run(examples=LONG, steps=50)


@pytest.mark.postgres
def test_a_memory_in_postgresql_does_what_its_model_does(server: Server) -> None:
    _run(examples=6, steps=20, server=server)


@pytest.mark.postgres
@pytest.mark.slow
def test_a_memory_in_postgresql_does_what_its_model_does_for_long(server: Server) -> None:
    _run(examples=LONG // 3, steps=50, server=server)
