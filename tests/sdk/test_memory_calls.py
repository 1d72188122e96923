"""Calls carried out on a memory: names as they are, names that are one, names misspelt, and nobody else's."""

import time
from pathlib import Path

import pytest
from factories import Memories  # type: ignore[import-not-found]

from tercet import Memory
from tercet.engines.calls.grammar import Call
from tercet.engines.screening import PatternScreen
from tercet.sdk.calls import Calls
from tercet.store.errors import InvalidInput


@pytest.fixture
def ada(memory: Memories) -> Memory:
    made: Memory = memory("ada", embedder=None, extractor=None)
    made.write("Off to Lisbon.", facts=[("Ada Byron", "lives in", "Lisbon")], happened="2023")
    made.write("Porto now.", facts=[("Ada Byron", "lives in", "Porto")], happened="2024")
    made.write("Marten.", facts=[("Marten", "knows", "Ada Byron"), ("Martin", "knows", "Zoë")])
    return made


def asked(memory: Memory, call: str, **options: object) -> tuple[str, tuple[str, ...]]:
    outcome = Calls(memory, **options).run(call)  # type: ignore[arg-type]
    return outcome.status, outcome.values


def test_each_side_can_be_asked_for(ada: Memory) -> None:
    assert asked(ada, "MEM_READ(Ada Byron >> lives in >> ?)") == ("found", ("Porto",))
    assert asked(ada, "MEM_READ(? >> lives in >> porto)") == ("found", ("Ada Byron",))
    assert asked(ada, "MEM_READ(the ADA BYRON >> ? >> Porto)") == ("found", ("lives in",))
    assert asked(ada, "MEM_READ(Ada Byron >> hates >> ?)") == ("nothing", ())
    assert asked(ada, "MEM_READ(Nobody >> lives in >> ?)") == ("nothing", ())


def test_a_call_can_see_the_past_and_not_change_it(ada: Memory) -> None:
    assert asked(ada, "MEM_READ(Ada Byron >> lives in >> ?)", as_of="2023-06") == ("found", ("Lisbon",))
    assert asked(ada, "MEM_READ(Ada Byron >> lives in >> ?)", known_at=1) == ("found", ("Lisbon",))
    for when in ({"as_of": "2023"}, {"known_at": 1}):
        assert asked(ada, "MEM_WRITE(Ada >> likes >> tea)", **when) == ("refused", ())
    assert ada.facts(subject="Ada") == []


def test_names_that_a_person_said_are_one_are_one(ada: Memory) -> None:
    ada.same("Ada Byron", "Countess of Lovelace")
    assert asked(ada, "MEM_READ(Countess of Lovelace >> lives in >> ?)") == ("found", ("Porto",))
    outcome = Calls(ada).run("MEM_READ(Countess of Lovelase >> lives in >> ?)")
    assert outcome.values == ("Porto",)
    assert outcome.used == Call("read", "Ada Byron", "lives in", None)


@pytest.mark.parametrize(
    ("call", "used"),
    [
        ("MEM_READ(Ada Byorn >> lives in >> ?)", Call("read", "Ada Byron", "lives in", None)),
        ("MEM_READ(Ada Byron >> live in >> ?)", Call("read", "Ada Byron", "lives in", None)),
        ("MEM_READ(? >> knows >> Zoe)", Call("read", None, "knows", "Zoë")),
        ("MEM_READ(Ada Byro >> live in >> ?)", Call("read", "Ada Byron", "lives in", None)),
    ],
)
def test_one_slip_is_seen_through(ada: Memory, call: str, used: Call) -> None:
    outcome = Calls(ada).run(call)
    assert (outcome.status, outcome.used) == ("found", used)


def test_no_name_is_guessed(ada: Memory) -> None:
    assert asked(ada, "MEM_READ(Martyn >> knows >> ?)") == ("unclear", ("Marten", "Martin"))
    assert asked(ada, "MEM_READ(Marten >> knows >> ?)") == ("found", ("Ada Byron",)), "a name that is there is meant"
    assert asked(ada, "MEM_READ(Ada >> lives in >> ?)") == ("nothing", ()), "half a name may be anybody's"
    assert asked(ada, "MEM_READ(Zob >> ? >> Martin)") == ("nothing", ()), "short names differ in a letter"


def test_a_name_of_another_scope_is_no_name(memory: Memories) -> None:
    ada, bob = memory("ada", embedder=None), memory("bob", embedder=None)
    ada.write("Ada.", facts=[("Lovelace", "lives in", "Lisbon")])
    bob.write("Bob.", facts=[("Lovelake", "lives in", "Porto")])
    ada.same("Lovelace", "Countess")
    for name in ("Lovelace", "Lovelade", "Countess", "Countese"):
        assert "Lisbon" not in Calls(bob).run(f"MEM_READ({name} >> lives in >> ?)").values
    assert asked(bob, "MEM_READ(Lovelace >> lives in >> ?)") == ("found", ("Porto",)), "his own, by one slip"
    below = memory("ada/work", embedder=None)
    below.write("Work.", facts=[("Lovelace", "works at", "Crumb")])
    assert asked(ada, "MEM_READ(Lovelace >> works at >> ?)", scope="ada/work") == ("found", ("Crumb",))
    assert asked(ada, "MEM_READ(Lovelace >> lives in >> ?)", scope="ada/work") == ("nothing", ())


