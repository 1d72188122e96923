"""A graph that took notes in one write after the other is, to the last bit, the one made of all of them at once."""

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any

import numpy as np
import pytest
from factories import Memories  # type: ignore[import-not-found]
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from scipy.sparse import csr_array
from sqlalchemy import Connection

from tercet.sdk import Memory
from tercet.sdk.links import links
from tercet.store import graph, growing
from tercet.store.errors import InvalidInput
from tercet.store.extracted import Extracted
from tercet.store.graph import Graph
from tercet.store.note import Draft, Triplet
from tercet.store.progress import make_anew
from tercet.store.readings import keep_readings
from tercet.store.selection import Filter
from tercet.store.statements import rows, rows_in, run
from tercet.store.walk import Walk
from tercet.store.ways import Ways, ways_of

NAMES = ["Lena", "Lena Berg", "Lena Hartmann", "Lena Kim", "Lena Voss", "Ben", "Ben Okafor", "Lisbon", "Porto", "C++"]
RELATIONS = ["lives in", "likes", "knows", "alias"]
QUESTIONS = ["Where does Lena live?", "Who knows Ben Okafor?", "What does Lena Berg like?"]

names = st.sampled_from(NAMES)
facts = st.lists(st.tuples(names, st.sampled_from(RELATIONS), names), max_size=3)
notes = st.fixed_dictionaries(
    {"text": names.map("A word on {}".format), "speaker": st.just("") | names, "facts": facts}
)
picks = st.integers(0, 1000)
handles = st.integers(0, 2)


def kept_by(memory: Memory) -> Walk:
    return memory._store.graph.walk(memory._store.notes.among(Filter(memory.scope)))


def fresh(memory: Memory) -> Walk:
    return Graph(memory._store.database, None).walk(memory._store.notes.among(Filter(memory.scope)))


def parts(one: Walk | Ways) -> dict[str, Any]:
    """Returns all that a graph consists of, to be compared: arrays as their type and bytes, dictionaries in order."""
    found: dict[str, Any] = {}
    for field in fields(one):
        value = getattr(one, field.name)
        if isinstance(value, Ways):
            found |= parts(value)
        elif isinstance(value, csr_array):
            for array in (value.indptr, value.indices, value.data):
                found[f"{field.name} {len(found)}"] = (array.dtype, array.tobytes())
            found[field.name] = value.shape
        elif isinstance(value, np.ndarray):
            found[field.name] = (value.dtype, value.shape, value.tobytes())
        else:
            found[field.name] = list(value.items()) if isinstance(value, dict) else value
    return found


def seen(memory: Memory) -> list[object]:
    """Returns reads with their scores and paths, to the last bit, and all links."""
    reads = [memory.read(question, k=20) for question in QUESTIONS]
    return [links(memory), *([(found.note.id, found.score.hex(), found.why.path) for found in read] for read in reads)]


