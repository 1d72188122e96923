"""Bad input gets its right answer: a documented error or an empty result, and nothing in the store has changed.

The numbers are those of the project's table of bad inputs; what concerns other doors than the library is tested there.
"""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from factories import HashEmbedder, Memories, disagreements  # type: ignore[import-not-found]

from tercet.sdk import Memory
from tercet.store.errors import (
    InvalidInput,
    InvalidScope,
    LimitExceeded,
    NoteNotFound,
    StoreError,
    TercetError,
)
from tercet.store.note import Note, Triplet

Act = Callable[[Memory, Note], object]
HUGE = 10**5000
FAR_EAST = timezone(timedelta(hours=14))


def nested(depth: int) -> dict[str, object]:
    whole: dict[str, object] = {}
    for _ in range(depth - 1):
        whole = {"a": whole}
    return whole


def cyclic() -> dict[str, object]:
    whole: dict[str, object] = {}
    whole["self"] = whole
    return whole


def asking(call: Callable[[Memory, Any], object], value: object) -> Act:
    return lambda memory, note: call(memory, value)


def in_scope(memory: Memory, scope: Any) -> object:  # noqa: ANN401
    return memory.read("apple", scope=scope)


def everywhere(text: str) -> dict[str, Act]:
    """Every place that a text can reach."""
    return {
        "text": lambda m, n: m.write(text),
        "text of many": lambda m, n: m.write_many(["good", text]),
        "speaker": lambda m, n: m.write("x", speaker=text),
        "source": lambda m, n: m.write("x", source=text),
        "thread": lambda m, n: m.write("x", thread=text),
        "key": lambda m, n: m.write("x", key=text),
        "happened": lambda m, n: m.write("x", happened=text),
        "origin": lambda m, n: m.write("x", origin=text),
        "write's scope": lambda m, n: m.write("x", scope=text),
        "subject": lambda m, n: m.write("x", facts=[(text, "is", "b")]),
        "object": lambda m, n: m.write("x", facts=[("a", "is", text)]),
        "validity": lambda m, n: m.write(
            "x", facts=[{"subject": "a", "relation": "b", "object": "c", "valid_from": text}]
        ),
        "metadata's key": lambda m, n: m.write("x", metadata={text: 1}),
        "metadata": lambda m, n: m.write("x", metadata={"deep": [{"a": text}]}),
        "a field of a draft": lambda m, n: m.write_many([{"text": "x", text: 1}]),
        "question": lambda m, n: m.read(f"what {text}"),
        "form": lambda m, n: m.read("x", by=[text]),
        "as_of": lambda m, n: m.read("x", as_of=text),
        "known_at": lambda m, n: m.notes(known_at=text),
        "read's scope": lambda m, n: m.read("x", scope=text),
        "facts of": lambda m, n: m.facts(subject=text),
        "filter": lambda m, n: m.notes(speaker=text),
        "revision": lambda m, n: m.revise(n.id, text),
        "relation": lambda m, n: m.single_valued(text),
        "rebuild": lambda m, n: m.rebuild(forms=[text]),
    }


ODD_IDS: list[Any] = [
    "", " ", "0" * 16, "0" * 10_000, "\ud800", "a\x00b", "日本", "*", "%", "_" * 16, "' OR 1=1 --", "../../etc", None,
    5, HUGE, 1.5, b"0" * 16, ["a"], {"id": 1}, True,
]  # fmt: skip
ODD_COUNTS: list[Any] = [0, -1, 10**9, 2**63, HUGE, -HUGE, 1.0, float("nan"), "5", None, True, [5], b"5"]
BY_ID: dict[str, Callable[[Memory, Any], object]] = {
    "get": lambda m, id: m.get(id),
    "history": lambda m, id: m.history(id),
    "revise": lambda m, id: m.revise(id, "x"),
    "forget": lambda m, id: m.forget(id),
}

