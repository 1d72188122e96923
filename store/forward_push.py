"""Personalized PageRank near its seeds: local forward push, whose time does not grow with the graph.

Source: Andersen, Chung and Lang, "Local Graph Partitioning using PageRank Vectors" (FOCS 2006), section 2.2: mass that
has not been spread yet, the residual, is pushed from a node to its neighbours as long as there is more of it than
``epsilon`` times the node's degree. Here all such nodes are pushed at once, round by round.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

__all__ = ["EPSILON", "pushed_pagerank"]

EPSILON = 1e-6
_MANY = 8  # one in so many of all nodes or edges


def pushed_pagerank(
    weights: csr_array,
    reset: npt.NDArray[np.float64],
    *,
    degree: npt.NDArray[np.float64],
    damping: float = 0.5,
    epsilon: float = EPSILON,
) -> npt.NDArray[np.float64]:
    """Returns where a walk that keeps coming back to ``reset`` spends its time, up to a bound.

    Of node v at most ``epsilon * degree[v]`` is missing (up to 1 / (1 - damping) times that where some of the reset is
    at nodes without edges), and never is there too much: the residual that would still reach v is at most that, because
    the graph is symmetric. The degrees of all nodes pushed from sum up to ``1 / (epsilon * (1 - damping))`` at most.

    Args:
        weights: symmetric, non-negative edge weights, shape (nodes, nodes), rows without entries twice.
        reset: non-negative, shape (nodes,), with a positive sum and few entries; it is normalised here.
        degree: sums of the rows of ``weights``, shape (nodes,).
        damping: probability to follow an edge instead of coming back, in 0..1.
        epsilon: the bound per degree.

    Returns:
        Probabilities whose sum falls short of one by what is missing, shape (nodes,). What reaches a node without
        edges comes back to the reset.
    """
    nodes = len(reset)
    mass, residual = np.zeros(nodes), np.zeros(nodes)
    pointers, columns, values = weights.indptr, weights.indices, weights.data
    touched = np.flatnonzero(reset)
    residual[touched] = reset[touched] / reset[touched].sum()
    least, lost = epsilon * degree, 0.0
    while len(touched):
        if len(touched) > nodes // _MANY:
            active = np.flatnonzero(residual > least)
        else:
            active = np.sort(touched[residual[touched] > least[touched]])
            active = active[np.diff(active, prepend=-1) > 0]
        pushed = residual[active]
        residual[active] = 0.0
        mass[active] += (1 - damping) * pushed
        sizes = pointers[active + 1] - pointers[active]
        alone = sizes == 0
        lost += damping * float(pushed[alone].sum())
        share = np.divide(damping * pushed, degree[active], out=np.zeros_like(pushed), where=~alone)
        # the edges of all active nodes in a row: where each node's begin, and then on by one
        ends = np.cumsum(sizes)
        edges = int(ends[-1]) if len(ends) else 0
        if edges > weights.nnz // _MANY:  # then going through all of them is faster than picking them
            spread = np.zeros(nodes)
            spread[active] = share
            residual += weights @ spread
            touched = np.arange(nodes)
            continue
        places = np.arange(edges) + np.repeat(pointers[active] - (ends - sizes), sizes)
        touched = columns[places]
        np.add.at(residual, touched, np.repeat(share, sizes) * values[places])
    if lost:
        mass /= 1 - lost
    return mass
