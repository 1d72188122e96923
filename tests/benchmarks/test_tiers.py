from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from benchmarks.tiers import lfu, lru, main, sizes_of, tercet, trace
from click.testing import CliRunner


def test_the_trace_has_favourites_and_scans() -> None:
    used = trace(500, 30_000, drift=0.02)
    assert len(used) == 30_000
    assert trace(500, 30_000, drift=0.02) == used
    counts = sorted((used.count(key) for key in set(used)), reverse=True)
    assert counts[0] > 20 * counts[250]
    steps = [second - first for first, second in pairwise(used)]
    assert steps.count(1) > 900  # two scans of all 500


@pytest.mark.parametrize("kind", ["equal", "lognormal"])
def test_sizes_add_up(kind: str) -> None:
    sizes = sizes_of(kind, 100, 1_000_000)
    assert 999_900 <= sum(sizes) <= 1_000_000
    assert (len(set(sizes)) > 1) == (kind == "lognormal")


def test_the_usual_ways_are_what_they_are_called() -> None:
    ones = [1] * 5
    assert lru([0, 1, 0, 1, 2, 0], ones, 2) == 2 / 6
    assert lfu([0, 1, 0, 1, 2, 0], ones, 2) == 3 / 6
    for cache in (lru, lfu, tercet):
        assert cache([0, 0, 0, 0], ones, 1) == 3 / 4
        assert cache([0, 0, 0, 0], [9] * 5, 1) == 0


@pytest.mark.parametrize("share", [0.05, 0.2])
@pytest.mark.parametrize("kind", ["equal", "lognormal"])
def test_more_is_found_than_by_recency(share: float, kind: str) -> None:
    used, sizes = trace(2_000, 60_000, drift=0.02), sizes_of(kind, 2_000, 10_000_000)
    budget = int(share * 10_000_000)
    assert tercet(used, sizes, budget) > lru(used, sizes, budget)


def test_it_prints_and_writes(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    result = CliRunner().invoke(main, ["--memories", "200", "--uses", "2000", "--json", str(out)])
    assert result.exit_code == 0, result.output
    rows = json.loads(out.read_text())["rows"]
    assert len(rows) == 12
    assert all(0 <= row["tercet"] <= 1 for row in rows)
