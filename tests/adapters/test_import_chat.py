from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tercet.adapters.importers import read_chat
from tercet.store.errors import InvalidInput

SHARED = {
    "id": "dsOT_0",
    "conversations": [
        {"from": "system", "value": "Be kind."},
        {"from": "human", "value": "Where is Porto?"},
        {"from": "gpt", "value": "In Portugal."},
        {"from": "observation", "value": "{}"},
        {"from": "narrator", "value": "They fell silent."},
    ],
}
MESSAGES = {
    "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Look", "name": "ada", "timestamp": 1_700_000_000_000},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function"}]},
        {"role": "tool", "content": "42", "tool_call_id": "c1"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": {"url": "x"}}, "this"],
        },
    ],
    "created_at": "2026-03-01T08:00:00Z",
}


def saved(tmp_path: Path, content: object, name: str = "talk.json") -> Path:
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def node(id: str, parent: str | None, role: str = "user", text: object = None, **more: object) -> dict[str, Any]:
    content = {"content_type": "text", "parts": [text or id]}
    message = {
        "id": f"m-{id}",
        "author": {"role": role, "name": None},
        "content": content,
        "create_time": 1.7e9,
        **more,
    }
    return {"id": id, "parent": parent, "children": [], "message": message}


def export(*nodes: dict[str, Any], last: str | None = None, **more: object) -> dict[str, Any]:
    root: dict[str, Any] = {"id": "root", "parent": None, "children": [], "message": None}
    tree = {one["id"]: {**one, "children": []} for one in (root, *nodes)}
    for one in nodes:
        if one["parent"] in tree:
            tree[one["parent"]]["children"].append(one["id"])
    return {"title": "T", "create_time": 1.6e9, "mapping": tree, "current_node": last, "conversation_id": "c-1", **more}


# --- ShareGPT and OpenAI messages ------------------------------------------------------------------------------


def test_a_sharegpt_turn_becomes_the_keywords_of_write(tmp_path: Path) -> None:
    drafts = read_chat(saved(tmp_path, [SHARED]))
    turns = list(drafts)
    assert {name: value for name, value in turns[0].items() if name != "key"} == {
        "text": "Where is Porto?",
        "speaker": "human",
        "source": "dsOT_0:2",
        "thread": "dsOT_0",
        "origin": "user",
    }
    assert [turn["origin"] for turn in turns] == ["user", "model", "tool", "import"]
    assert drafts.skipped == {"system prompts": 1}


def test_openai_messages_become_turns(tmp_path: Path) -> None:
    drafts = read_chat(saved(tmp_path, MESSAGES))
    turns = list(drafts)
    assert [(turn["speaker"], turn["text"], turn["origin"]) for turn in turns] == [
        ("ada", "Look", "user"),
        ("tool", "42", "tool"),
        ("user", "See\n[image_url]\nthis", "user"),
    ]
    assert [turn["happened"] for turn in turns] == ["2023-11-14T22:13:20", *["2026-03-01T08:00:00Z"] * 2]
    assert {turn["thread"] for turn in turns} == {"talk-1"}
    assert drafts.skipped == {"system prompts": 1, "turns without words": 1}


def test_every_layout_of_messages_is_read(tmp_path: Path) -> None:
    bare = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    other = [{"role": "user", "content": "c"}]
    for content in ([{"messages": bare}, {"messages": other}], '{"messages": [] }\n' + json.dumps({"messages": other})):
        assert list(read_chat(saved(tmp_path, content)))[-1]["thread"] == "talk-2"
    first, second = read_chat(saved(tmp_path, bare))
    assert (first["source"], second["source"], second["thread"]) == ("talk-1:1", "talk-1:2", "talk-1")
    assert list(read_chat(saved(tmp_path, {"messages": bare}))) == [first, second]
    assert list(read_chat(saved(tmp_path, {"conversations": bare}))) == [first, second]


def test_the_same_words_twice_are_two_turns(tmp_path: Path) -> None:
    one = {"role": "user", "content": "ok"}
    first, second = read_chat(saved(tmp_path, {"id": 7, "messages": [one, one]}))
    assert first["key"] != second["key"]
    assert first["thread"] == "7"


def test_a_conversation_that_grew_keeps_its_keys(tmp_path: Path) -> None:
    short = [
        turn["key"] for turn in read_chat(saved(tmp_path, [{**SHARED, "conversations": SHARED["conversations"][:3]}]))
    ]
    assert [turn["key"] for turn in read_chat(saved(tmp_path, [SHARED]))][:2] == short


