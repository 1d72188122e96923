"""The last steps of a ranking, both on request: a reranker reads the best notes, and what repeats others steps back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ..engines.rerank import Reranker
from ..store.errors import EngineError, InvalidInput
from ..store.form import Vector
from ..store.note import spoken
from ..store.shown import shown
from ..store.store import Store

__all__ = ["CANDIDATES", "checked_diversity", "diverse", "reranked"]

CANDIDATES = 100
"""How many of the best notes are read again, or chosen from."""


def checked_diversity(value: object) -> float:
    """Returns a number from 0 to 1.

    Raises:
        InvalidInput: something else.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise InvalidInput(f"diversity must be a number from 0 to 1, not {shown(value)}")
    return float(value)


def reranked(
    store: Store, question: str, scores: Mapping[int, float], k: int, reranker: Reranker
) -> tuple[dict[int, float], dict[int, float]]:
    """Lets a reranker read the best notes; its word counts beside the scores so far, both scaled to 0..1.

    Args:
        store: where the notes are.
        question: what is asked.
        scores: of notes by number.
        k: how many are wanted in the end.
        reranker: reads the best `CANDIDATES`, or ``k`` if that is more.

    Returns:
        (the new scores of those it read, its own scores in 0..1).

    Raises:
        EngineError: it failed, or did not give one number for each text.
    """
    best = sorted(scores, key=lambda num: (-scores[num], num))[: max(k, CANDIDATES)]
    notes = store.notes.by_num(best)
    read = [num for num in best if num in notes]
    if not read:
        return {}, {}
    given = _given(reranker, question, [spoken(notes[num]) for num in read])
    before, own = _scaled(np.array([scores[num] for num in read])), _scaled(given)
    weight = float(getattr(reranker, "weight", 1.0))
    total = before + weight * own
    return dict(zip(read, total.tolist(), strict=True)), dict(zip(read, own.tolist(), strict=True))


def diverse(store: Store, scores: Mapping[int, float], k: int, diversity: float) -> list[int]:
    """Returns the numbers of ``k`` notes by maximal marginal relevance, the most relevant first.

    Each next one has the largest ``(1 - diversity) * relevance - diversity * likeness``, where likeness is that to the
    nearest of those *already chosen* (Carbonell and Goldstein, SIGIR 1998): the cosine of the notes' vectors, or of
    their words where the store has no vectors. Relevance is the score as a share of
    the best one.
    """
    best = sorted(scores, key=lambda num: (-scores[num], num))[: max(k, CANDIDATES)]
    if not best:
        return []
    most = scores[best[0]]
    relevance = np.array([(1 - diversity) * scores[num] / most if most > 0 else 0.0 for num in best])
    vectors = _vectors(store, best)
    nearest = np.zeros(len(best))
    left, chosen = list(range(len(best))), list[int]()
    while left and len(chosen) < k:
        place = max(left, key=lambda place: (relevance[place] - diversity * nearest[place], -place))
        left.remove(place)
        chosen.append(best[place])
        nearest = np.maximum(nearest, vectors @ vectors[place])
    return chosen


def _given(reranker: Reranker, question: str, texts: Sequence[str]) -> npt.NDArray[np.float64]:
    answer: object = reranker.rank(question, texts)
    try:
        given = np.asarray(answer)
        numbers = given.astype(np.float64) if given.dtype.kind in "biuf" else None
    except (TypeError, ValueError, OverflowError):  # lists of unequal length
        numbers = None
    if numbers is None or numbers.shape != (len(texts),) or not np.isfinite(numbers).all():
        raise EngineError(
            f"the reranker {type(reranker).__name__} gave {shown(answer)[:80]} for {len(texts)} texts; "
            "it must give one finite number for each"
        )
    return numbers


def _scaled(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.ones_like(values)


def _vectors(store: Store, nums: Sequence[int]) -> Vector:
    """Returns a unit vector for each note, shape (notes, dimensions)."""
    if store.vectors:
        kept = store.vectors.of(nums)
        return np.stack([kept.get(num, np.zeros(store.vectors.dimensions, np.float32)) for num in nums])
    notes = store.notes.by_num(nums)
    bags = [Counter(re.findall(r"\w+", notes[num].text.casefold())) if num in notes else Counter() for num in nums]
    words = {word: place for place, word in enumerate(sorted({word for bag in bags for word in bag}))}
    vectors = np.zeros((len(nums), max(1, len(words))), np.float32)
    for row, bag in zip(vectors, bags, strict=True):
        for word, count in bag.items():
            row[words[word]] = count
        row /= np.linalg.norm(row) or 1.0
    return vectors
