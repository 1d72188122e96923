"""A second hop without facts: notes that share a rare name with the best ones.

"What is the airport of the city where WILM is licensed?" names WILM; the note on WILM names Wilmington, which the
question does not, and the note on Wilmington's airport does. The links of the graph lead there too, but spread what
they bring over all names; here each of the best notes vouches for those that have a rare name in common with it, the
more, the nearer these are to the question themselves. Source: the project's measurements on MuSiQue (docs/recall.md).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from heapq import nsmallest

import numpy as np

from ..store.form import Vector
from ..store.graph import Walk
from ..store.store import Store

__all__ = ["bridged"]

_BEST = 4  # notes that vouch for others
_RARE = 20  # notes; a name in more of them links what has nothing in common
_MOST = 100  # notes that are looked at


def bridged(
    store: Store, walk: Walk, scores: Mapping[int, float], names: Collection[str], vector: Vector
) -> dict[int, tuple[float, str]]:
    """Returns for notes that share a rare name with the best ones a vote, and that name as written.

    Args:
        store: with the notes' vectors.
        walk: the graph of the notes that may come back.
        scores: of notes by number, the best about 1.
        names: of the question, folded; what shares only these was found already.
        vector: of the question, shape (dimensions,).

    Returns:
        Number -> (score of the best note, over the root of how many notes have the name, times the cosine of the other
        note and the question; the name).
    """
    asked = {walk.names[name] for name in names if name in walk.names}
    shares: dict[int, tuple[float, str]] = {}
    best = nsmallest(_BEST, scores, key=lambda num: (-scores[num], num))
    places, _ = walk.places(best)
    for place in places.tolist():
        num = int(walk.nums[place])
        shared = walk.beside(place)
        told_in = walk.told_in[shared]
        for name in shared[(told_in > 1) & (told_in <= _RARE)].tolist():
            surface = walk.surface(name)
            if name in asked or not _is_name(surface):
                continue
            notes = walk.nums[walk.mentioning(name)].tolist()
            share = scores[num] / len(notes) ** 0.5
            for other in notes:
                if other != num and share > shares.get(other, (0.0,))[0]:
                    shares[other] = share, surface
    looked_at = nsmallest(_MOST, shares, key=lambda num: (-shares[num][0], num))
    vectors = store.vectors.of(looked_at) if store.vectors and looked_at else {}
    near = {num: float(np.dot(own, vector)) for num, own in vectors.items()}
    return {num: (shares[num][0] * cosine, shares[num][1]) for num, cosine in near.items() if cosine > 0}


def _is_name(surface: str) -> bool:
    """Whether it is written as a name: numbers and the phrases of an extractor of facts link what is not alike."""
    return surface[0].isalpha() and not surface[0].islower()
