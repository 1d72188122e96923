"""The graph of links: notes and the names they mention, with facts and aliases between names.

Personalized PageRank walks it from the notes that words and vectors found (the prior) and from the names that the
question and the best facts mention (the seeds): HippoRAG 2, arXiv 2502.14802, section 3, without a model's filter.
What a search may not return is not in the graph it walks, so no path leads through another scope.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, func, select

from . import in_memory
from .database import Database
from .form import Among, Cue, Extractor, Hit
from .growing import grown, nothing
from .names import fold
from .note import Note
from .progress import State, applied, make_anew, state
from .schema import mention, note
from .statements import insert, nums_of, rows, run
from .walk import Walk

__all__ = ["Graph", "Link", "Walk"]

_PRIOR = 0.05  # weight of the prior in the reset vector (HippoRAG 2's passage weight)
_LONGEST_NAME = 5  # words
_QUESTION_WORDS = 200


@dataclass(frozen=True, slots=True)
class Link:
    """An edge between two names or a name and a note, for people to look at.

    Attributes:
        source: a name as written, or a note's id.
        label: the relation, ``"mentions"`` or ``"alias"``.
        target: a name as written, or a note's id.
    """

    source: str
    label: str
    target: str


@dataclass(frozen=True, slots=True)
class _Kept:
    """The graph of the last search, and what it was made for."""

    key: Hashable
    merged: Mapping[str, str]
    state: State
    walk: Walk

    def goes_on(self, key: Hashable, merged: Mapping[str, str], now: State, nums: npt.NDArray[np.int64]) -> bool:
        """Returns whether a graph of these notes is this one with newer notes: none went, came back, or was read anew.

        What the other notes mention and state is as it was: that changes only where something is made anew.
        """
        same = self.key == key and self.merged == merged and self.state.anew == now.anew and self.state <= now
        return same and self.walk.whole and np.array_equal(self.walk.nums, nums[: len(self.walk.nums)])


class Graph:
    """Names that notes mention, in SQL; the matrix is made from it when a search first needs it."""

    name = "graph"

    def __init__(self, database: Database, extractor: Extractor | None) -> None:
        self._database = database
        self._extractor = extractor
        self._kept: list[_Kept] = []
        self.place = database.place
        in_memory.watch(self)

    def drop(self) -> None:
        """Keeps no graph, nor what another thread is still making."""
        self._kept = []

    def add(self, notes: Sequence[Note]) -> None:
        """Stores which names the notes mention; the triplets must be in already."""
        with self._database.reading() as connection:
            stored = self._sides(connection, [item.num for item in notes])
            for item in notes:
                found = stored[item.num]
                for surface in self._extractor.entities(item) if self._extractor else [item.speaker]:
                    if name := fold(surface):
                        found.setdefault(name, surface)
            insert(
                connection,
                mention,
                ("note", "name", "surface"),
                [(num, name, surface) for num, found in stored.items() for name, surface in found.items()],
                unless_there=True,
            )

    def remove(self, ids: Collection[str]) -> None:
        """Takes the mentions of notes out."""
        with self._database.reading() as connection:
            for num in nums_of(connection, ids):
                run(connection, "DELETE FROM mention WHERE note = ?", num)

    def search(self, cue: Cue, k: int, among: Among) -> list[Hit]:
        """Ranks notes by PageRank mass from the cue's seeds and prior; `paths` tells the ways there."""
        walk = self.walk(among)
        count = len(walk.nums)
        if not count or k < 1:
            return []
        reset = np.zeros(walk.weights.shape[0])
        seeds = {walk.names[name]: weight for name, weight in cue.seeds.items() if name in walk.names}
        for node, weight in seeds.items():
            # node specificity: a name in many notes says little about each (HippoRAG, arXiv 2405.14831, section 2.3)
            reset[node] += weight / max(1, walk.told_in[node])
        places, there = walk.places(list(cue.prior))
        reset[places] += _PRIOR * np.fromiter(cue.prior.values(), np.float64)[there]
        if reset.sum() <= 0:
            return []
        mass = walk.ranked(reset)[:count]
        least = np.partition(mass, count - k)[count - k] if k < count else 0.0
        reached = np.flatnonzero((mass >= least) & (mass > 0))
        order = reached[np.lexsort((walk.nums[reached], -mass[reached]))][:k]
        return [Hit(num, score) for num, score in zip(walk.nums[order].tolist(), mass[order].tolist(), strict=True)]

    def paths(self, names: Collection[str], nums: Collection[int], among: Among) -> dict[int, tuple[str, ...]]:
        """Returns, for the notes that can be reached, the shortest way there from one of the folded names."""
        walk = self.walk(among)
        found_at, there = walk.places(list(nums))
        places = dict(zip(found_at.tolist(), np.array(list(nums))[there].tolist(), strict=True))
        found = walk.paths([walk.names[name] for name in names if name in walk.names], places)
        return {places[place]: path for place, path in found.items()}

    def linked(self, question: str, among: Among) -> list[str]:
        """Returns the folded names that a question mentions, the longest match at each word."""
        names, words = self.walk(among).names, fold(question).split()[:_QUESTION_WORDS]
        found, place = [], 0
        while place < len(words):
            for length in range(min(_LONGEST_NAME, len(words) - place), 0, -1):
                name = " ".join(words[place : place + length])
                if name in names:
                    found.append(name)
                    place += length
                    break
            else:
                place += 1
        return list(dict.fromkeys(found))

    def _sides(self, connection: Connection, nums: Sequence[int]) -> dict[int, dict[str, str]]:
        """Returns what the facts of each note are about: folded name -> as written."""
        found: dict[int, dict[str, str]] = {num: {} for num in nums}
        if nums:
            sides = "SELECT note, s, subject, o, object FROM triplet WHERE note BETWEEN ? AND ? ORDER BY num"
            for num, s, subject, o, target in rows(connection, sides, min(nums), max(nums)):
                if num in found:
                    found[num].setdefault(s, subject)
                    found[num].setdefault(o, target)
        return found

    def applied(self) -> int:
        """Returns the number of the last change this form has seen."""
        return applied(self._database, self.name)

    def clear(self) -> None:
        """Empties the form."""
        with self._database.reading() as connection:
            connection.execute(mention.delete())
            make_anew(connection)

    def count(self) -> int:
        """Returns how many mentions are stored."""
        with self._database.reading() as connection:
            return connection.scalar(select(func.count()).select_from(mention)) or 0

    def links(self, among: Among) -> list[Link]:
        """Returns every edge that the admitted notes make, for pictures and exports."""
        walk = self.walk(among)
        count = len(walk.nums)
        with self._database.reading() as connection:
            ids = dict(connection.execute(select(note.c.num, note.c.id).where(*among.conditions)).all())
        named = [ids[int(num)] for num in walk.nums] + walk.surfaces
        mentions = [
            Link(named[row], "mentions", named[other])
            for row in range(count)
            for other in walk.weights.indices[walk.weights.indptr[row] : walk.weights.indptr[row + 1]]
        ]
        linked = [*walk.labels, *(walk.aliases - count).tolist()]
        both_ways = sorted({pair for u, v in linked for pair in ((u + count, v + count), (v + count, u + count))})
        between = [Link(named[u], walk.label(u, v), named[v]) for u, v in both_ways]
        return mentions + [
            link
            for link in between
            if not link.label.startswith("← ") and (link.label != "alias" or link.source < link.target)
        ]

    def walk(self, among: Among) -> Walk:
        """Returns the graph of the admitted notes; what is kept grows with the notes that were written since."""
        with self._database.reading() as connection:
            shelf, now = self._kept, state(connection)
            kept, merged = shelf[0] if shelf else None, among.merged()
            if kept and (kept.key, kept.merged, kept.state) == (among.key, merged, now):
                return kept.walk
            nums = among.nums()
            before = kept.walk if kept and now and kept.goes_on(among.key, merged, now, nums) else nothing()
            walk = grown(before, nums[len(before.nums) :], merged, connection)
        if now and (not shelf or shelf[0].state <= now):  # an older view is nothing to go on from
            shelf[:] = [_Kept(among.key, merged, now, walk)]
        return walk
