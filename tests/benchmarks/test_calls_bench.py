from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks import calls
from benchmarks.worlds import KINDS
from click.testing import CliRunner

from tercet.store.names import fold


def test_it_measures_what_calls_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "calls.json"
    for name, value in {"SIZES": (2_000,), "_STEPS": 30, "FAMILIES": ("llama",), "LIMITS": (20,)}.items():
        monkeypatch.setattr(calls, name, value)
    done = CliRunner().invoke(calls.main, ["--worlds", "3", "--samples", "2", "--json", str(path)])
    assert done.exit_code == 0, done.output
    found = json.loads(path.read_text())
    assert {row["constrained"] for row in found["parse"]} == {1.0}
    assert found["time"][0]["tokens"] == 2_000
    exact, _, others = (found["reads"][way] for way in calls.WAYS)
    assert set(exact) == {*KINDS, "all", calls.LONG}
    assert exact == others
    for kind in ("one hop", "two hops", "yes/no", "counting", "unanswerable"):
        assert exact[kind]["right"] == 1.0 or exact[kind]["asked"] == 0
    assert found["writes"]["the world's facts"]["F1"] == 1.0


def test_a_slip_changes_a_name_a_little() -> None:
    for name in ("Al", "Bob", "Anna", "Seville", "Otto"):
        made = calls.slipped(name)
        assert fold(made) != fold(name)
        assert abs(len(made) - len(name)) <= 1
        assert made == calls.slipped(name)