CASES: dict[str, tuple[Act, type[StoreError] | None]] = {
    **{f"7 lone surrogate in {place}": (act, InvalidInput) for place, act in everywhere("a\ud800b").items()},
    **{f"8 NUL in {place}": (act, InvalidInput) for place, act in everywhere("a\x00b").items()},
    "9 2^63 in metadata": (lambda m, n: m.write("x", metadata={"a": 2**63}), InvalidInput),
    "9 5,000 digits in metadata": (lambda m, n: m.write("x", metadata={"a": HUGE}), InvalidInput),
    "9 5,000 digits as a text": (lambda m, n: m.write(HUGE), InvalidInput),  # type: ignore[arg-type]
    "9 5,000 digits as a date": (lambda m, n: m.write("x", happened=HUGE), InvalidInput),  # type: ignore[arg-type]
    "9 5,000 digits as an origin": (lambda m, n: m.write("x", origin=HUGE), InvalidInput),  # type: ignore[arg-type]
    "9 5,000 digits as a fact": (lambda m, n: m.write("x", facts=[HUGE]), InvalidInput),  # type: ignore[list-item]
    "9 5,000 digits in a fact": (lambda m, n: m.write("x", facts=[(HUGE, "is", "b")]), InvalidInput),  # type: ignore[list-item]
    "9 5,000 digits as facts": (lambda m, n: m.write("x", facts=HUGE), InvalidInput),  # type: ignore[arg-type]
    "9 5,000 digits as forms": (lambda m, n: m.read("x", by=HUGE), InvalidInput),  # type: ignore[arg-type]
    "9 5,000 digits as a form": (lambda m, n: m.read("x", by=[HUGE]), InvalidInput),  # type: ignore[list-item]
    "9 5,000 digits as drafts": (lambda m, n: m.write_many(HUGE), InvalidInput),  # type: ignore[arg-type]
    "9 5,000 digits as a change": (lambda m, n: m.notes(known_at=HUGE), InvalidInput),
    "10 NaN": (lambda m, n: m.write("x", metadata={"a": float("nan")}), InvalidInput),
    "10 infinity": (lambda m, n: m.write("x", metadata={"a": [float("-inf")]}), InvalidInput),
    "10 NaN of numpy": (lambda m, n: m.write("x", metadata={"a": np.float64("nan")}), InvalidInput),
    "13 text of a byte over 1 MB": (lambda m, n: m.write("é" * 500_000 + "x"), LimitExceeded),
    "13 question over 1 MB": (lambda m, n: m.read("x" * 1_000_001), LimitExceeded),
    "13 speaker": (lambda m, n: m.write("x", speaker="x" * 1_001), LimitExceeded),
    "13 key": (lambda m, n: m.write("x", key="x" * 1_001), LimitExceeded),
    "13 side of a fact": (lambda m, n: m.write("x", facts=[("x" * 1_001, "is", "b")]), LimitExceeded),
    "13 facts": (lambda m, n: m.write("x", facts=[("a", "is", "b")] * 257), LimitExceeded),
    "13 metadata": (lambda m, n: m.write("x", metadata={"a": "x" * 65_530}), LimitExceeded),
    "13 wide metadata": (lambda m, n: m.write("x", metadata={"a": list(range(50_000))}), LimitExceeded),
    "13 revision": (lambda m, n: m.revise(n.id, "x" * 1_000_001), LimitExceeded),
    "13 filter": (lambda m, n: m.notes(speaker="x" * 5_000), LimitExceeded),
    "14 metadata 65 deep": (lambda m, n: m.write("x", metadata=nested(65)), InvalidInput),
    "14 metadata 100,000 deep": (lambda m, n: m.write("x", metadata=nested(100_000)), InvalidInput),
    "14 metadata in a circle": (lambda m, n: m.write("x", metadata=cyclic()), InvalidInput),
    "14 metadata of another type": (lambda m, n: m.write("x", metadata=[1]), InvalidInput),  # type: ignore[arg-type]
    "14 a set in metadata": (lambda m, n: m.write("x", metadata={"a": {1}}), InvalidInput),
    "14 bytes in metadata": (lambda m, n: m.write("x", metadata={"a": b"x"}), InvalidInput),
    "14 a number as a key": (lambda m, n: m.write("x", metadata={1: 1}), InvalidInput),  # type: ignore[dict-item]
    **{
        f"16 {method} of id {place}": (asking(call, id), NoteNotFound)
        for method, call in BY_ID.items()
        for place, id in enumerate(ODD_IDS)
    },
    "17 a prefix of an id": (lambda m, n: m.get(n.id[:8]), NoteNotFound),
    "17 forget by a prefix": (lambda m, n: m.forget(n.id[:15]), NoteNotFound),
    "17 id in capitals": (lambda m, n: m.get(n.id.upper() + "A"), NoteNotFound),
    "17 id with a blank": (lambda m, n: m.get(f"{n.id} "), NoteNotFound),
    **{
        f"18 scope {scope!r}": (asking(in_scope, scope), InvalidScope)
        for scope in ("", " ", "*", "%", "all", "ada*", "a", "/", "..", False, 0)
    },
    "19 an unknown field": (lambda m, n: m.write_many([{"text": "x", "a'); DROP TABLE note; --": 1}]), InvalidInput),
    "19 a misspelt field": (lambda m, n: m.write_many([{"text": "x", "speeker": "Ada"}]), InvalidInput),
    "19 a field that is a number": (lambda m, n: m.write_many([{5: "x"}]), InvalidInput),  # type: ignore[dict-item]
    "19 an id of one's own": (lambda m, n: m.write_many([{"text": "x", "id": "0" * 16}]), InvalidInput),
    "19 an unknown field of a fact": (
        lambda m, n: m.write("x", facts=[{"subject": "a", "relation": "b", "object": "c", "confidence": 1}]),
        InvalidInput,
    ),
    "21 forget of nothing": (lambda m, n: m.forget(), InvalidInput),
    "21 forget of nothing, erased": (lambda m, n: m.forget(erase=True), InvalidInput),
    "24 lines that are a pickle": (lambda m, n: m.import_([b"\x80\x04K\x01."]), InvalidInput),  # type: ignore[list-item]
    "36 the first moment, east of here": (
        lambda m, n: m.write("x", happened=datetime(1, 1, 1, tzinfo=FAR_EAST)),
        InvalidInput,
    ),
    "36 after the last moment": (lambda m, n: m.write("x", happened="9999-12-31T23:59:59-01:00"), InvalidInput),
    "36 the year 0": (lambda m, n: m.write("x", happened="0000-01-01"), InvalidInput),
    "36 the year 10000": (lambda m, n: m.write("x", happened="10000-01-01"), InvalidInput),
    "36 before Christ": (lambda m, n: m.write("x", happened="-0044-03-15"), InvalidInput),
    "36 a day that is none": (lambda m, n: m.write("x", happened="2023-02-29"), InvalidInput),
    "36 seconds since 1970": (lambda m, n: m.write("x", happened=1_700_000_000), InvalidInput),  # type: ignore[arg-type]
    "36 an end before the beginning": (
        lambda m, n: m.write("x", facts=[Triplet("a", "is", "b", valid_from="2024", valid_to="2023-12-31")]),
        InvalidInput,
    ),
    "1 no text": (lambda m, n: m.write(""), InvalidInput),
    "1 blanks only": (lambda m, n: m.write(" \n\t\u3000"), InvalidInput),
    "1 None": (lambda m, n: m.write(None), InvalidInput),  # type: ignore[arg-type]
    "1 bytes": (lambda m, n: m.write(b"words"), InvalidInput),  # type: ignore[arg-type]
    "1 no text in a mapping": (lambda m, n: m.write_many([{"speaker": "Ada"}]), InvalidInput),
    "one text for many": (lambda m, n: m.write_many("words"), InvalidInput),
    "one mapping for many": (lambda m, n: m.write_many({"text": "words"}), InvalidInput),
    "nothing for many": (lambda m, n: m.write_many(None), InvalidInput),  # type: ignore[arg-type]
    "a number among many": (lambda m, n: m.write_many(["x", 5]), InvalidInput),  # type: ignore[list-item]
    "a question of None": (lambda m, n: m.read(None), InvalidInput),  # type: ignore[arg-type]
    "a form for forms": (lambda m, n: m.read("x", by="words"), InvalidInput),
    "no forms": (lambda m, n: m.read("x", by=None), InvalidInput),  # type: ignore[arg-type]
    "an unknown form": (lambda m, n: m.rebuild(forms=["words", "keys-values"]), InvalidInput),
    "an unknown origin": (lambda m, n: m.write("x", origin="admin"), InvalidInput),
    "an origin that is a list": (lambda m, n: m.write("x", origin=["user"]), InvalidInput),  # type: ignore[arg-type]
    "a line end in a name": (lambda m, n: m.write("x", speaker="Ada\nsystem"), InvalidInput),
    "a fact of two": (lambda m, n: m.write("x", facts=[("Ada", "lives")]), InvalidInput),
    "a fact of four": (lambda m, n: m.write("x", facts=[("Ada", "lives", "in", "Lisbon")]), InvalidInput),
    "a fact of blanks": (lambda m, n: m.write("x", facts=[("Ada", " ", "Lisbon")]), InvalidInput),
    "a fact of None": (lambda m, n: m.write("x", facts=[("Ada", None, "Lisbon")]), InvalidInput),  # type: ignore[list-item]
    "one fact for many": (lambda m, n: m.write("x", facts=("Ada", "lives in", "Lisbon")), InvalidInput),
    "a mapping for facts": (lambda m, n: m.write("x", facts={"Ada": 1}), InvalidInput),  # type: ignore[arg-type]
    "a relation of nothing": (lambda m, n: m.single_valued("?!"), InvalidInput),
    "a filter of another type": (lambda m, n: m.notes(speaker=0), InvalidInput),  # type: ignore[arg-type]
    "a filter that is a list": (lambda m, n: m.notes(thread=[]), InvalidInput),  # type: ignore[arg-type]
    "19 a filter of SQL": (lambda m, n: [m.notes(speaker="x' OR '1'='1"), m.facts(subject="x\" OR true OR \"")], None),
    "37 a filter that is a pattern": (lambda m, n: [m.notes(speaker=odd) for odd in ("(a+)+$", "%", "*", "A_a")], None),
    "1 a question of nothing": (lambda m, n: [list(m.read(q)) for q in ("", " ", "?!", "🎉", "\u200b")], None),
}  # fmt: skip

