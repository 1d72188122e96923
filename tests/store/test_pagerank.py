"""PageRank near its seeds is that of the whole graph, up to the stated bound."""

import numpy as np
import numpy.typing as npt
import pytest
from factories import Memories  # type: ignore[import-not-found]
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array, csr_array

from tercet.store import walk
from tercet.store.forward_push import pushed_pagerank
from tercet.store.pagerank import personalized_pagerank


def symmetric(nodes: int, edges: int, *, seed: int) -> csr_array:
    """Returns a random weighted graph; some of its nodes have no edges."""
    random = np.random.default_rng(seed)
    left, right = random.integers(0, nodes, edges), (nodes * random.random(edges) ** 3).astype(np.int64)
    kept = left != right
    ends = np.concatenate([left[kept], right[kept]]), np.concatenate([right[kept], left[kept]])
    weights = np.tile(random.random(kept.sum()) * 2 + 0.1, 2)
    found = coo_array((weights, ends), shape=(nodes, nodes)).tocsr()
    found.sum_duplicates()
    return found


def degrees(weights: csr_array) -> npt.NDArray[np.float64]:
    return np.asarray(weights.sum(axis=0), np.float64).ravel()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(2, 60),
    st.integers(0, 120),
    st.sampled_from([0.1, 0.5, 0.7, 0.85]),
    st.sampled_from([1e-2, 1e-4, 1e-6]),
)
def test_what_is_missing_is_within_the_bound(seed: int, nodes: int, edges: int, damping: float, epsilon: float) -> None:
    weights = symmetric(nodes, edges, seed=seed)
    random = np.random.default_rng(seed)
    reset = random.random(nodes) * (random.random(nodes) < 0.3)
    reset[0] += 0.1
    exact = personalized_pagerank(weights, reset, damping=damping, tolerance=1e-14)
    degree = degrees(weights)
    near = pushed_pagerank(weights, reset, degree=degree, damping=damping, epsilon=epsilon)
    missing = exact - near
    assert missing.min() > -1e-9
    assert (missing <= epsilon * degree / (1 - damping) + 1e-9).all()
    start = reset / reset.sum()
    if not (start[degree == 0] > 0).any():
        assert (missing <= epsilon * degree + 1e-9).all()


def test_nodes_without_edges_give_back_what_reaches_them() -> None:
    weights, reset = csr_array((3, 3)), np.array([0.25, 0.75, 0.0])
    assert pushed_pagerank(weights, reset, degree=np.zeros(3), damping=0.7) == pytest.approx(reset)


def test_few_edges_are_walked_however_many_there_are() -> None:
    weights = symmetric(50_000, 200_000, seed=3)
    reset = np.zeros(50_000)
    reset[[7, 70, 700]] = 1.0
    near = pushed_pagerank(weights, reset, degree=degrees(weights), damping=0.7, epsilon=1e-4)
    assert 3 <= np.count_nonzero(near) < 5_000
    exact = personalized_pagerank(weights, reset, damping=0.7)
    best = np.argsort(-exact)[:10]
    assert set(np.argsort(-near)[:5]) <= set(best)


def test_a_large_graph_is_walked_near_its_seeds_and_ranks_the_same(
    memory: Memories, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = memory()
    people = ["Ada", "Mia", "Lena", "Theo", "Kim"]
    ada.write_many([f"{people[n % 5]} knows {people[(3 * n + 1) % 5]} {n}" for n in range(60)])

    def ranked() -> list[tuple[str, float]]:
        return [(found.note.text, found.score) for found in ada.read("Whom does Ada know?", k=20, by=["graph"])]

    whole = ranked()
    monkeypatch.setattr(walk, "_LOCALLY", 0)
    monkeypatch.setattr(walk, "personalized_pagerank", None)
    local = ranked()
    assert [text for text, _ in local] == [text for text, _ in whole]
    assert [score for _, score in local] == pytest.approx([score for _, score in whole], abs=1e-3)
