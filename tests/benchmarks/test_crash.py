from __future__ import annotations

import json
import secrets
from pathlib import Path

import pytest
from benchmarks.crash import Outcome, main
from benchmarks.crash_naive import Naive, judge, states, step
from click.testing import CliRunner

from tercet.store import changes


@pytest.fixture(autouse=True)
def own_clock_and_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the benchmark makes repeat itself goes on as before after each test."""
    monkeypatch.setattr(secrets, "token_hex", secrets.token_hex)
    monkeypatch.setitem(vars(changes), "datetime", vars(changes)["datetime"])


def test_an_outcome_counts_each_kind_once_a_time() -> None:
    outcome = Outcome()
    outcome.add([])
    outcome.add([("lost", "a"), ("lost", "b"), ("record", "c")])
    assert outcome.as_dict() == {"times": 2, "clean": 1, "wrong": {"lost": 1, "record": 1}}
    assert outcome.examples == ["lost: a", "lost: b", "record: c"]


def live(folder: Path, operations: int) -> None:
    naive = Naive(folder)
    for number in range(operations):
        naive.change(*step(3, number, naive.texts()))
    naive.close()


def test_the_naive_design_holds_what_was_written_while_nothing_happens(tmp_path: Path) -> None:
    live(tmp_path, 12)
    expected = states(3, 12)
    assert judge(tmp_path, expected[12:]) == ([], expected[12])
    assert judge(tmp_path, [expected[12] | {"x": "y"}])[0] == ["lost"]
    assert judge(tmp_path, [{}])[0] == ["third state"]


def test_the_judge_of_the_naive_design_sees_files_that_do_not_fit(tmp_path: Path) -> None:
    live(tmp_path, 12)
    known = states(3, 12)[12:]
    one, *_ = (tmp_path / "records").iterdir()
    whole = one.read_text()
    one.write_text(whole[:10])
    assert judge(tmp_path, known)[0] == ["record"]
    one.write_text(whole)
    (tmp_path / "records" / "gone").write_text("")
    assert judge(tmp_path, known)[0] == ["resurrected"]
    (tmp_path / "records" / "gone").unlink()
    (tmp_path / "index.json").write_text("{}")
    assert judge(tmp_path, known)[0] == ["disagreement"]
    (tmp_path / "index.json").write_text("{")
    assert judge(tmp_path, known)[0][0].startswith("unusable")


@pytest.mark.slow
def test_the_benchmark_writes_what_it_saw(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    asked = ["--cycles", "5", "--images", "20", "--stride", "200", "--json", str(target)]
    result = CliRunner().invoke(main, asked, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found = json.loads(target.read_text())
    assert found["kill"]["asked"] == {"cycles": 5, "images": 20, "stride": 200}
    assert found["kill"]["found"]["Tercet"]["clean"] == 5
    assert found["kill"]["found"]["Tercet"]["acknowledged"] > 5
    assert found["cut"]["found"]["Tercet"]["clean"] == 20
    assert all(one["clean"] == one["times"] > 0 for one in found["fault"]["found"].values())
    assert str(tmp_path) not in target.read_text()


@pytest.mark.slow
def test_a_part_that_is_run_again_leaves_the_others_as_they_were(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    target.write_text(json.dumps({"benchmark": "crash", "fault": "as it was"}))
    asked = ["--part", "kill", "--cycles", "2", "--json", str(target)]
    result = CliRunner().invoke(main, asked, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found = json.loads(target.read_text())
    assert found["fault"] == "as it was"
    assert found["kill"]["found"]["Tercet"]["times"] == 2
