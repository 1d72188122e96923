from __future__ import annotations

import math

import pytest
from benchmarks.ranking import (
    Interval,
    Mean,
    all_at,
    hit_at,
    mean_by,
    ndcg_at,
    paired_bootstrap,
    recall_at,
    reciprocal_rank,
)

RANKING = ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("evidence", "k", "recall", "every"),
    [
        ({"a"}, 1, 1.0, 1.0),
        ({"b"}, 1, 0.0, 0.0),
        ({"b", "d"}, 2, 0.5, 0.0),
        ({"b", "d"}, 4, 1.0, 1.0),
        ({"a", "b", "z"}, 5, 2 / 3, 0.0),
        ({"e"}, 100, 1.0, 1.0),
    ],
)
def test_recall_and_all_evidence(evidence: set[str], k: int, recall: float, every: float) -> None:
    assert recall_at(RANKING, evidence, k) == pytest.approx(recall)
    assert all_at(RANKING, evidence, k) == every


def test_reciprocal_rank_is_of_the_first_evidence() -> None:
    assert reciprocal_rank(RANKING, {"c", "e"}) == pytest.approx(1 / 3)
    assert reciprocal_rank(RANKING, {"z"}) == 0.0
    assert reciprocal_rank([], {"z"}) == 0.0


def test_ndcg_by_hand() -> None:
    # evidence at ranks 2 and 4; the ideal has it at 1 and 2
    gain = 1 / math.log2(3) + 1 / math.log2(5)
    ideal = 1 / math.log2(2) + 1 / math.log2(3)
    assert ndcg_at(RANKING, {"b", "d"}, 10) == pytest.approx(gain / ideal)
    # cut at 3: rank 4 no longer counts, the ideal stays
    assert ndcg_at(RANKING, {"b", "d"}, 3) == pytest.approx(1 / math.log2(3) / ideal)
    # more evidence than places: the ideal fills the places there are
    assert ndcg_at(RANKING, {"a", "b", "c"}, 1) == 1.0
    assert ndcg_at(RANKING, {"z"}, 10) == 0.0


def test_means_by_group_keep_their_counts() -> None:
    assert mean_by([1.0, 0.0, 0.5, 1.0], ["x", "y", "x", "y"]) == {"x": Mean(0.75, 2), "y": Mean(0.5, 2)}


def test_what_cannot_be_judged_is_refused() -> None:
    with pytest.raises(ValueError, match="without evidence"):
        recall_at(RANKING, set(), 5)
    with pytest.raises(ValueError, match="'a' twice"):
        ndcg_at(["a", "b", "a"], {"a"}, 5)
    with pytest.raises(ValueError, match="not 2 and 1"):
        paired_bootstrap([1.0, 0.0], [1.0])
    with pytest.raises(ValueError, match="not 0 and 0"):
        paired_bootstrap([], [])


def test_the_bootstrap_of_a_constant_gap_has_no_width() -> None:
    found = paired_bootstrap([0.75, 1.0, 0.5], [0.5, 0.75, 0.25])
    assert found == Interval(0.25, 0.25, 0.25)


def test_the_bootstrap_matches_the_binomial() -> None:
    # 100 questions, 20 of them gained: the resampled mean is Binomial(100, 0.2) / 100, whose 2.5 % and
    # 97.5 % points are 0.12 and 0.28
    found = paired_bootstrap([1.0] * 20 + [0.0] * 80, [0.0] * 100, resamples=50_000)
    assert found.difference == pytest.approx(0.2)
    assert found.low == pytest.approx(0.12, abs=0.011)
    assert found.high == pytest.approx(0.28, abs=0.011)


def test_the_bootstrap_is_paired_and_seeded() -> None:
    ours, theirs = [float(i % 2) for i in range(60)], [float(i % 3 == 0) for i in range(60)]
    assert paired_bootstrap(ours, theirs) == paired_bootstrap(ours, theirs)
    assert paired_bootstrap(ours, theirs) != paired_bootstrap(ours, theirs, seed=1)
    turned = paired_bootstrap(theirs, ours)
    assert turned.difference == pytest.approx(-paired_bootstrap(ours, theirs).difference)
    # the same noise on both sides cancels question by question
    noise = [math.sin(i) for i in range(60)]
    shifted = paired_bootstrap([x + 0.1 for x in noise], noise)
    assert shifted.high - shifted.low < 1e-12


def test_a_hit_is_any_piece_of_evidence() -> None:
    assert hit_at(RANKING, {"b", "z"}, 2) == 1.0
    assert hit_at(RANKING, {"b", "z"}, 1) == 0.0