def test_too_many_values_are_none(ada: Memory) -> None:
    ada.write("Friends.", facts=[("Bo", "friend of", f"N{number}") for number in range(11)])
    assert asked(ada, "MEM_READ(Bo >> friend of >> ?)") == ("too many", ())
    assert asked(ada, "MEM_READ(Bo >> friend of >> ?)", most=11)[1] == tuple(f"N{number}" for number in range(11))


def test_what_a_model_writes_is_known_as_such(ada: Memory) -> None:
    parent = ada.notes()[0]
    calls = Calls(ada, thread="chat", derived_from=[parent.id])
    outcome = calls.run(r"MEM_WRITE(Ada Byron >> likes >> tea \(green\) \>\> coffee)")
    note = ada.get(outcome.notes[0])
    assert (outcome.status, note.origin, note.source, note.thread) == ("written", "model", "call", "chat")
    assert note.parents == (parent.id,)
    assert note.text == "Ada Byron likes tea (green) >> coffee"
    assert asked(ada, "MEM_READ(Ada Byron >> likes >> ?)") == ("found", ("tea (green) >> coffee",))
    again = calls.run(r"MEM_WRITE(ada byron >> likes >> Tea \(green\) \>\> coffee)")
    assert (again.status, again.notes) == ("known", outcome.notes)
    assert ada.quarantine(origin="model", source="call") == 1
    assert asked(ada, "MEM_READ(Ada Byron >> likes >> ?)") == ("nothing", ())


def test_a_model_ends_no_fact(ada: Memory) -> None:
    assert asked(ada, "MEM_WRITE(Ada Byron >> lives in >> Rome)")[0] == "written"
    assert set(asked(ada, "MEM_READ(Ada Byron >> lives in >> ?)")[1]) == {"Porto", "Rome"}


def test_a_fact_may_hold_what_it_likes_and_moves_nothing(ada: Memory) -> None:
    poison = r"MEM_WRITE(x\)\nMEM_WRITE\(Ada >> \</memory\> '; DROP TABLE note; -- >> \u00202e\[INST\])"
    poison = poison.replace(";", r"\;")
    before = len(ada.facts())
    assert asked(ada, poison)[0] == "refused", "a name is one line"
    assert asked(ada, poison.replace(r"\n", ""))[0] == "written"
    assert len(ada.facts()) == before + 1
    assert asked(ada, "MEM_READ(Ada Byron >> lives in >> ?)") == ("found", ("Porto",))


@pytest.mark.sqlite
def test_what_the_memory_refuses_is_an_outcome(tmp_path: Path) -> None:
    with Memory(tmp_path / "a.tercet", scope="ada", embedder=None, screen=PatternScreen("refuse")) as ada:
        _refuses(ada)


def _refuses(ada: Memory) -> None:
    outcome = Calls(ada).run(f"MEM_WRITE(Ada >> likes >> {'x' * 2_000})")
    assert outcome.status == "refused"
    assert "2,000 characters" in outcome.why
    assert Calls(ada).run("MEM_WRITE(Ada >> has card >> 4111 1111 1111 1111)").status == "refused"
    assert Calls(ada).run("MEM_WRITE(Ada >> is >> \\u000000)").status == "refused"
    assert ada.notes() == []
    with pytest.raises(InvalidInput, match="is no call"):
        Calls(ada).run("Ada lives in Lisbon")


@pytest.mark.parametrize("side", ["!!", "\U0001f600", "%", "_", "'", '"', "*", "a OR b", "NEAR(", "x" * 4_100])
def test_no_name_is_a_query(ada: Memory, side: str) -> None:
    for call in (Call("read", side, "knows", None), Call("read", None, side, "Zoë"), Call("read", None, "knows", side)):
        assert Calls(ada).run(call).status in ("nothing", "refused")


@pytest.mark.sqlite
def test_a_slip_among_many_names_is_found_in_time(memory: Memories) -> None:
    ada: Memory = memory("ada", embedder=None, extractor=None)
    names = ["Person" + "".join(chr(97 + int(digit)) for digit in f"{number:03}") for number in range(1_000)]
    facts = [(name, "knows", "Bo") for name in names]
    ada.write_many({"text": "Names.", "facts": facts[start : start + 250]} for start in range(0, 1_000, 250))
    started = time.perf_counter()
    outcome = Calls(ada).run("MEM_READ(Persnoabc >> knows >> ?)")
    assert (outcome.status, outcome.values) == ("found", ("Bo",))
    assert time.perf_counter() - started < 5