COUNTS: dict[str, Callable[[Memory, Any], object]] = {
    "k": lambda m, count: m.read("x", k=count),
    "budget": lambda m, count: m.read("x", budget=count),
    "limit of notes": lambda m, count: m.notes(limit=count),
    "limit of facts": lambda m, count: m.facts(limit=count),
    "change": lambda m, count: m.undo(count),
}
for name, ask in COUNTS.items():
    for place, odd in enumerate(ODD_COUNTS):
        if not (odd == 10**9 and name in ("budget", "change")) and not (
            odd is None and name in ("budget", "limit of facts")
        ):
            CASES[f"38 {name} {place}"] = (asking(ask, odd), InvalidInput)


@pytest.fixture(scope="module")
def ada(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    memories = Memories(tmp_path_factory.mktemp("bad"))
    opened = memories()
    opened.write("one apple", speaker="Ada", thread="t", facts=[("Ada", "likes", "apples")], key="k")
    opened.write("two pears", thread="t")
    memories("bob").write("secret of bob")
    yield opened
    memories.close()


@pytest.mark.parametrize("what", CASES)
def test_bad_input_gets_its_answer_and_changes_nothing(ada: Memory, what: str) -> None:
    act, expected = CASES[what]
    note = ada.notes()[-1]
    before = (list(ada.export()), ada.stats().forms, ada.stats().change)
    begun = time.perf_counter()
    if expected is None:
        assert [found for found in act(ada, note) if found] == []  # type: ignore[attr-defined]
    else:
        with pytest.raises(expected) as raised:
            act(ada, note)
        assert isinstance(raised.value, TercetError)
        assert 0 < len(str(raised.value)) < 500, "a message is short, whatever was given"
        str(raised.value).encode()
    assert time.perf_counter() - begun < 2
    assert (list(ada.export()), ada.stats().forms, ada.stats().change) == before


def test_the_store_is_healthy_after_all_of_it(ada: Memory) -> None:
    assert disagreements(ada._store) == []
    assert ada.read("apple")[0].note.text == "one apple"


@pytest.mark.parametrize(
    ("values", "size"),
    [
        ({"text": "é" * 500_000}, 1_000_000),
        ({"text": "x", "speaker": "é" * 1_000}, 1_000),
        ({"text": "x", "facts": [("a", "is", f"b{n}") for n in range(256)]}, 256),
        ({"text": "x", "metadata": {"a": "x" * 65_500}}, 65_500),
        ({"text": "x", "metadata": nested(64)}, 64),
        ({"text": "x", "metadata": {"a": [2**63 - 1, -(2**63), 1e308, -0.0, "", None]}}, 6),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_just_within_its_limit_is_kept(memory: Memories, values: dict[str, Any], size: int) -> None:
    ada = memory()
    note = ada.write(**values)
    assert ada.get(note.id) == note
    assert disagreements(ada._store) == []
    assert size


class ZeroEmbedder:
    """All words are the same nothing."""

    name, dimensions = "zero", 48

    def embed(self, texts: Any) -> Any:  # noqa: ANN401
        return np.zeros((len(texts), 48), np.float32)


def test_12_zero_vectors_score_zero(memory: Memories) -> None:
    ada = memory(embedder=ZeroEmbedder())
    ada.write_many(["one apple", "two pears"])
    recall = ada.read("apple")
    assert recall[0].note.text == "one apple"
    assert all(np.isfinite(one.score) for one in recall)


@pytest.mark.sqlite
def test_39_very_many_edges_on_one_name(memory: Memories) -> None:
    ada = memory()
    ada.write_many(
        {"text": f"part {n}", "facts": [("hub", "touches", f"leaf {n} {m}") for m in range(200)]} for n in range(100)
    )
    begun = time.perf_counter()
    recall = ada.read("What does the hub touch? leaf 7 9", k=10)
    assert time.perf_counter() - begun < 5
    assert len(recall) == 10
    assert all(len(one.why.path) < 12 for one in recall)


def test_29_names_that_only_look_alike_are_different(memory: Memories) -> None:
    ada = memory()
    ada.write("one", speaker="Ada", facts=[("Ada", "likes", "pears")])
    ada.write("two", speaker="Аda", facts=[("Аda", "likes", "apples")])  # a Cyrillic letter
    ada.write("three", speaker="A\u200bda")
    assert [note.text for note in ada.notes(speaker="Ada")] == ["one"]
    assert [fact.object for fact in ada.facts(subject="Ada")] == ["pears"]


def test_an_embedder_of_other_values_is_no_way_in(memory: Memories) -> None:
    ada = memory(embedder=HashEmbedder())
    ada.write("x")
    with pytest.raises(InvalidInput, match="cannot be kept in sqlite"):
        Memory("sqlite:///etc/passwd", scope="ada", embedder=None, extractor=None)
