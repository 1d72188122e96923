from __future__ import annotations

import json
from pathlib import Path

import pytest

from tercet.adapters.importers import read_mcp
from tercet.store.errors import InvalidInput

ADA = {"type": "entity", "name": "Ada", "entityType": "engineer", "observations": ["speaks Greek", "Ada has a dog"]}
WORKS = {"type": "relation", "from": "Ada", "to": "Acme", "relationType": "works_at"}


def saved(tmp_path: Path, *lines: object) -> Path:
    path = tmp_path / "memory.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
    return path


def test_observations_types_and_relations_become_notes(tmp_path: Path) -> None:
    drafts = list(read_mcp(saved(tmp_path, ADA, WORKS)))
    assert [draft["text"] for draft in drafts] == [
        "Ada is an engineer.",
        "Ada: speaks Greek",
        "Ada has a dog",
        "Ada works at Acme.",
    ]
    assert [draft.get("facts") for draft in drafts] == [
        [("Ada", "is a", "engineer")],
        None,
        None,
        [("Ada", "works_at", "Acme")],
    ]
    assert {draft["source"] for draft in drafts} == {"mcp:Ada"}
    assert {draft["origin"] for draft in drafts} == {"import"}
    assert drafts[1]["metadata"] == {"entity": "Ada"}
    assert len({draft["key"] for draft in drafts}) == 4


def test_the_answer_of_read_graph_gives_the_same(tmp_path: Path) -> None:
    lines = list(read_mcp(saved(tmp_path, ADA, WORKS)))
    for graph in (
        {"entities": [ADA], "relations": [WORKS]},
        {
            "entities": [{name: ADA[name] for name in ("name", "entityType", "observations")}],
            "relations": [{name: WORKS[name] for name in ("from", "to", "relationType")}],
        },
    ):
        assert list(read_mcp(saved(tmp_path, json.dumps(graph, indent=2)))) == lines


def test_what_says_nothing_is_counted(tmp_path: Path) -> None:
    drafts = read_mcp(saved(tmp_path, {**ADA, "entityType": "", "observations": [" ", "x"]}))
    assert [draft["text"] for draft in drafts] == ["Ada: x"]
    assert drafts.skipped == {"entities without a type": 1, "empty observations": 1}


def test_fields_that_are_not_known_are_kept(tmp_path: Path) -> None:
    first, *_ = read_mcp(saved(tmp_path, {**ADA, "createdAt": "2026-01-01"}))
    assert first["metadata"] == {"entity": "Ada", "createdAt": "2026-01-01"}


def test_keys_do_not_depend_on_the_order_of_lines(tmp_path: Path) -> None:
    bo = {**ADA, "name": "Bo"}
    one = {draft["key"] for draft in read_mcp(saved(tmp_path, ADA, bo, WORKS))}
    assert one == {draft["key"] for draft in read_mcp(saved(tmp_path, WORKS, bo, ADA))}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"type": "note"}, "record 2 (line 2): type should be 'entity' or 'relation', not 'note'"),
        ({"name": "x"}, "type should be 'entity' or 'relation', not None"),
        ({**ADA, "observations": "x"}, "record 2 (line 2): observations: input should be a valid list, not 'x'"),
        ({**ADA, "observations": [1]}, "observations[0]: input should be a valid string, not 1"),
        ({**ADA, "name": ""}, "name: string should have at least 1 character"),
        ({**ADA, "name": "a\nb"}, "single line"),
        ({"type": "entity", "name": "x", "observations": []}, "entityType: field required"),
        ({**WORKS, "to": None}, "to: input should be a valid string, not None"),
        ({**WORKS, "to": " "}, "a fact needs a subject, a relation and an object"),
        ('{"type": "entity", "name": "cut', "the file ends in the middle of record 2 (line 2)"),
        ("[1]", "after record 1 a JSON object is expected"),
        ({**ADA, "observations": ["\ud800"]}, "observations[0]: the text holds a lone surrogate"),
    ],
    ids=range(12),
)
def test_a_wrong_line_is_refused_with_its_place(tmp_path: Path, line: object, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        list(read_mcp(saved(tmp_path, ADA, line)))
    assert said in str(caught.value)
