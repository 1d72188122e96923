"""The cutter of JSON files: lists, JSON Lines, one object; every broken one is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tercet.adapters.importers import json_records
from tercet.adapters.importers.json_records import records
from tercet.store.errors import InvalidInput, LimitExceeded


def values(path: Path) -> list[dict[str, object]]:
    return [record.value for record in records(path)]


def file(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "some.json"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


OBJECTS = [{"a": 1}, {"b": '[{"\\', "c": [[], {}, "é\n"]}, {}]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(OBJECTS),
        json.dumps(OBJECTS, indent=2),
        "\ufeff" + json.dumps(OBJECTS, ensure_ascii=False),
        "\n".join(map(json.dumps, OBJECTS)),
        "\r\n\n".join(map(json.dumps, OBJECTS)) + "\n\n",
        "".join(json.dumps(one, indent=1) for one in OBJECTS),
    ],
)
@pytest.mark.parametrize("piece", [1, 2, 3, 7, 1 << 20])
def test_every_layout_gives_the_same_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, piece: int
) -> None:
    monkeypatch.setattr(json_records, "_PIECE", piece)
    assert values(file(tmp_path, content)) == OBJECTS


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(
    objects=st.lists(st.dictionaries(st.text(max_size=3), _JSON, max_size=3), max_size=4),
    piece=st.integers(1, 9),
    lines=st.booleans(),
    ascii=st.booleans(),
)
def test_any_objects_survive_being_cut(
    tmp_path_factory: pytest.TempPathFactory, objects: list[dict[str, Any]], piece: int, lines: bool, ascii: bool
) -> None:
    if lines and not objects:
        return
    whole = "\n".join(json.dumps(one, ensure_ascii=ascii) for one in objects) if lines else json.dumps(objects)
    path = tmp_path_factory.mktemp("cut") / "some.json"
    path.write_text(whole, encoding="utf-8", newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_records, "_PIECE", piece)
        assert values(path) == objects


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the file is empty"),
        (" \n", "the file is empty"),
        ("[", "the list is not closed after record 0"),
        ('[{"a": 1}', "the list is not closed after record 1"),
        ('[{"a": 1},', "after record 1 a JSON object is expected, not ','"),
        ('[{"a": 1},]', "after record 1 a JSON object is expected, not ',]'"),
        ('[{"a": 1} {"b": 2}]', "after record 1 a JSON object is expected"),
        ('[,{"a": 1}]', "a JSON object is expected, not ',{'"),
        ('[{"a": 1}]]', "after record 1 a JSON object is expected, not ']'"),
        ('[{"a": 1}] x', "after record 1 a JSON object is expected, not 'x'"),
        ('[{"a": 1}]\n{"a": 2}', "line 2: after record 1 a JSON object is expected"),
        ('{"a": 1},{"b": 2}', "after record 1 a JSON object is expected"),
        ('{"a": 1}\n[{"b": 2}]', "line 2: after record 1"),
        ("[5]", "line 1: a JSON object is expected, not '5]'"),
        ('["a"]', "a JSON object is expected"),
        ("[[1]]", "a JSON object is expected, not '['"),
        ("plain words", "line 1: a JSON object is expected, not 'plain words'"),
        ("}", "a JSON object is expected"),
        ('{"a": 1}\n{"b": "cut o', "the file ends in the middle of record 2 (line 2)"),
        ('{"a": 1]', "record 1 (line 1): this is no JSON"),
        ('{"a": 1}\n{"a" 1}', "record 2 (line 2): this is no JSON"),
        ('{"a": NaN}', "record 1 (line 1): NaN is no JSON number"),
        ('{"a": 1, "a": 2}', "the key 'a' stands twice"),
        ('{"a": ' + "9" * 5000 + "}", "this is no JSON"),
        ('{"a": ' + "[" * 200_000 + "]" * 200_000 + "}", "nested 200001 deep, the limit is 64"),
        ('{"a": ' * 200_000, "the file ends in the middle of record 1 (line 1)"),
        ("[" * 200_000, "a JSON object is expected, not '['"),
        (b'{"a": "\xff"}', "it is not UTF-8 (near byte 7)"),
        (b"\x80\x04\x95\x0c\x00pickle", "it is not UTF-8 (near byte 0)"),
        ('{"a": 1}'.encode("utf-16"), "it is not UTF-8"),
        (b'{"a": "b\x00c"}', "this is no JSON"),
    ],
    ids=range(31),
)
def test_what_is_broken_is_refused_with_its_place(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        values(file(tmp_path, content))
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "some.json"))
    assert len(str(caught.value)) < len(str(tmp_path)) + 250


def test_an_object_is_never_held_beyond_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_records, "RECORD_LIMIT", 100)
    monkeypatch.setattr(json_records, "_PIECE", 16)
    with pytest.raises(LimitExceeded, match=r"record 2 \(line 2\) has over 100 characters"):
        values(file(tmp_path, '{"a": 1}\n{"b": "' + "x" * 1000 + '"}'))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="it cannot be read"):
        values(tmp_path)
    with pytest.raises(InvalidInput, match="it cannot be read"):
        values(tmp_path / "none.json")
