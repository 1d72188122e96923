"""The graph of links: notes and the names they mention, with facts and aliases between names.

Personalized PageRank walks it from the notes that words and vectors found (the prior) and from the names that the
question and the best facts mention (the seeds): HippoRAG 2, arXiv 2502.14802, section 3, without a model's filter.
What a search may not return is not in the graph it walks, so no path leads through another scope.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array
from sqlalchemy import Connection, func, select

from . import in_memory
from .aliases import every_name
from .database import Database
from .form import Among, Cue, Extractor, Hit
from .forward_push import pushed_pagerank
from .names import fold
from .note import Note
from .pagerank import personalized_pagerank
from .progress import applied, make_anew, state
from .schema import mention, note, triplet
from .statements import insert, nums_of, rows, run
from .ways import SURE, Ways, ways_of

__all__ = ["Graph", "Link", "Walk"]

_MENTION, _FACT, _ALIAS = (
    1.0,
    2.0,
    1.6,
)  # HippoRAG 2's effective weights: facts 2, synonyms 2 x 0.8, context 1
_PRIOR = 0.05  # weight of the prior in the reset vector (HippoRAG 2's passage weight)
_DAMPING = 0.85
_TOLERANCE = 1e-4  # the first hundreds of ranks are settled long before their last digits are
_LOCALLY = 200_000  # edges; above, mass is pushed from the seeds instead of going round the whole graph
_ALIAS_FAN = 3  # a first name shared by more full names than this says too little
_LONGEST_PATH = 4
_SEARCHED = 5_000
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


@dataclass(frozen=True)
class Walk:
    """The graph of the notes that one search may see: first the notes, then the names."""

    nums: npt.NDArray[np.int64]
    names: dict[str, int]  # folded name -> node
    surfaces: list[str]  # as first written, per name
    weights: csr_array
    told_in: npt.NDArray[np.int64]  # per node, how many notes mention it
    labels: dict[tuple[int, int], str]
    ways: Ways

    @cached_property
    def degrees(self) -> npt.NDArray[np.float64]:
        """The sum of each node's weights."""
        return np.asarray(self.weights.sum(axis=0), np.float64).ravel()

    def ranked(self, reset: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Returns the PageRank mass of every node from a reset vector that has a positive sum."""
        if self.weights.nnz > 2 * _LOCALLY:  # an edge is there in both directions
            return pushed_pagerank(self.weights, reset, degree=self.degrees, damping=_DAMPING)
        return personalized_pagerank(self.weights, reset, degree=self.degrees, damping=_DAMPING, tolerance=_TOLERANCE)

    def places(self, nums: Sequence[int]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Returns the nodes of those notes that are in the graph, and which are."""
        asked = np.array(nums, np.int64)
        places = np.searchsorted(self.nums, asked)
        there: npt.NDArray[np.bool_] = np.append(self.nums, -1)[places] == asked
        return places[there], there

    @cached_property
    def _named(self) -> npt.NDArray[np.int64]:
        """Where, among its neighbours, those of each node begin that are names: they come after the notes."""
        notes = np.cumsum(np.append(0, self.weights.indices < len(self.nums)))
        starts: npt.NDArray[np.int64] = self.weights.indptr[:-1].astype(np.int64) + np.diff(notes[self.weights.indptr])
        return starts

    def paths(self, starts: Collection[int], goals: Collection[int]) -> dict[int, tuple[str, ...]]:
        """Returns the shortest way from one of the names to each note, names and relations in turn.

        One breadth-first search for all goals; a way has at most four steps, and a search stops after some thousand
        names, because nobody reads an explanation through a hub. Goals that were not reached are left out.
        """
        indices, pointers = self.weights.indices, self.weights.indptr
        wanted = {goal: indices[pointers[goal] : pointers[goal + 1]].tolist() for goal in goals}
        level = np.array(sorted(starts), np.int64)
        before: dict[int, int] = dict.fromkeys(level.tolist(), -1)
        met = np.zeros(self.weights.shape[0], bool)
        met[level] = True
        order: dict[int, int] = {}  # in which names were gone through
        found: dict[int, tuple[str, ...]] = {}
        for steps in range(_LONGEST_PATH + 1):
            room = _SEARCHED - len(before)
            if room <= 0 or not wanted or not len(level):
                break
            new, places = self._beyond(level[:0] if steps == _LONGEST_PATH else level, met)
            gone = len(level) if len(new) < room else int(places[room - 1]) + 1
            order.update(zip(level[:gone].tolist(), range(len(order), len(order) + gone), strict=True))
            new, places = new[places < gone], places[places < gone]
            before.update(zip(new.tolist(), level[places].tolist(), strict=True))
            met[new] = True
            for goal in [goal for goal, names in wanted.items() if any(name in order for name in names)]:
                nearest = min((order[name], name) for name in wanted.pop(goal) if name in order)
                found[goal] = self._told(before, nearest[1])
            level = new
        return found

    def surface(self, node: int) -> str:
        """Returns the name of a node as written, or as names that are one are shown."""
        return self.surfaces[node - len(self.nums)]

    def beside(self, node: int) -> npt.NDArray[np.integer[Any]]:
        """Returns the nodes next to one: of a note the names in it, of a name the notes and then other names."""
        return self.weights.indices[self.weights.indptr[node] : self.weights.indptr[node + 1]]

    def mentioning(self, name: int) -> npt.NDArray[np.integer[Any]]:
        """Returns the nodes of the notes that mention a name."""
        return self.beside(name)[: self.told_in[name]]

    def also(self, node: int) -> list[int]:
        """Returns the nodes of the full names that a first name may stand for, or of the first name in a full one."""
        return [other for other in self.beside(node).tolist() if self.labels.get((node, other)) == "alias"]

    def _beyond(
        self, level: npt.NDArray[np.int64], met: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Returns the names next to some that were not met yet, in order, and the place of the one each is next to."""
        first, last = self._named[level], self.weights.indptr[level + 1]
        sizes = last - first
        ends = np.cumsum(sizes)
        edges = np.arange(ends[-1] if len(ends) else 0) + np.repeat(first - (ends - sizes), sizes)
        others, places = self.weights.indices[edges], np.repeat(np.arange(len(level)), sizes)
        fresh = np.flatnonzero(~met[others])
        once = np.sort(np.unique(others[fresh], return_index=True)[1])
        return others[fresh[once]].astype(np.int64), places[fresh[once]]

    def _told(self, before: dict[int, int], last: int) -> tuple[str, ...]:
        nodes = [last]
        while before[nodes[-1]] >= 0:
            nodes.append(before[nodes[-1]])
        nodes.reverse()
        told = [self.surfaces[nodes[0] - len(self.nums)]]
        for left, right in pairwise(nodes):
            told += [self.labels[left, right], self.surfaces[right - len(self.nums)]]
        return tuple(told)


class Graph:
    """Names that notes mention, in SQL; the matrix is made from it when a search first needs it."""

    name = "graph"

    def __init__(self, database: Database, extractor: Extractor | None) -> None:
        self._database = database
        self._extractor = extractor
        self._cached: tuple[Hashable, Walk] | None = None
        self.place = database.place
        in_memory.known().add(self)

    def drop(self) -> None:
        """Keeps no graph."""
        self._cached = None

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
        return [Hit(int(walk.nums[i]), float(mass[i])) for i in order]

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
        between = [Link(named[u], label, named[v]) for (u, v), label in sorted(walk.labels.items()) if u >= count]
        return mentions + [
            link
            for link in between
            if not link.label.startswith("← ") and (link.label != "alias" or link.source < link.target)
        ]

    def walk(self, among: Among) -> Walk:
        """Returns the graph of the admitted notes, made anew after every change."""
        with self._database.reading() as connection:
            now, cached = state(connection), self._cached
            if now is None:
                return self._build(among)
            key = (among.key, now, frozenset(among.merged().items()))
            if cached is None or cached[0] != key:
                cached = (key, self._build(among))
                self._cached = cached
        return cached[1]

    def _build(self, among: Among) -> Walk:
        nums = among.nums()
        names: dict[str, int] = {}
        surfaces: list[str] = []
        merged = among.merged()
        links: list[tuple[int, int]] = []
        labels: dict[tuple[int, int], str] = {}
        stated: list[tuple[int, str, int]] = []

        def link(u: int, v: int, label: str) -> None:
            links.append((u, v))
            labels.setdefault((u, v), label)
            labels.setdefault((v, u), label if label == "alias" else f"← {label}")

        with self._database.reading() as connection:
            seen = (
                select(mention.c.note, mention.c.name, mention.c.surface)
                .join(note, note.c.num == mention.c.note)
                .where(*among.conditions)
                .order_by(mention.c.note, mention.c.name)
            )
            mentioning: list[int] = []
            mentioned: list[int] = []
            for num, name, surface in connection.execute(seen):
                if name not in names:
                    # names that are one are one node, found under each of them
                    names.update(dict.fromkeys(every_name(merged, name), len(nums) + len(surfaces)))
                    surfaces.append(merged.get(name, surface))
                mentioning.append(num)
                mentioned.append(names[name])
            facts = (
                select(triplet.c.s, triplet.c.relation, triplet.c.o, triplet.c.r, triplet.c.confidence)
                .join(note, note.c.num == triplet.c.note)
                .where(*among.conditions)
                .order_by(triplet.c.note, triplet.c.num)
            )
            for s, relation, o, folded, confidence in connection.execute(facts):
                if s in names and o in names and names[s] != names[o]:
                    link(names[s], names[o], relation)
                    if confidence >= SURE:
                        stated.append((names[s], folded, names[o]))
        of_facts = len(links)
        for short, full in _aliases(names):
            if names[short] != names[full]:
                link(names[short], names[full], "alias")
        between = np.array(links, np.int64).reshape(-1, 2)
        here = among.admits(np.array(mentioning, np.int64))
        left = np.append(np.searchsorted(nums, np.array(mentioning, np.int64)[here]), between[:, 0])
        right = np.append(np.array(mentioned, np.int64)[here], between[:, 1])
        counts = int(np.count_nonzero(here)), of_facts, len(links) - of_facts
        values = np.repeat([_MENTION, _FACT, _ALIAS], counts)
        size = len(nums) + len(surfaces)
        ends = np.append(left, right), np.append(right, left)
        weights = coo_array((np.append(values, values), ends), shape=(size, size)).tocsr()
        weights.sort_indices()
        told_in = np.bincount(weights.indices[: weights.indptr[len(nums)]], minlength=size)
        return Walk(nums, names, surfaces, weights, told_in, labels, ways_of(stated, size))


def _aliases(names: Collection[str]) -> list[tuple[str, str]]:
    """Pairs (one word, full name that begins with it): "lena" and "lena hartmann"; a synonym edge, not a merge."""
    by_first: dict[str, list[str]] = defaultdict(list)
    for name in names:
        first, _, rest = name.partition(" ")
        if rest and not name.replace(" ", "").isdigit() and len(name.split()) <= 3:
            by_first[first].append(name)
    return [
        (first, full)
        for first, fulls in sorted(by_first.items())
        if first in names and len(first) > 2 and not first.isdigit() and len(fulls) <= _ALIAS_FAN
        for full in sorted(fulls)
    ]
