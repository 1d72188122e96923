"""Maximal marginal relevance: what repeats what was chosen steps back, and nothing else does."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from factories import Memories  # type: ignore[import-not-found]
from hypothesis import given, settings
from hypothesis import strategies as st

from tercet.engines import CallableEmbedder
from tercet.sdk import Memory
from tercet.sdk.arranging import diverse
from tercet.store.errors import InvalidInput
from tercet.store.form import Vector

SAME = ["Ada likes green tea.", "Ada likes green tea!", "Ada likes green  tea.", "ada likes green tea"]


def texts(memory: Memory, question: str, **how: object) -> list[str]:
    return [found.note.text for found in memory.read(question, **how)]  # type: ignore[arg-type]


@pytest.mark.parametrize("vectors", [True, False])
def test_what_repeats_steps_back_and_the_best_stays_first(memory: Memories, vectors: bool) -> None:
    ada = memory() if vectors else memory(embedder=None)
    ada.write_many([*SAME, "Ada likes her bakery tea room in Porto."])
    plain, spread = (texts(ada, "What tea does Ada like?", k=2, diversity=share) for share in (0.0, 0.7))
    assert set(plain) <= set(SAME)
    assert spread == [plain[0], "Ada likes her bakery tea room in Porto."]


def test_a_prompt_s_budget_holds_more_that_is_new(memory: Memories) -> None:
    ada = memory()
    others = ["Ada likes her bakery tea room in Porto.", "Ada makes tea with ginger."]
    ada.write_many([{"text": text, "happened": "2024"} for text in [*SAME, *others]])
    plain = ada.read("tea Ada likes", k=6).prompt(budget=100)
    spread = ada.read("tea Ada likes", k=6, diversity=0.8).prompt(budget=100)
    assert plain.count("green") >= 3
    assert spread.count("green") == 1, spread
    assert "ginger" in spread


def test_without_diversity_nothing_changes(memory: Memories) -> None:
    ada = memory()
    ada.write_many(SAME)
    assert texts(ada, "tea") == texts(ada, "tea", diversity=0)
    assert ada.read("zzz", diversity=0.5, by=["words"]).notes == ()


@pytest.mark.parametrize("wrong", [-0.1, 1.1, True, "0.5", math.nan, None])
def test_it_is_a_share(memory: Memories, wrong: object) -> None:
    with pytest.raises(InvalidInput, match="diversity must be a number from 0 to 1"):
        memory().read("tea", diversity=wrong)


def unit(*numbers: float) -> list[float]:
    return [float(number) for number in np.array(numbers) / np.linalg.norm(numbers)]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.1, 1), st.floats(0, 1)), min_size=2, max_size=6),
    st.lists(st.floats(0, 1), min_size=6, max_size=6),
    st.floats(0.05, 1),
)
def test_each_is_the_argmax_against_those_chosen(
    places: list[tuple[float, float]], scores: list[float], diversity: float
) -> None:
    """Against the definition, computed the slow way over every candidate and every chosen one."""
    vectors = [unit(*place) for place in places]
    table = {f"note {n}": vector for n, vector in enumerate(vectors)}

    class Store:
        class vectors:  # noqa: N801
            dimensions = 2

            @staticmethod
            def of(nums: Sequence[int]) -> dict[int, Vector]:
                return {num: np.array(table[f"note {num}"]) for num in nums}

    given_scores = dict(enumerate(scores[: len(vectors)]))
    high = max(given_scores.values())
    relevance = {n: s / high if high else 0.0 for n, s in given_scores.items()}
    order = diverse(Store(), given_scores, len(vectors), diversity)  # type: ignore[arg-type]
    assert sorted(order) == list(given_scores)
    for place, num in enumerate(order):

        def worth(candidate: int, place: int = place) -> float:
            likeness = [float(np.dot(vectors[candidate], vectors[one])) for one in order[:place]]
            return (1 - diversity) * relevance[candidate] - diversity * max(likeness, default=0.0)

        assert worth(num) >= max(map(worth, order[place:])) - 1e-6


def test_other_embedders_serve(memory: Memories) -> None:
    embedder = CallableEmbedder(lambda given: [[len(text), 1.0] for text in given], name="length", dimensions=2)
    ada = memory(embedder=embedder)
    ada.write_many(SAME)
    assert len(ada.read("tea", diversity=1.0, k=4)) == 4
