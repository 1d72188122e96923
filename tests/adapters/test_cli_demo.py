from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("the demo asked the network")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


def texts(step: dict[str, Any]) -> list[str]:
    return [found["note"]["text"] for found in step["recall"]]


def test_the_demo_shows_what_it_promises(cli: Run, tmp_path: Path) -> None:
    result = cli("demo", "--json", "--keep", "kept.tercet")
    assert result.exit_code == 0, result.output
    steps = {step["step"]: step for step in json.loads(result.stdout)}
    assert list(steps) == ["write", "read", "facts", "graph", "attend", "answer", "revise", "forget"]

    assert steps["write"]["notes"] == 62
    assert steps["write"]["forms"]["vectors"] == 62
    assert steps["read"]["found"] == sorted(steps["read"]["evidence"])
    assert {"words", "vectors", "graph"} <= set(steps["read"]["recall"][0]["votes"])
    assert steps["facts"]["as_of"] == {"2024-06-01": "Leeds", "2024-12-01": "Bristol"}

    assert (steps["graph"]["answer"], steps["graph"]["way"][0]) == ("Whitby", "Lena")
    town, *others = steps["graph"]["recall"]
    assert "Whitby" in town["note"]["text"]
    assert "Lena" not in town["note"]["text"]
    assert town["path"] == ["Lena", "works at", "Saltmarsh Bakery", "located in", "Whitby"]
    assert any("Lena's still at Saltmarsh Bakery" in found["note"]["text"] for found in others)

    gate = steps["attend"]["gate"]
    assert (gate["verdict"], gate["greedy_equal"]) == ("exact", True)
    assert gate["max_relative_logit_diff"] < 1e-4
    shares = [one["share"] for one in steps["attend"]["attention"]]
    assert all(share > 0.001 for share in shares)
    assert sum(shares) + steps["attend"]["local"] == pytest.approx(1, abs=1e-3)

    first, *_ = answers = steps["answer"]["answers"]
    assert first["in attention"] == "Lisbon."
    assert "Lisbon" not in first["no memory"]
    assert [one["after"] for one in answers[-2:]] == ["revised", "forgotten"]
    assert answers[-2]["in attention"] == "Porto."
    assert "Porto" not in answers[-1]["in attention"]

    assert "every four months" in texts(steps["revise"])[0]
    assert steps["forget"]["receipt"]["erased"] is True
    assert not [text for text in texts(steps["forget"]) if "pink door" in text]
    assert steps["forget"]["facts"][0]["object"] == "Leeds"
    for path in (tmp_path / "kept.tercet").rglob("*"):
        assert not path.is_file() or b"pink door" not in path.read_bytes()
    assert len(json.loads(cli("list", "--limit", "100", "--json", "--memory", "kept.tercet").stdout)) == 61


def test_the_demo_takes_a_dialogue_of_yours(cli: Run, tmp_path: Path) -> None:
    turns = [
        {"speaker": "Ann", "dia_id": "D1:1", "text": "The ferry to Skye leaves at nine."},
        {"speaker": "Ben", "dia_id": "D1:2", "text": "Then I bring the \x1b[31mbicycles."},
        {"speaker": "Ann", "dia_id": "D1:3", "text": "My brother Tom waits for us in Portree."},
    ]
    asked = [
        {"question": "When does the ferry leave?", "answer": "At nine", "evidence": ["D1:1"], "category": 4},
        {"question": "Who waits in Portree?", "answer": "Tom", "evidence": ["D1:3"], "category": 1},
        {"question": "What is not said?", "answer": "", "evidence": ["D9:9"], "category": 5},
    ]
    conversation = {"session_1_date_time": "1:56 pm on 8 May, 2023", "session_1": turns}
    (tmp_path / "mine.json").write_text(json.dumps([{"conversation": conversation, "qa": asked}]))
    result = cli("demo", "--dialogue", "mine.json")
    assert result.exit_code == 0, result.output
    shown = result.stdout
    assert "3 turns of Ann and Ben, from 2023-05-08 to 2023-05-08" in shown
    assert shown.count("✓ 1 of 1 turn that answers it among the 5 best") == 2
    assert "expected: At nine" in shown
    assert "exact" in shown
    assert "yes, another process found none of the bytes" in shown
    assert "it cannot answer" in shown
    assert "\x1b" not in shown
    assert "5 steps in" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.json"]


def test_the_demo_refuses_what_it_cannot_use(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text("[]")
    (tmp_path / "bad.json").write_text("{")
    empty = cli("demo", "--dialogue", "none.json")
    assert (empty.exit_code, empty.stderr) == (1, "error: none.json holds no dialogue\n")
    assert cli("demo", "--dialogue", "bad.json").exit_code == 1
    assert cli("demo", "--dialogue", "missing.json").exit_code == 2
    taken = cli("demo", "--keep", str(tmp_path))
    assert taken.exit_code == 2
    assert "--keep takes a new folder" in taken.stderr
