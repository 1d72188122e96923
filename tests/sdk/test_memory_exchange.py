"""Exports and imports: the same notes with the same past, all or nothing, whatever the file claims."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import pytest
from factories import Memories, disagreements  # type: ignore[import-not-found]
from test_memory_extract import Reads  # type: ignore[import-not-found]

from tercet.engines import FactReader
from tercet.sdk import Memory
from tercet.store.errors import InvalidInput, KeyReused, LimitExceeded, StoreError

HEADER = {"tercet": 1, "scope": "ada"}
AT = "2024-01-01T00:00:00.000000"


FACT = {"subject": "a", "relation": "b", "object": "c", "span": "words"}


def write(number: int, **values: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"op": "write", "at": AT, "id": f"{number:016x}", "text": f"words {number}", "scope": "ada"} | values


def file(*lines: dict[str, Any] | str, header: object = HEADER) -> list[str]:
    return [line if isinstance(line, str) else json.dumps(line) for line in (header, *lines)]


def lived(ada: Memory) -> None:
    """A past with everything in it."""
    turns = ada.write_many(
        [
            {"text": "I moved to Lisbon.", "speaker": "Ada", "thread": "t", "happened": "2024-03-09", "key": "1"},
            {"text": "Why?", "speaker": "Ben", "thread": "t", "source": "chat:1", "origin": "tool"},
            {"text": 'Work.\n\u2028\u202e"quoted" 日本', "thread": "t", "metadata": {"a": [1, {"b": None}]}},
            {"text": "deep", "scope": "ada/work", "facts": [("Ada", "lives in", "Lisbon")], "thread": "t"},
        ]
    )
    first = ada.revise(
        turns[0].id,
        "I moved to Porto.",
        facts=[{"subject": "Ada", "relation": "lives in", "object": "Porto", "valid_from": "2024-03"}],
    )
    ada.revise(turns[1].id, "Why there?")
    ada.undo(first.change)
    taken = ada.write("taken back", thread="t", key="2")
    ada.undo(taken.change)
    ada.write("after it", thread="t", key="3")
    ada.forget(ada.write("forgotten secret", thread="t").id)
    ada.write("the end", thread="t", facts=[("Ada", "likes", "🎉")])


def past(ada: Memory, ids: Iterable[str]) -> object:
    return [
        [(e.op, e.at, e.note and (e.note.id, e.note.text, e.note.known, e.note.previous)) for e in ada.history(id)]
        for id in ids
    ]


def test_an_import_into_an_empty_store_is_the_same_memory(memory: Memories) -> None:
    ada, copy = memory(), memory(folder="copy")
    lived(ada)
    lines = list(ada.export())
    assert copy.import_(iter(lines)) == len(lines) - 1 - 1  # the header, and the undo of a write
    assert list(copy.export()) == lines
    ids = [note.id for note in ada.notes()]
    assert [note.id for note in copy.notes()] == ids
    assert past(copy, ids) == past(ada, ids)
    for question in ("Where did I move?", "work 日本", "Porto Lisbon", "quoted"):
        assert [(o.note.text, o.score) for o in copy.read(question, k=20)] == [
            (o.note.text, o.score) for o in ada.read(question, k=20)
        ]
    assert [(f.object, f.valid_from, f.superseded) for f in copy.facts(superseded=True)] == [
        (f.object, f.valid_from, f.superseded) for f in ada.facts(superseded=True)
    ]
    assert disagreements(copy._store) == []


def test_times_survive_so_that_the_past_can_be_asked_for(memory: Memories) -> None:
    ada, copy = memory(), memory(folder="copy")
    lived(ada)
    copy.import_(ada.export())
    for change in ada._store.notes.changes.select(scope="ada"):
        then = ada.notes(known_at=change.at)
        assert [note.id for note in copy.notes(known_at=change.at)] == [note.id for note in then]


def test_a_turn_revised_after_its_neighbour_was_follows_the_newest(memory: Memories) -> None:
    ada, copy = memory(), memory(folder="copy")
    one, two = ada.write_many([{"text": "one", "thread": "t"}, {"text": "two", "thread": "t"}])
    ada.revise(one.id, "one, mended")
    assert ada.revise(two.id, "two, mended").previous == "one, mended"
    copy.import_(ada.export())
    assert [note.previous for note in copy.notes()] == ["one, mended", ""]


def test_importing_again_changes_nothing(memory: Memories) -> None:
    ada = memory()
    lived(ada)
    lines = list(ada.export())
    change = ada.stats().change
    assert ada.import_(lines) == 0
    assert ada.stats().change == change
    copy = memory(folder="copy")
    copy.import_(lines)
    assert copy.import_(lines) == 0
    assert list(copy.export()) == lines


def test_an_import_adds_to_what_is_there(memory: Memories) -> None:
    ada, other = memory(), memory(folder="other")
    here = ada.write("here already", thread="t")
    lived(other)
    ada.import_(other.export())
    assert here in ada.notes()
    assert len(ada.notes()) == len(other.notes()) + 1
    assert all(note.known >= here.known for note in ada.notes())
    assert disagreements(ada._store) == []


def test_a_key_that_is_here_already_is_not_counted_as_new(memory: Memories) -> None:
    ada = memory()
    ada.write("words 1", key="k")
    assert ada.import_(file(write(1, key="k"), write(2))) == 1
    assert len(ada.notes()) == 2
    with pytest.raises(KeyReused):
        ada.import_(file(write(3, key="k")))


def test_nothing_of_what_was_forgotten_is_exported(memory: Memories) -> None:
    ada = memory()
    lived(ada)
    assert "forgotten secret" not in "".join(ada.export())


def test_an_export_of_a_scope_below_imports_there(memory: Memories) -> None:
    ada = memory()
    lived(ada)
    copy = memory("ada/work", folder="copy")
    assert copy.import_(memory("ada/work").export()) == 1
    assert [note.text for note in copy.notes()] == ["deep"]


def test_importing_the_same_from_many_threads_is_importing_it_once(memory: Memories) -> None:
    ada = memory()
    lines = file(
        write(1), write(2, op="revise", replaces=f"{1:016x}"), write(3), {"op": "undo", "at": AT, "id": f"{3:016x}"}
    )
    counts: list[int] = []
    threads = [Thread(target=lambda: counts.append(ada.import_(lines))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts) == [0, 0, 0, 0, 0, 3]
    assert [note.text for note in ada.notes()] == ["words 2"]
    assert disagreements(ada._store) == []


def test_progress_is_told(memory: Memories) -> None:
    steps: list[int] = []
    memory().import_(file(*(write(n) for n in range(1, 700))), on_progress=steps.append)
    assert sum(steps) == 699


@pytest.mark.parametrize(
    "at", ["9999-12-31T23:59:59.999999", "2020-01-01T00:00:00.000000", "0001-01-01T00:00:00.000000"]
)
def test_no_file_can_set_the_clock_ahead_or_out_of_order(memory: Memories, at: str) -> None:
    ada = memory()
    now = datetime.now(UTC).replace(tzinfo=None).isoformat()
    ada.import_(file(write(1), write(2, at=at), write(3)))
    ada.write("after")
    known = [note.known for note in reversed(ada.notes())]
    assert known == sorted(known)
    assert known[2][:4] <= now[:4]
    assert known[3] >= now
    assert [note.text for note in ada.notes(known_at="2024-01-01")][-1] == "words 1"


BAD: dict[str, Sequence[object]] = {
    "no lines": [],
    "an empty line": [""],
    "no JSON": ["{"],
    "words": ["hello"],
    "a list": ["[]"],
    "a number": ["5"],
    "null": ["null"],
    "no header": [json.dumps(write(1))],
    "another header": file(header={"version": 1}),
    "a later format": file(header={"tercet": 4, "scope": "ada"}),
    "a format that is no number": file(header={"tercet": "1", "scope": "ada"}),
    "the header twice": file(json.dumps(HEADER)),
    "bytes": [b'{"tercet":1,"scope":"ada"}'],
    "a key twice": file('{"op":"write","op":"undo","at":"' + AT + '","id":"' + "1" * 16 + '"}'),
    "a scope twice": file(json.dumps(write(1))[:-1] + ',"scope":"bob"}'),
    "not a number": file(json.dumps(write(1, metadata={"a": float("nan")}))),
    "infinity": file(json.dumps(write(1, metadata={"a": float("inf")}))),
    "1e999": file(json.dumps(write(1, metadata={"a": 5})).replace("5}", "1e999}")),
    "a number of 5,000 digits": file(json.dumps(write(1, metadata={"a": 5})).replace("5}", "5" * 5000 + "}")),
    "2^63": file(write(1, metadata={"a": 2**63})),
    "deep nesting": file("[" * 200_000 + "]" * 200_000),
    "deep metadata": file('{"a":' * 70 + "1" + "}" * 70),
    "an unknown field": file(write(1, importance=5)),
    "a lone surrogate": file(json.dumps(write(1)).replace("words", "\\ud800")),
    "a lone surrogate in an id": file(write(1, id="\ud800" * 16)),
    "a NUL": file(write(1, text="a\x00b")),
    "no text": file(write(1, text=" ")),
    "text of another type": file(write(1, text=5)),
    "an id in capitals": file(write(1, id="A" * 16)),
    "a short id": file(write(1, id="1")),
    "an id with a line end": file(write(1, id="1" * 16 + "\n")),
    "an id that is a path": file(write(1, id="../../../../etc/a")),
    "a malformed time": file(write(1, at="2024-13-01T00:00:00.000000")),
    "a time without fraction": file(write(1, at="2024-01-01T00:00:00")),
    "an unknown change": file(write(1, op="delete")),
    "a forget": file(write(1, op="forget")),
    "a malformed scope": file(write(1, scope="Ada")),
    "no scope": file({k: v for k, v in write(1).items() if k != "scope"}),
    "an unknown origin": file(write(1, origin="god")),
    "a malformed date": file(write(1, happened="soon")),
    "a fact of two": file(write(1, facts=[{"subject": "a", "relation": "b"}])),
    "a fact with confidence": file(
        write(1, facts=[{"subject": "a", "relation": "b", "object": "c", "confidence": "1"}])
    ),
    "a fact of numbers": file(write(1, facts=[{"subject": 1, "relation": 2, "object": 3}])),
    "the same id twice": file(write(1), write(1, text="other")),
    "the same line twice": file(write(1), write(1)),
    "a revision of nothing": file(write(1, op="revise")),
    "a revision of what is not there": file(write(1, op="revise", replaces="9" * 16)),
    "a revision before the write": file(write(2, op="revise", replaces=f"{1:016x}"), write(1)),
    "a write that replaces": file(write(1), write(2, replaces=f"{1:016x}")),
    "two revisions of one version": file(
        write(1), write(2, op="revise", replaces=f"{1:016x}"), write(3, op="revise", replaces=f"{1:016x}")
    ),
    "a revision of what was undone": file(
        write(1), {"op": "undo", "at": AT, "id": f"{1:016x}"}, write(3, op="revise", replaces=f"{1:016x}")
    ),
    "a revision with a key": file(write(1, key="k"), write(2, op="revise", replaces=f"{1:016x}", key="k")),
    "a revision into another scope": file(write(1), write(2, op="revise", replaces=f"{1:016x}", scope="ada/work")),
    "a key for two contents": file(write(1, key="k"), write(2, key="k")),
    "an undo of what is not there": file({"op": "undo", "at": AT, "id": "9" * 16}),
    "a write without words": file({"op": "write", "at": AT, "id": "1" * 16}),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_file_is_refused_and_leaves_nothing(memory: Memories, what: str) -> None:
    ada = memory()
    kept = ada.write("kept")
    before = list(ada.export())
    lines: Any = BAD[what]
    good = [*lines[:1], json.dumps(write(99)), *lines[1:]] if len(lines) > 1 else lines
    with pytest.raises((InvalidInput, KeyReused)) as raised:
        ada.import_(good)
    assert isinstance(raised.value, StoreError)
    assert len(str(raised.value)) < 500
    assert list(ada.export()) == before
    assert ada.notes() == [kept]
    assert disagreements(ada._store) == []


def test_a_line_or_value_over_its_limit_is_refused(memory: Memories) -> None:
    ada = memory()
    for line in (write(1, text="x" * (9 << 20)), write(1, text="x" * 1_000_001), write(1, speaker="x" * 1_001)):
        with pytest.raises(LimitExceeded, match=r"^line 2"):
            ada.import_(file(line))
    assert ada.notes() == []


def test_a_note_that_is_here_with_other_words_stops_the_import(memory: Memories) -> None:
    ada = memory()
    ada.import_(file(write(1)))
    with pytest.raises(InvalidInput, match="other content"):
        ada.import_(file(write(2), write(1, text="forged")))
    assert [note.text for note in ada.notes()] == ["words 1"]


def test_a_revision_made_elsewhere_meanwhile_is_no_second_present(memory: Memories) -> None:
    ada, copy = memory(), memory(folder="copy")
    note = ada.write("words")
    copy.import_(ada.export())
    ada.revise(note.id, "revised here")
    copy.revise(note.id, "revised there")
    with pytest.raises(InvalidInput, match="revised or undone here before"):
        copy.import_(ada.export())
    assert [item.text for item in copy.notes()] == ["revised there"]
    assert disagreements(copy._store) == []


def exported(ada: Memory, op: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, ada.export()) if line.get("op") == op]


def test_what_models_read_and_what_was_declared_survive(memory: Memories) -> None:
    ada = memory()
    moved, other = ada.write("Zed moved to Faro.", happened="2024-03-09"), ada.write("Nothing here.")
    assert ada.extract(FactReader(Reads())).facts == 1
    ada.single_valued("drinks")
    ada.single_valued("lives in", single=False)
    copy = memory(folder="copy")
    copy.import_(list(ada.export()))
    assert copy.extracted(moved.id) == ada.extracted(moved.id) != ()
    assert [(fact.object, fact.extractor) for fact in copy.facts(relation="lives in")] == [("Faro", "reads")]
    again = Reads()
    copy.extract(FactReader(again))
    assert again.requests == 0  # nor of the note in which nothing was found
    assert list(copy.export()) == list(ada.export())
    assert disagreements(copy._store) == []
    copy.single_valued("drinks", single=False)
    copy.import_(list(ada.export()))
    assert [line["single"] for line in exported(copy, "single")] == [False, False]
    ada.forget(moved.id)
    assert [line["id"] for line in exported(ada, "read")] == [other.id]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ({"op": "read", "id": "9" * 16, "model": "m", "facts": []}, "no line before wrote"),
        ({"op": "read", "id": f"{1:016x}", "model": "", "facts": []}, "model"),
        ({"op": "read", "id": f"{1:016x}", "model": "m", "facts": [FACT | {"span": "never said"}]}, "does not say"),
        ({"op": "read", "id": f"{1:016x}", "model": "m", "facts": [FACT | {"confidence": 2.0}]}, "confidence"),
        ({"op": "read", "id": f"{1:016x}", "model": "m", "facts": [FACT | {"object": ""}]}, "needs a subject"),
        ({"op": "single", "scope": "ben", "relation": "r", "single": True}, "scope"),
        ({"op": "single", "scope": "ada", "relation": "r", "single": 1}, "single"),
    ],
)
def test_readings_and_declarations_are_checked(memory: Memories, line: dict[str, Any], why: str) -> None:
    ada = memory()
    with pytest.raises(InvalidInput, match=f"line 3.*{why}"):
        ada.import_(file(write(1), line))
    assert list(ada.notes()) == exported(ada, "read") == exported(ada, "single") == []
