"""A scope never leaks: a foreign note is a missing note, for every method, also between names that look alike."""

import json
import re
from collections.abc import Callable, Iterator

import pytest
from factories import Memories, disagreements  # type: ignore[import-not-found]

from tercet.sdk import Memory
from tercet.store.errors import InvalidScope, TercetError

SCOPES = ["ada", "ada/work", "ada/work/x", "ada2", "ada-x", "ada_x", "adabx", "ad", "a", "ada0", "bob", "bob/ada"]

BY_ID: dict[str, Callable[[Memory, str], object]] = {
    "get": lambda memory, id: memory.get(id),
    "history": lambda memory, id: memory.history(id),
    "revise": lambda memory, id: memory.revise(id, "taken over"),
    "forget": lambda memory, id: memory.forget(id),
    "forget with others": lambda memory, id: memory.forget(*[note.id for note in memory.notes()], id),
    "erase": lambda memory, id: memory.forget(id, erase=True),
    "import of a revision": lambda memory, id: memory.import_(
        export(memory.scope, op="revise", replaces=id, text="mine")
    ),
    "import of an undo": lambda memory, id: memory.import_(export(memory.scope, op="undo", id=id)),
}


def export(scope: str, **line: object) -> list[str]:
    values = {"op": "write", "at": "2024-01-01T00:00:00.000000", "id": "f" * 16} | line
    if "text" in line:
        values["scope"] = scope
    return [json.dumps({"tercet": 1, "scope": scope}), json.dumps(values)]


def filled(memory: Memories) -> Memories:
    for scope in SCOPES:
        memory(scope).write(
            f"apple of {scope}",
            speaker="Ada",
            thread="t",
            source="s",
            facts=[("Ada", "lives in", f"town of {scope}"), ("Ada", "likes", "apples")],
            key="same",
        )
    return memory


@pytest.fixture(scope="module")
def towns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memories]:
    """A store with a note in every scope, for tests that only look."""
    memories = filled(Memories(tmp_path_factory.mktemp("towns")))
    yield memories
    memories.close()


def below(scope: str) -> set[str]:
    return {other for other in SCOPES if other == scope or other.startswith(f"{scope}/")}


@pytest.mark.parametrize("scope", SCOPES)
def test_a_handle_sees_its_scope_and_all_below_and_nothing_else(towns: Memories, scope: str) -> None:
    handle = towns(scope)
    mine = {f"apple of {other}" for other in below(scope)}
    assert {note.text for note in handle.notes()} == mine
    assert {note.text for note in handle.notes(speaker="Ada", thread="t", source="s", known_at=2**40)} == mine
    for by in (("words",), ("vectors",), ("triplets",), ("graph", "words"), ("words", "vectors", "triplets", "graph")):
        assert {note.text for note in handle.read("apple Ada town", k=100, by=by).notes} <= mine
    assert {note.text for note in handle.read("apple", k=100).notes} == mine
    assert {note.text for note in handle.read("apple", k=100, known_at=2**40).notes} == mine
    homes = handle.facts(relation="lives in", superseded=True)
    assert {fact.object for fact in homes} == {f"town of {other}" for other in below(scope)}
    assert [len(fact.notes) for fact in handle.facts(object="apples")] == [len(mine)]
    assert handle.stats().notes == len(mine)
    lines = [json.loads(line) for line in handle.export()]
    assert {line["text"] for line in lines[1:]} == mine
    assert all(one.why.path == () or "bob" not in str(one.why.path) for one in towns("ada").read("Ada town", k=100))


@pytest.mark.parametrize("method", BY_ID)
@pytest.mark.parametrize(("mine", "theirs"), [("ada", "bob"), ("ada", "ada2"), ("ada/work", "ada"), ("ada_x", "adabx")])
def test_a_foreign_note_is_a_missing_note(memory: Memories, method: str, mine: str, theirs: str) -> None:
    handle, other = memory(mine), memory(theirs)
    handle.write("of mine")
    foreign = other.write("secret apple", key="k")
    before = list(other.export())
    answers = []
    for id in (foreign.id, "0" * 16):
        with pytest.raises(TercetError) as raised:
            BY_ID[method](handle, id)
        answers.append((raised.type, str(raised.value).replace(id, "ID")))
    assert answers[0] == answers[1]
    assert foreign.text not in answers[0][1]
    assert list(other.export()) == before
    assert [note.text for note in handle.notes()] == ["of mine"]
    assert disagreements(handle._store) == []


def test_a_foreign_change_is_a_missing_change(memory: Memories) -> None:
    ada, bob = memory("ada"), memory("bob")
    ada.write("of ada")
    foreign = bob.revise(bob.write("one").id, "two")
    answers = []
    for change in (foreign.change, 999):
        with pytest.raises(TercetError) as raised:
            ada.undo(change)
        answers.append((raised.type, re.sub(r"\d+", "N", str(raised.value))))
    assert answers[0] == answers[1]
    assert [note.text for note in bob.notes()] == ["two"]


def test_a_foreign_id_in_an_import_gets_a_new_one(memory: Memories) -> None:
    ada, bob = memory("ada"), memory("bob")
    secret = ada.write("secret")
    assert bob.import_(export("bob", id=secret.id, text="guessed")) == 1
    assert [note.text for note in bob.notes()] == ["guessed"]
    assert bob.notes()[0].id != secret.id
    assert ada.notes() == [secret]


