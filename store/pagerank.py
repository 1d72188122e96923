"""Personalized PageRank by power iteration over a sparse matrix.

Source: Haveliwala, "Topic-sensitive PageRank" (2002), eq. 2: ``pi = d P pi + (1 - d) r`` with ``P`` the
column-stochastic matrix of the graph and ``r`` the reset vector.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

__all__ = ["personalized_pagerank"]


def personalized_pagerank(
    weights: csr_array,
    reset: npt.NDArray[np.float64],
    *,
    degree: npt.NDArray[np.float64] | None = None,
    damping: float = 0.5,
    tolerance: float = 1e-9,
) -> npt.NDArray[np.float64]:
    """Returns where a walk that keeps coming back to ``reset`` spends its time.

    Args:
        weights: symmetric, non-negative edge weights, shape (nodes, nodes).
        reset: non-negative, shape (nodes,), with a positive sum; it is normalised here.
        degree: the sum of each node's weights, shape (nodes,), where it is known already.
        damping: probability to follow an edge instead of coming back, in 0..1.
        tolerance: largest L1 change of the last step.

    Returns:
        Probabilities that sum to one, shape (nodes,). What reaches a node without edges comes back to the reset.
    """
    start = reset / reset.sum()
    if degree is None:
        degree = np.asarray(weights.sum(axis=0), np.float64).ravel()
    inverse = np.divide(1.0, degree, out=np.zeros_like(degree), where=degree > 0)
    isolated = np.flatnonzero(degree == 0)
    seeds = np.flatnonzero(start)
    own = start[seeds]
    rank: npt.NDArray[np.float64] = start.copy()
    spread = np.empty_like(rank)
    # each step shrinks the error by the damping: this many steps reach the tolerance
    steps = 1 if damping <= 0 else int(np.ceil(np.log(tolerance) / np.log(min(damping, 0.999)))) + 1
    for _ in range(steps):
        np.multiply(rank, inverse, out=spread)
        after = weights @ spread
        after *= damping
        after[seeds] += (damping * rank[isolated].sum() + 1 - damping) * own
        rank -= after
        change = np.abs(rank, out=rank).sum()
        rank = after
        if change < tolerance:
            break
    return rank
