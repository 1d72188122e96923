"""Calls as tools of large models: what they are told, and what comes of what they send."""

import json
from typing import Any

import pytest
from factories import Memories  # type: ignore[import-not-found]

from tercet.adapters.call_tools import TOOLS, run_tool
from tercet.sdk.calls import Calls


@pytest.fixture
def calls(memory: Memories) -> Calls:
    made = memory("ada", embedder=None, extractor=None)
    made.write(
        "Lisbon.", facts=[("Ada Byron", "lives in", "Lisbon"), ("Marten", "knows", "Bo"), ("Martin", "knows", "Bo")]
    )
    return Calls(made)


def told(calls: Calls, name: str, arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        run_tool(calls, name, arguments if isinstance(arguments, str) else json.dumps(arguments))
    )
    return found


def test_each_side_can_be_left_out(calls: Calls) -> None:
    fact = {"subject": "Ada Byron", "relation": "lives in", "object": "Lisbon"}
    for side, value in fact.items():
        rest = {name: other for name, other in fact.items() if name != side}
        assert told(calls, "read_fact", rest) == {"status": "found", "values": [value]}
        assert told(calls, "read_fact", rest | {side: ""})["values"] == [value]
        assert told(calls, "read_fact", rest | {side: None})["values"] == [value]


def test_what_was_meant_is_said(calls: Calls) -> None:
    assert told(calls, "read_fact", {"subject": "Ada Byorn", "relation": "lives in"})["read_as"] == {
        "subject": "Ada Byron",
        "relation": "lives in",
        "object": None,
    }
    assert told(calls, "read_fact", {"subject": "Martyn", "relation": "knows"}) == {
        "status": "unclear",
        "values": ["Marten", "Martin"],
    }


def test_a_fact_is_written(calls: Calls) -> None:
    fact = {"subject": "Ada Byron", "relation": "likes", "object": "tea"}
    assert told(calls, "write_fact", fact)["status"] == "written"
    assert told(calls, "write_fact", fact)["status"] == "known"


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("forget_all", "{}", "there is no tool 'forget_all'"),
        ("read_fact", "{}", "3 sides asked for"),
        ("read_fact", {"subject": "a", "relation": "b", "object": "c"}, "0 sides asked for"),
        ("write_fact", {"subject": "a", "relation": "b"}, "1 sides asked for"),
        ("read_fact", {"subject": "a", "relation": 3}, "relation: Input should be a valid string"),
        ("read_fact", {"subject": "a", "scope": "bob"}, "scope: Extra inputs"),
        ("read_fact", '{"subject": "a", "subject": "b"}', "stands twice"),
        ("read_fact", "[" * 100_000, "nested"),
        ("read_fact", "Ada", "no JSON"),
        ("read_fact", "[]", "the arguments"),
        ("read_fact", r'{"subject": "\ud800", "relation": "b"}', "surrogate"),
        ("write_fact", {"subject": "a", "relation": "b", "object": "c\u0000"}, "NUL"),
    ],
)
def test_what_is_wrong_is_told_the_model(calls: Calls, name: str, arguments: object, why: str) -> None:
    answer = told(calls, name, arguments)
    assert answer["status"] == "refused"
    assert why in answer["why"]


def test_the_schemas_are_those_of_what_is_run(calls: Calls) -> None:
    for tool in TOOLS:
        function = tool["function"]
        assert tool["type"] == "function"
        assert set(function["parameters"]["required"]) <= set(function["parameters"]["properties"])
        assert function["parameters"]["additionalProperties"] is False
        assert "no tool" not in str(told(calls, function["name"], "{}"))
    assert json.loads(json.dumps(TOOLS)) == list(TOOLS)
