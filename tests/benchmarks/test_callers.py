"""The benchmark of a model that calls: what counts as written right, and that it asks what calls can answer."""

import json
from collections import Counter
from pathlib import Path

import pytest
from benchmarks.callers import _count, f1, main
from click.testing import CliRunner


def test_a_fact_written_twice_is_right_once() -> None:
    counts: Counter[str] = Counter()
    wanted = [("user", "lives", "Lisbon"), ("user", "lived", "Porto")]
    _count(counts, [("User", "lives", "Lisbon"), ("user", "lives", "Lisbon"), ("user", "lives", "Rome")], wanted)
    assert dict(counts) == {"right": 1, "made": 3, "told": 2}
    assert f1(1, 3, 2) == pytest.approx(0.4)
    assert f1(0, 0, 0) == 0.0


@pytest.mark.slow
def test_every_arm_is_asked_the_same(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["--worlds", "1", "--json", str(tmp_path / "out.json")], catch_exceptions=False)
    assert done.exit_code == 0
    whole = json.loads((tmp_path / "out.json").read_text())
    asked = [{kind: one["asked"] for kind, one in kinds.items()} for kinds in whole["answers"].values()]
    assert asked[0] == asked[1] == asked[2]
    assert whole["answers"]["the world's calls"]["all"]["share"] == 1.0
    assert whole["writes"]["subject, relation, value"]["told"] > 0