class Growing(RuleBasedStateMachine):
    """Does everything that changes a graph, by two handles of one scope and one below it."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="tercet-growing-"))
        self.memories = Memories(self.home)
        self.handles: list[Memory] = [self.memories(scope) for scope in ("ada", "ada", "ada/work")]
        self.elsewhere: Memory = self.memories("ada", "elsewhere")

    def teardown(self) -> None:
        self.read_by_a_fresh_handle()
        self.memories.close()
        shutil.rmtree(self.home)

    @rule(by=handles, note=notes)
    def write(self, by: int, note: dict[str, Any]) -> None:
        self.handles[by].write(**note)

    @rule(by=handles, several=st.lists(notes, min_size=2, max_size=5))
    def write_many(self, by: int, several: Sequence[dict[str, Any]]) -> None:
        self.handles[by].write_many(several)

    @rule(note=notes)
    def write_nothing_after_all(self, note: dict[str, Any]) -> None:
        store = self.handles[0]._store
        before = kept_by(self.handles[0])
        with suppress(KeyboardInterrupt), store.changing():
            store.add([Draft("words", "ada", facts=[Triplet(*fact) for fact in note["facts"]])])
            assert len(kept_by(self.handles[0]).nums) == len(before.nums) + 1
            raise KeyboardInterrupt
        assert kept_by(self.handles[0]) is before

    @rule(note=notes)
    def write_elsewhere(self, note: dict[str, Any]) -> None:
        self.elsewhere.write(**note)

    @rule(by=handles)
    def take_in(self, by: int) -> None:
        with suppress(InvalidInput):  # a version that was revised here, or below which this handle may not write
            self.handles[by].import_(list(self.elsewhere.export()))

    @precondition(lambda self: self.ids())
    @rule(pick=picks, note=notes)
    def revise(self, pick: int, note: dict[str, Any]) -> None:
        self.handles[0].revise(self.picked(pick), note["text"], facts=note["facts"])

    @precondition(lambda self: self.ids())
    @rule(pick=picks)
    def forget(self, pick: int) -> None:
        self.handles[0].forget(self.picked(pick))

    @precondition(lambda self: self.ids())
    @rule(pick=picks, back=st.booleans())
    def hold(self, pick: int, back: bool) -> None:
        id = self.picked(pick)
        self.handles[0].quarantine(id)
        if back:
            self.handles[1].release(id)

    @precondition(lambda self: self.ids())
    @rule(pick=picks)
    def undo(self, pick: int) -> None:
        made = self.handles[0].history(self.picked(pick))
        self.handles[0].undo(max(event.change for event in made if event.op not in ("quarantine", "release")))

    @rule(by=handles, pair=st.lists(names, min_size=2, max_size=2, unique=True), apart=st.booleans())
    def name(self, by: int, pair: list[str], apart: bool) -> None:
        said = self.handles[by]
        if apart:
            with suppress(InvalidInput):  # nobody had said that they are one
                said.apart(*pair)
        else:
            said.same(*pair)

    @rule(form=st.sampled_from(["triplets", "graph"]))
    def make_again(self, form: str) -> None:
        self.handles[1].rebuild(forms=[form])

    @precondition(lambda self: self.ids())
    @rule(pick=picks, fact=st.tuples(names, st.sampled_from(RELATIONS), names))
    def extract(self, pick: int, fact: tuple[str, str, str]) -> None:
        found = Extracted(Triplet(*fact, confidence=0.9, extractor="reads"), "words")
        keep_readings(self.handles[1]._store, "reads", {self.handles[1].get(self.picked(pick)).num: [found]})

    @invariant()
    def grown_is_made_anew(self) -> None:
        for one in self.handles:
            assert parts(kept_by(one)) == parts(fresh(one))

    @rule()
    def read_by_a_fresh_handle(self) -> None:
        expected = seen(self.memories("ada"))
        assert [seen(one) for one in self.handles[:2]] == [expected, expected]

    def ids(self) -> list[str]:
        return [note.id for note in self.handles[0].notes()]

    def picked(self, pick: int) -> str:
        ids = self.ids()
        return ids[pick % len(ids)]


def test_whatever_is_done_a_graph_is_as_if_made_anew() -> None:
    chosen = settings(max_examples=12, stateful_step_count=25, phases=[Phase.generate])  # what fails is short enough
    run_state_machine_as_test(Growing, settings=chosen)


@pytest.mark.slow
def test_whatever_is_done_for_long_a_graph_is_as_if_made_anew() -> None:
    chosen = settings(max_examples=40, stateful_step_count=50)
    run_state_machine_as_test(Growing, settings=chosen)


def test_weights_and_labels_are_what_the_tables_say(memory: Memories) -> None:
    """The sums of one for a mention, two for a fact, 1.6 for a first name, and nothing else."""
    ada, random = memory("ada"), Random(3)
    for _ in range(40):
        stated = [(random.choice(NAMES), random.choice(RELATIONS), random.choice(NAMES)) for _ in range(2)]
        ada.write("words", speaker=random.choice(NAMES), facts=stated)
        kept_by(ada)
    walk = kept_by(ada)
    place = dict(zip(walk.nums.tolist(), range(len(walk.nums)), strict=True))
    expected: dict[tuple[int, int], float] = defaultdict(float)
    with ada._store.database.reading() as connection:
        for num, name in rows(connection, "SELECT note, name FROM mention"):
            expected[place[num], walk.names[name]] += 1
        for s, o in rows(connection, "SELECT s, o FROM triplet WHERE s <> o"):
            expected[walk.names[s], walk.names[o]] += 2
        told: dict[tuple[int, int], str] = {}
        for s, relation, o in rows(connection, "SELECT s, relation, o FROM triplet WHERE s <> o ORDER BY note, num"):
            if (walk.names[s], walk.names[o]) not in told:
                told[walk.names[s], walk.names[o]] = relation
                told[walk.names[o], walk.names[s]] = relation if relation == "alias" else f"← {relation}"
    assert {pair: walk.label(*pair) for pair in told} == told
    assert 2 * len(walk.labels) == len(told)
    expected[walk.names["ben"], walk.names["ben okafor"]] += 1.6  # four are called Lena: too many
    both: dict[tuple[int, int], float] = defaultdict(float)
    for (one, other), weight in expected.items():
        both[one, other] += weight
        both[other, one] += weight
    edges = walk.weights.tocoo()
    found = dict(zip(zip(edges.row.tolist(), edges.col.tolist(), strict=True), edges.data.tolist(), strict=True))
    assert found == pytest.approx(both)
    assert walk.told_in.sum() == sum(one < len(walk.nums) for one, _ in expected)


def test_a_first_name_stands_for_full_ones_until_too_many_share_it(memory: Memories) -> None:
    ada = memory("ada")
    ada.write("words", speaker="Lena")
    for count, name in enumerate(("Lena Berg", "Lena Hartmann", "Lena Kim"), 1):
        ada.write("words", speaker=name)
        walk = kept_by(ada)
        assert len(walk.also(walk.names["lena"])) == count
        assert walk.also(walk.names[name.casefold()]) == [walk.names["lena"]]
        assert parts(walk) == parts(fresh(ada))
    ada.write("words", speaker="Lena Voss")
    walk = kept_by(ada)
    assert walk.also(walk.names["lena"]) == []
    assert parts(walk) == parts(fresh(ada))


def test_a_newer_value_ends_an_older_one_in_a_grown_graph(memory: Memories) -> None:
    ada = memory("ada")
    ada.write("words", facts=[("Ben", "lives in", "Lisbon")], happened="2023")
    assert [answer.name for answer in ada.read("Where does Ben live in?").answers] == ["Lisbon"]
    ada.write("words", facts=[("Ben", "lives in", "Porto")], happened="2024")
    assert [answer.name for answer in ada.read("Where does Ben live in?").answers] == ["Porto"]


def test_what_is_written_has_only_its_own_rows_read(memory: Memories, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = memory("ada"), memory("ada")
    one.write_many(["tea", "Lena Berg said so", "rain"])
    before, asked = kept_by(one), list[object]()

    def noted(connection: Connection, sql: str, nums: Sequence[object]) -> list[tuple[Any, ...]]:
        asked.extend(nums)
        return rows_in(connection, sql, nums)

    monkeypatch.setattr("tercet.store.growing.rows_in", noted)
    new = [other.write("Ben said so", speaker="Ben"), other.write("Lena said so", speaker="Lena")]
    memory("ben").write("others' notes are nothing new", speaker="Mia")
    walk = kept_by(one)
    assert (
        set(asked) == {int(num) for num in walk.nums[-2:]} == {note.num for note in map(one.get, (n.id for n in new))}
    )
    assert len(before.nums) == 3
    assert "ben" not in before.names
    memory("ben").write("and leave it as it is")
    assert kept_by(one) is walk


def test_a_read_in_an_older_view_keeps_nothing_of_it(memory: Memories) -> None:
    one, other = memory("ada"), memory("ada")
    one.write("tea", speaker="Lena")
    with one._store.database.reading():
        assert list(kept_by(one).names) == ["lena"]
        other.write("rain", speaker="Ben")
        newer: list[Walk] = []
        beside = Thread(target=lambda: newer.append(kept_by(one)))
        beside.start()
        beside.join()
        assert list(newer[0].names) == ["lena", "ben"]
        assert list(kept_by(one).names) == ["lena"]
    assert kept_by(one) is newer[0]


def test_what_is_forgotten_while_a_graph_is_made_is_not_kept(memory: Memories, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = memory("ada"), memory("ada")
    gone = one.write("tea", speaker="Lena")

    def slowly(*given: Any) -> Walk:  # noqa: ANN401
        made = growing.grown(*given)
        forgets = Thread(target=lambda: other.forget(gone.id))
        forgets.start()
        forgets.join()
        return made

    monkeypatch.setattr(graph, "grown", slowly)
    assert list(kept_by(one).names) == ["lena"]
    assert one._store.graph._kept == []


def test_a_fact_that_waits_for_a_mention_comes_in_with_it(memory: Memories) -> None:
    ada = memory("ada", extractor=None)
    ada.write("words", facts=[("Ben", "likes", "Porto")])
    with ada._store.database.writing() as connection:
        run(connection, "DELETE FROM mention WHERE name = 'porto'")
        make_anew(connection)
    assert kept_by(ada).labels == {}
    ada.write("words", speaker="Porto")
    assert list(kept_by(ada).labels.values()) == ["likes"]
    assert parts(kept_by(ada)) == parts(fresh(ada))


def test_ways_that_grow_are_those_of_all_facts() -> None:
    random = Random(7)
    facts = [(random.randrange(9), random.choice(RELATIONS), 9 + random.randrange(9)) for _ in range(400)]
    grown = ways_of([], 0)
    for start in range(0, 400, 5):
        grown = grown.grown(facts[start : start + 5], 18)
        assert parts(grown) == parts(ways_of(facts[: start + 5], 18))
    moved = [(one + 3, relation, other + 3) for one, relation, other in facts]
    assert parts(grown.grown([], 21, moved=3)) == parts(ways_of(moved, 21))
