"""How good a ranking is, against the evidence that should be in it; shared by the recall benchmarks.

With the ranking r_1, r_2, … (no item twice) and the evidence E (a set that is not empty):

- recall@k = |{r_1 … r_k} ∩ E| / |E|
- all@k = 1 if E ⊆ {r_1 … r_k}, else 0
- hit@k = 1 if {r_1 … r_k} ∩ E is not empty, else 0
- reciprocal rank = 1 / min{i : r_i ∈ E}, or 0 if the ranking holds no evidence (its mean is the MRR)
- nDCG@k = Σ_{i ≤ k, r_i ∈ E} 1 / log2(i + 1), over the same sum for a ranking that begins with all of E

A set of questions is judged by the mean over its questions. Two rankers that answered the same questions are
compared by a paired bootstrap (Efron and Tibshirani, 1993, percentile interval): questions are resampled, not answers.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

__all__ = [
    "Interval",
    "Mean",
    "all_at",
    "hit_at",
    "mean_by",
    "ndcg_at",
    "paired_bootstrap",
    "recall_at",
    "reciprocal_rank",
]

Item = TypeVar("Item", bound=Hashable)
Group = TypeVar("Group", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of ``n`` values."""

    value: float
    n: int


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean difference and its confidence interval, in the unit of the values."""

    difference: float
    low: float
    high: float


def recall_at(ranking: Sequence[Item], evidence: Collection[Item], k: int) -> float:
    """Returns the share of the evidence that stands among the first ``k``."""
    wanted = _checked(ranking, evidence)
    return len(wanted.intersection(ranking[:k])) / len(wanted)


def all_at(ranking: Sequence[Item], evidence: Collection[Item], k: int) -> float:
    """Returns 1.0 if every piece of evidence stands among the first ``k``, else 0.0."""
    return float(_checked(ranking, evidence).issubset(ranking[:k]))


def hit_at(ranking: Sequence[Item], evidence: Collection[Item], k: int) -> float:
    """Returns 1.0 if some piece of evidence stands among the first ``k``, else 0.0."""
    return float(not _checked(ranking, evidence).isdisjoint(ranking[:k]))


def reciprocal_rank(ranking: Sequence[Item], evidence: Collection[Item]) -> float:
    """Returns 1 over the rank of the first piece of evidence, or 0.0 if there is none."""
    wanted = _checked(ranking, evidence)
    return next((1 / rank for rank, item in enumerate(ranking, start=1) if item in wanted), 0.0)


def ndcg_at(ranking: Sequence[Item], evidence: Collection[Item], k: int) -> float:
    """Returns the normalised discounted cumulative gain of the first ``k``, each piece of evidence worth 1."""
    wanted = _checked(ranking, evidence)
    gain = sum(1 / math.log2(rank + 1) for rank, item in enumerate(ranking[:k], start=1) if item in wanted)
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(len(wanted), k) + 1))
    return gain / ideal


def mean_by(values: Sequence[float], groups: Sequence[Group]) -> dict[Group, Mean]:
    """Returns the mean of the values of each group, groups in the order they first come."""
    members: dict[Group, list[float]] = {}
    for value, group in zip(values, groups, strict=True):
        members.setdefault(group, []).append(value)
    return {group: Mean(math.fsum(found) / len(found), len(found)) for group, found in members.items()}


def paired_bootstrap(
    ours: Sequence[float], theirs: Sequence[float], *, resamples: int = 10_000, level: float = 0.95, seed: int = 0
) -> Interval:
    """Returns how much better ``ours`` is in the mean, with a percentile interval.

    Args:
        ours: one value per question.
        theirs: the other ranker's values for the same questions, in the same order.
        resamples: how often the questions are drawn with replacement.
        level: share of the resampled means that lies inside the interval.
        seed: of the random numbers; the same seed gives the same interval.

    Raises:
        ValueError: no questions, or not the same number of them.
    """
    if len(ours) != len(theirs) or not ours:
        raise ValueError(f"paired values are needed for the same questions, not {len(ours)} and {len(theirs)}")
    gaps = np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64)  # (questions,)
    drawn = np.random.default_rng(seed).integers(0, len(gaps), size=(resamples, len(gaps)), dtype=np.int32)
    means = gaps[drawn].mean(axis=1)  # (resamples,)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(gaps.mean()), float(low), float(high))


def _checked(ranking: Sequence[Item], evidence: Collection[Item]) -> set[Item]:
    """Returns the evidence as a set.

    Raises:
        ValueError: no evidence, or an item that stands twice in the ranking.
    """
    if not evidence:
        raise ValueError("a question without evidence cannot be judged; leave it out")
    if len(set(ranking)) < len(ranking):
        twice = next(item for item in ranking if ranking.count(item) > 1)
        raise ValueError(f"the ranking holds {twice!r} twice")
    return set(evidence)