# --- ChatGPT's export ------------------------------------------------------------------------------------------


def test_the_path_that_is_seen_is_read(tmp_path: Path) -> None:
    drafts = read_chat(
        saved(
            tmp_path,
            [
                export(
                    node("s", "root", "system"),
                    node("q", "s", text="question"),
                    node("old", "q", "assistant", text="first try"),
                    node("new", "q", "assistant", text="second try", create_time=None),
                    node("call", "new", "assistant", recipient="browser"),
                    node("hid", "call", "user", metadata={"is_visually_hidden_from_conversation": True}),
                    node("think", "hid", "assistant", content={"content_type": "thoughts", "thoughts": []}),
                    node("end", "think", "tool", text={"content_type": "image_asset_pointer", "asset_pointer": "x"}),
                    last="end",
                )
            ],
        )
    )
    turns = list(drafts)
    assert [(turn["text"], turn["origin"], turn["source"]) for turn in turns] == [
        ("question", "user", "c-1:m-q"),
        ("second try", "model", "c-1:m-new"),
        ("[image_asset_pointer]", "tool", "c-1:m-end"),
    ]
    assert [turn["happened"] for turn in turns][:2] == ["2023-11-14T22:13:20", "2020-09-13T12:26:40"]
    assert drafts.skipped == {
        "system prompts": 1,
        "calls of tools": 1,
        "hidden messages": 1,
        "turns without words": 1,
        "turns of abandoned branches": 1,
    }


def test_without_a_current_node_the_newest_path_is_read(tmp_path: Path) -> None:
    nodes = (node("q", "root"), node("old", "q"), node("new", "q"))
    assert [turn["text"] for turn in read_chat(saved(tmp_path, [export(*nodes)]))] == ["q", "new"]
    assert list(read_chat(saved(tmp_path, [export() | {"mapping": {}}]))) == []


@pytest.mark.parametrize(
    ("conversation", "said"),
    [
        (export(node("q", "root"), last="gone"), "mapping has no node 'gone'"),
        (export(node("q", "gone"), last="q"), "mapping has no node 'gone'"),
        (export(node("a", "b"), node("b", "a"), last="a"), "mapping goes in a circle at node"),
        ({"mapping": {"a": {"parent": "a"}}}, "mapping has no first node"),
        ({"mapping": [1]}, "mapping: input should be a valid dictionary"),
        ({"mapping": {"a": {"message": {"id": "1"}}}}, "mapping: a.message.author: field required"),
        (export(node("q", "root", create_time=1e300), last="q"), "the time stamp 1e+300 is no moment"),
        (export(node("q", "root"), last="q", conversation_id=[1]), "id: "),
    ],
    ids=range(8),
)
def test_a_wrong_tree_is_refused_with_its_place(tmp_path: Path, conversation: object, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        list(read_chat(saved(tmp_path, [conversation])))
    assert said in str(caught.value)
    assert "record 1 (line 1)" in str(caught.value)


def test_a_path_of_many_turns_is_read(tmp_path: Path) -> None:
    nodes = [node("n0", "root"), *(node(f"n{i}", f"n{i - 1}") for i in range(1, 3000))]
    assert len(list(read_chat(saved(tmp_path, [export(*nodes, last="n2999")])))) == 3000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([{"other": 1}], "it has neither messages, conversations nor a mapping"),
        ({"messages": {}}, "messages: input should be a valid list"),
        ({"messages": [5]}, "messages: [0]: input should be a valid dictionary, not 5"),
        ({"messages": [{"content": "x"}]}, "messages[0]: role: field required"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0]: content"),
        ({"messages": [{"role": "user", "content": "x", "timestamp": True}]}, "timestamp: a time stamp is"),
        ({"messages": [{"role": "user", "content": "x", "timestamp": "noon"}]}, "happened is not a date: 'noon'"),
        ({"messages": [{"role": "user", "content": "x", "name": "a\nb"}]}, "speaker must be a single line"),
        ('{"messages": [{"role": "user", "content": "\\ud800"}]}', "lone surrogate"),
        ({"messages": [{"role": "user", "content": "x"}], "id": "a\nb"}, "single line"),
        ('{"messages": [{"role": "user", "content": "ok"}]}\n{"messages": [{"ro', "ends in the middle of record 2"),
    ],
    ids=range(11),
)
def test_a_wrong_log_is_refused_with_its_place(tmp_path: Path, content: object, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        list(read_chat(saved(tmp_path, content)))
    assert said in str(caught.value)