def test_an_import_reaches_no_scope_but_its_own(memory: Memories) -> None:
    bob = memory("bob")
    lines = export("ada", text="for ada")
    with pytest.raises(InvalidScope, match=r"^line 2: .*outside"):
        bob.import_(lines)
    with pytest.raises(InvalidScope):
        memory("ada/work").import_(lines)
    assert memory("ada").import_(lines) == 1


@pytest.mark.parametrize("scope", ["ada0", "ada2", "ad", "ada_x", "bob", "bob/ada", "adawork", "ada/../bob"])
def test_a_scope_outside_the_handle_is_refused(towns: Memories, scope: str) -> None:
    ada = towns("ada")
    asks: list[Callable[[], object]] = [
        lambda: ada.write("x", scope=scope),
        lambda: ada.write_many([{"text": "x", "scope": scope}]),
        lambda: ada.read("apple", scope=scope),
        lambda: ada.notes(scope=scope),
        lambda: ada.facts(scope=scope),
    ]
    for ask in asks:
        with pytest.raises(InvalidScope, match=re.escape(repr(scope))):
            ask()
    assert ada.stats().change == len(SCOPES)


def test_a_scope_below_narrows(memory: Memories) -> None:
    ada = filled(memory)("ada")
    for verb in (ada.notes, lambda scope: ada.read("apple", scope=scope).notes):
        assert {note.scope for note in verb(scope="ada/work")} == {"ada/work", "ada/work/x"}
        assert [note.scope for note in verb(scope="ada/work/x")] == ["ada/work/x"]
        assert list(verb(scope="ada/none")) == []
    assert len(ada.facts(scope="ada/work", relation="lives in", superseded=True)) == 2
    assert ada.write("deep", scope="ada/work/x/y").scope == "ada/work/x/y"


def test_forgetting_all_of_one_scope_leaves_the_others(memory: Memories) -> None:
    filled(memory)
    others = {
        scope: list(memory(scope).export()) for scope in SCOPES if not scope.startswith("ada/") and scope != "ada"
    }
    ada = memory("ada")
    ada.forget(*[note.id for note in ada.notes()], erase=True)
    assert ada.stats().notes == 0
    assert {scope: list(memory(scope).export()) for scope in others} == others


def test_what_one_scope_writes_ends_no_fact_of_another(memory: Memories) -> None:
    ada, bob = memory("ada"), memory("bob")
    ada.write("a", facts=[("Ada", "lives in", "Lisbon")])
    bob.write("b", facts=[("Ada", "lives in", "Porto")])
    assert [fact.object for fact in ada.facts()] == ["Lisbon"]
    assert [fact.object for fact in bob.facts()] == ["Porto"]


def test_a_path_through_the_graph_does_not_lead_through_another_scope(memory: Memories) -> None:
    ada, bob = memory("ada"), memory("bob")
    ada.write("Zed is a friend of mine", facts=[("Ada", "knows", "Zed")])
    bob.write("bridge", facts=[("Zed", "works at", "Quux")])
    ada.write("a company", facts=[("Quux", "located in", "Rome")])
    for one in ada.read("Where is the company of Zed?", k=10):
        assert not {"works at", "← works at"} & set(one.why.path)


@pytest.mark.parametrize(
    "scope",
    [
        "",
        None,
        "*",
        "%",
        "/",
        "ada/",
        "/ada",
        "ada//x",
        "../x",
        "ada/..",
        "Ada",
        "ADA",
        "ada ",
        " ada",
        "ada\n",
        "a" * 65,
        "/".join(["a"] * 9),
        "con\x00",
        "adа",  # a Cyrillic letter
        "ａｄａ",
        "ada\u200b",
        "-ada",
        "_ada",
        "a.b",
        "a:b",
        "ada'--",
        5,
        pytest.param(10**5000, id="huge"),
        ["ada"],
        b"ada",
        True,
    ],
)
def test_a_malformed_scope_opens_nothing(towns: Memories, scope: str) -> None:
    with pytest.raises(InvalidScope):
        towns(scope)
    if scope is not None:
        with pytest.raises(InvalidScope):
            towns("ada").notes(scope=scope)


@pytest.mark.parametrize("scope", ["a", "0", "con", "a" * 64, "/".join(["a"] * 8), "a-b_c/9"])
def test_a_well_formed_scope_opens(memory: Memories, scope: str) -> None:
    assert memory(scope).write("x").scope == scope


def test_what_a_scope_says_of_a_relation_holds_there_and_below_and_nowhere_else(memory: Memories) -> None:
    ada, work, eve = memory("ada"), memory("ada/work"), memory("eve")
    for each in (ada, work, eve):
        each.write("first", facts=[("Rex", "sleeps on", "sofa")], happened="2024-01-01")
        each.write("then", facts=[("Rex", "sleeps on", "bed")], happened="2024-02-01")
    ada.single_valued("sleeps on")
    assert [fact.object for fact in ada.facts(subject="Rex")] == ["bed"]
    assert [fact.object for fact in work.facts(subject="Rex")] == ["bed"]
    assert sorted(fact.object for fact in eve.facts(subject="Rex")) == ["bed", "sofa"]
    work.single_valued("sleeps on", single=False)
    assert sorted(fact.object for fact in work.facts(subject="Rex")) == ["bed", "sofa"]
    assert sorted(fact.object for fact in ada.facts(subject="Rex", scope="ada/work")) == ["bed", "sofa"]
    assert [fact.object for fact in ada.facts(subject="Rex")] == ["bed"]
