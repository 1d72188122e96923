from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from benchmarks.ppr import POWER, PUSH, heavy_tailed, main, resets, same_top, timed
from click.testing import CliRunner


def test_the_graph_is_symmetric_with_a_heavy_tail() -> None:
    graph = heavy_tailed(20_000)
    assert graph.shape == (5_000, 5_000)
    assert abs(graph - graph.T).sum() == 0
    assert graph.diagonal().sum() == 0
    degrees = np.sort(np.diff(graph.indptr))
    assert degrees[-50:].sum() > 3 * degrees[:50].sum()
    assert degrees[-1] > 20 * np.median(degrees)


def test_a_query_starts_from_few_nodes() -> None:
    first, second = resets(100, queries=2)
    assert 5 < np.count_nonzero(first) <= 10
    assert not np.array_equal(first, second)


def test_rankers_agree() -> None:
    rows = timed(2_000, queries=2)
    assert [row.ranker for row in rows[:2]] == [POWER, PUSH]
    assert "networkx" in {row.ranker for row in rows}
    for row in rows:
        assert row.difference < (1e-3 if row.ranker == PUSH else 1e-7)
        assert row.same_top > 0.95
    assert rows[1].of_bound is not None
    assert 0 < rows[1].of_bound <= 1


def test_the_overlap_of_the_best() -> None:
    ours, theirs = np.array([3.0, 2.0, 1.0, 0.0]), np.array([3.0, 0.0, 2.0, 1.0])
    assert same_top(ours, theirs, count=2) == 0.5
    assert same_top(ours, ours) == 1.0


def test_it_prints_and_writes(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    result = CliRunner().invoke(main, ["--edges", "1000", "--json", str(out)])
    assert result.exit_code == 0, result.output
    rows = json.loads(out.read_text())["rows"]
    assert rows[0]["ranker"] == POWER
    assert rows[0]["edges"] == 1_000
