"""A graph takes in more notes, and is then what would be made of all of them at once, to the last bit.

A graph made anew is an empty one that takes in every note. Names get their places in the order in which notes mention
them, and weights are whole numbers until aliases are added, so no sum depends on what was taken in when.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array
from sqlalchemy import Connection

from .aliases import every_name
from .statements import rows_in
from .walk import Walk
from .ways import SURE, ways_of

__all__ = ["grown", "nothing"]

# HippoRAG 2's effective weights: facts 2, synonyms 2 x 0.8, context 1
_MENTION, _FACT, _ALIAS = 1.0, 2.0, 1.6
_ALIAS_FAN = 3  # a first name shared by more full names than this says too little
_MENTIONS = "SELECT note, name, surface FROM mention WHERE note IN (?) ORDER BY note, name"
_FACTS = "SELECT s, relation, o, r, confidence FROM triplet WHERE note IN (?) ORDER BY note, num"
_AT_ONCE = 5_000  # notes

_Pairs = npt.NDArray[np.int64]


def nothing() -> Walk:
    """Returns the graph of no notes."""
    none, edges = np.zeros(0, np.int64), csr_array((0, 0))
    return Walk(none, {}, [], edges, none, {}, none.reshape(-1, 2), ways_of([], 0), edges, {}, whole=True)


def grown(walk: Walk, nums: npt.NDArray[np.int64], merged: Mapping[str, str], connection: Connection) -> Walk:
    """Returns a graph with more notes in it.

    Args:
        walk: made with the same merged names; it stays as it is, for others may be walking it.
        nums: of the notes, ascending, all above those that are in it.
        merged: folded name -> the name that it is shown under, for names that are one with others.
        connection: of the caller's transaction.
    """
    if not len(nums):
        return walk
    more, first = len(nums), len(walk.nums) + len(nums)  # the node of the first name
    names = {name: node + more for name, node in walk.names.items()}
    surfaces, labels, fuller = walk.surfaces.copy(), walk.labels.copy(), walk.fuller.copy()
    firsts: set[str] = set()  # words at which new names begin
    mentioning: list[int] = []
    mentioned: list[int] = []
    for num, name, surface in _rows(connection, _MENTIONS, nums):
        if name not in names:
            every = every_name(merged, name)  # names that are one are one node, found under each of them
            names.update(dict.fromkeys(every, first + len(surfaces)))
            surfaces.append(merged.get(name, surface))
            _note_fuller(fuller, every)
            firsts.update(other for one in every for other in every_name(merged, one.partition(" ")[0]))
        mentioning.append(num)
        mentioned.append(names[name])
    between: list[tuple[int, int]] = []
    sure: list[tuple[int, str, int]] = []
    whole = walk.whole
    for s, relation, o, folded, confidence in _rows(connection, _FACTS, nums):
        one, other = names.get(s), names.get(o)
        if one is None or other is None:
            whole = False
        elif one != other:
            between.append((one, other))
            if (other - first, one - first) not in labels:
                labels.setdefault((one - first, other - first), relation)
            if confidence >= SURE:
                sure.append((one, folded, other))
    size = first + len(surfaces)
    places = len(walk.nums) + np.searchsorted(nums, np.array(mentioning, np.int64))
    mentions = np.column_stack([places, np.array(mentioned, np.int64)])
    pairs = np.concatenate([mentions, _pairs(between)])
    new = _edges(pairs, np.repeat([_MENTION, _FACT], [len(mentions), len(between)]), size)
    stated = _moved(walk.stated, len(walk.nums), more, size) + new
    aliases = walk.aliases + more
    same = np.isin(aliases[:, 0], [names[name] for name in firsts if name in names], invert=True)
    aliases = np.concatenate([aliases[same], _aliases(firsts, fuller, names)])
    aliases = aliases[np.lexsort(aliases.T)]
    weights = stated + _edges(aliases, np.full(len(aliases), _ALIAS), size) if len(aliases) else stated
    return Walk(
        nums=np.append(walk.nums, nums),
        names=names,
        surfaces=surfaces,
        weights=weights,
        told_in=np.bincount(weights.indices[: weights.indptr[first]], minlength=size),
        labels=labels,
        aliases=aliases,
        ways=walk.ways.grown(sure, size, moved=more),
        stated=stated,
        fuller=fuller,
        whole=whole,
    )


def _rows(connection: Connection, sql: str, nums: npt.NDArray[np.int64]) -> Iterator[tuple[Any, ...]]:
    for start in range(0, len(nums), _AT_ONCE):
        yield from rows_in(connection, sql, nums[start : start + _AT_ONCE].tolist())


def _note_fuller(fuller: dict[str, tuple[str, ...]], names: Collection[str]) -> None:
    """Notes which of some new names are full ones, of two or three words, as far as these count."""
    for name in names:
        first, _, rest = name.partition(" ")
        if rest and not name.replace(" ", "").isdigit() and len(name.split()) <= 3:
            known = fuller.get(first, ())
            if len(known) <= _ALIAS_FAN:
                fuller[first] = (*known, name)


def _aliases(firsts: Collection[str], fuller: Mapping[str, Sequence[str]], names: Mapping[str, int]) -> _Pairs:
    """Returns the nodes of (one word, full name that begins with it): "lena", "lena hartmann"; an edge, not a merge."""
    fans = [
        (first, fuller[first])
        for first in firsts
        if first in names and first in fuller and len(first) > 2 and not first.isdigit()
    ]
    fans = [(first, fulls) for first, fulls in fans if len(fulls) <= _ALIAS_FAN]
    nodes = [(names[first], names[full]) for first, fulls in fans for full in fulls]
    return _pairs([(one, other) for one, other in nodes if one != other])


def _pairs(nodes: Sequence[tuple[int, int]]) -> _Pairs:
    return np.array(nodes, np.int64).reshape(-1, 2)


def _edges(pairs: _Pairs, weights: npt.NDArray[np.float64], size: int) -> csr_array:
    """Returns edges both ways; those that come more than once weigh what they weigh together."""
    ends = np.concatenate([pairs, pairs[:, ::-1]])
    return coo_array((np.append(weights, weights), (ends[:, 0], ends[:, 1])), shape=(size, size)).tocsr()


def _moved(edges: csr_array, notes: int, more: int, size: int) -> csr_array:
    """Returns edges with room for more notes behind the notes, and for more names at the end."""
    indices = np.where(edges.indices < notes, edges.indices, edges.indices + more)
    starts = edges.indptr
    room = [np.full(count, at) for count, at in ((more, starts[notes]), (size - more - len(starts) + 1, starts[-1]))]
    pointers = np.concatenate([starts[:notes], room[0], starts[notes:], room[1]])
    return csr_array((edges.data, indices, pointers), shape=(size, size))
