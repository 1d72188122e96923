"""Chains of facts that fit a pattern, each step with the notes that support it.

A chain grows from its best-known step to both sides, one query per step and side, so that a name with a hundred
thousand facts costs one capped query. No chain uses a fact twice: circles end, and nobody is his own brother.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod
from typing import overload

from sqlalchemy import ColumnElement, func, select

from .aliases import every_name, one_name
from .database import Database
from .form import Among
from .names import fold
from .note import Fact
from .patterns import Hop, Pattern, parse
from .schema import note, triplet
from .triplets import Triplets

__all__ = ["Path", "Paths", "Step", "follow", "key_of", "stated"]

_FAN = 200  # facts of one name in one step
_WIDE = 2_000  # facts in one step, and chains that are kept while they grow
_BATCH = 500
Key = tuple[str, str, str]
_SAID = triplet.join(note, note.c.num == triplet.c.note)


@dataclass(frozen=True, slots=True)
class Step:
    """A fact as a chain walks it.

    Attributes:
        fact: with its validity and the ids of the notes that support it.
        backward: true when the chain goes from the object to the subject.
    """

    fact: Fact
    backward: bool

    @property
    def source(self) -> str:
        """The name the step starts from, as written."""
        return self.fact.object if self.backward else self.fact.subject

    @property
    def target(self) -> str:
        """The name the step leads to, as written."""
        return self.fact.subject if self.backward else self.fact.object


@dataclass(frozen=True, slots=True)
class Path:
    """A chain of facts that fits a pattern.

    Attributes:
        steps: in the order of the pattern.
        found: what stands for each ``?``, in order, as written.
    """

    steps: tuple[Step, ...]
    found: tuple[str, ...]

    @property
    def confidence(self) -> float:
        """How sure all steps together are: the product of the facts' confidences."""
        return prod(step.fact.confidence for step in self.steps)

    @property
    def notes(self) -> tuple[str, ...]:
        """The ids of the notes that support it, those of the first step first."""
        return tuple(dict.fromkeys(id for step in self.steps for id in step.fact.notes))

    @property
    def told(self) -> tuple[str, ...]:
        """The names and relations in turn; a relation that is walked backward begins with an arrow."""
        parts = [self.steps[0].source]
        for step in self.steps:
            parts += [f"← {step.fact.relation}" if step.backward else step.fact.relation, step.target]
        return tuple(parts)

    def __str__(self) -> str:
        """Returns one line for people: ``Ada ←daughter of— Mia —lives in→ Lisbon``."""
        told = self.steps[0].source
        for step in self.steps:
            arrow = f"←{step.fact.relation}—" if step.backward else f"—{step.fact.relation}→"
            told += f" {arrow} {step.target}"
        return told


class Paths(Sequence[Path]):
    """The chains that fit, surest first; a sequence of `Path`.

    Attributes:
        cut: whether there may be more: a name had too many facts, or too many chains fit.
    """

    def __init__(self, found: Sequence[Path], *, cut: bool) -> None:
        self._found = tuple(found)
        self.cut = cut

    @overload
    def __getitem__(self, place: int) -> Path: ...
    @overload
    def __getitem__(self, place: slice) -> Paths: ...
    def __getitem__(self, place: int | slice) -> Path | Paths:
        """Returns one chain, or fewer chains."""
        if isinstance(place, slice):
            return Paths(self._found[place], cut=self.cut or len(self._found[place]) < len(self._found))
        return self._found[place]

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Path]:
        return iter(self._found)

    def __repr__(self) -> str:
        return f"Paths({len(self)} chains{', and maybe more' if self.cut else ''})"


def follow(
    database: Database,
    triplets: Triplets,
    pattern: str,
    among: Among,
    *,
    scope: str,
    as_of: str = "",
    superseded: bool = False,
    either_way: bool = False,
    limit: int = 100,
) -> Paths:
    """Returns the chains of facts that fit a pattern, surest first.

    Args:
        database: where the triplets are.
        triplets: what knows which facts hold.
        pattern: see `patterns.parse`.
        among: the notes that may support them.
        scope: of the reader, who decides which relations have one value at a time.
        as_of: what was true at this moment; empty for now.
        superseded: also facts whose place was taken or whose time is over.
        either_way: take every step in both directions, whatever its sign.
        limit: at most so many chains.

    Raises:
        InvalidInput: the pattern cannot be read.
    """
    search = _Search(database, triplets, among, scope, as_of, superseded)
    found: dict[Chain, Path] = {}
    for read in parse(pattern):
        asked = read.either_way() if either_way else read
        for chain in search.chains(asked):
            found.setdefault(chain, _path(asked, chain))
    # stable: what is equally sure stays in the order of the store
    best = sorted(found.values(), key=lambda path: -path.confidence)
    return Paths(best[:limit], cut=search.cut or len(best) > limit)


def stated(
    database: Database, triplets: Triplets, wanted: Collection[Key], among: Among, *, scope: str, as_of: str = ""
) -> list[Fact]:
    """Returns those of some facts that hold, a few queries for all of them.

    Args:
        database: where the triplets are.
        triplets: what knows which facts hold.
        wanted: folded subject, relation and object of each; names that are one are given as the one they are shown as.
        among: the notes that may support the facts.
        scope: of the reader, who decides which relations have one value at a time.
        as_of: what was true at this moment; empty for now.
    """
    return _Search(database, triplets, among, scope, as_of, superseded=False).facts(wanted)


Chain = tuple[Step, ...]


class _Search:
    """One question to the facts."""

    def __init__(
        self, database: Database, triplets: Triplets, among: Among, scope: str, as_of: str, superseded: bool
    ) -> None:
        self._database = database
        self._triplets = triplets
        self._among = among
        self._scope = scope
        self._as_of = as_of
        self._superseded = superseded
        self.cut = False

    def chains(self, pattern: Pattern) -> list[Chain]:
        """Returns what fits, grown from the step that the fewest facts fit."""
        ends = list(pairwise(pattern.names))
        start = min(range(len(ends)), key=lambda place: self._count(pattern.hops[place], *ends[place]))
        found: list[Chain] = [(step,) for step in self._first(pattern.hops[start], *ends[start])]
        for place in range(start + 1, len(ends)):
            found = self._grown(found, pattern.hops[place], pattern.names[place + 1])
        turned = pattern.backwards()
        found = [_reversed(chain) for chain in found]
        for place in range(len(ends) - start, len(ends)):
            found = self._grown(found, turned.hops[place], turned.names[place + 1])
        return [_reversed(chain) for chain in found]

    def _count(self, hop: Hop, left: str, right: str) -> int:
        """Returns how many triplets fit one part of a pattern alone, counted up to what is kept at the most."""
        total = 0
        for near, far in _ways(hop):
            conditions = self._fitting(near, far, hop.relation, [left] if left else None, right)
            query = select(triplet.c.num).select_from(_SAID).where(*conditions).limit(_WIDE).subquery()
            with self._database.reading() as connection:
                total += connection.scalar(select(func.count()).select_from(query)) or 0
        return total

    def _first(self, hop: Hop, left: str, right: str) -> list[Step]:
        """Returns the steps that fit one part of the pattern alone."""
        if left or not right:
            return self._steps(hop, [left] if left else None, right)
        turned = Pattern(("", ""), (hop,)).backwards().hops[0]
        return [_turned(step) for step in self._steps(turned, [right], left)]

    def _grown(self, chains: Sequence[Chain], hop: Hop, target: str) -> list[Chain]:
        """Returns the chains with one more step at their end."""
        if not chains:
            return []
        names = dict.fromkeys(_folded(chain[-1].target) for chain in chains)
        onward: dict[str, list[Step]] = defaultdict(list)
        for step in self._steps(hop, list(names), target):
            onward[_folded(step.source)].append(step)
        grown: list[Chain] = []
        for chain in chains:
            walked = {key_of(step.fact) for step in chain}
            for step in onward[_folded(chain[-1].target)]:
                if key_of(step.fact) in walked:
                    continue
                if len(grown) == _WIDE:
                    self.cut = True
                    return grown
                grown.append((*chain, step))
        return grown

    def _steps(self, hop: Hop, sources: Sequence[str] | None, target: str) -> list[Step]:
        """Returns the facts that lead from one of these names (None: any) to a name (empty: any)."""
        found: list[Step] = []
        for near, far in _ways(hop):
            wanted = self._wanted(near, far, self._fitting(near, far, hop.relation, sources, target), sources)
            found += [Step(fact, near == "o") for fact in self.facts(wanted)]
        return found

    def _fitting(
        self, near: str, far: str, relation: str, sources: Sequence[str] | None, target: str
    ) -> list[ColumnElement[bool]]:
        conditions = list(self._among.conditions)
        conditions += [triplet.c[near].in_(self._every(sources))] if sources is not None else []
        conditions += [triplet.c[far].in_(self._every([target]))] if target else []
        conditions += [triplet.c.r == relation] if relation else []
        return conditions

    def _every(self, names: Collection[str]) -> list[str]:
        """Returns these folded names and all that are one with them."""
        merged = self._among.merged()
        return sorted({one for name in set(names) for one in every_name(merged, name)})

    def _wanted(
        self, near: str, far: str, conditions: Sequence[ColumnElement[bool]], sources: Sequence[str] | None
    ) -> set[Key]:
        """Returns which facts fit, folded: of each name at most so many, the surest and newest of them."""
        columns = (triplet.c.s, triplet.c.r, triplet.c.o)
        sure, newest = func.max(triplet.c.confidence).label("sure"), func.max(triplet.c.num).label("newest")
        fitting = select(*columns, sure, newest).select_from(_SAID).where(*conditions).group_by(*columns).subquery()
        # without names to start from, all facts share one allowance; many names get a smaller one each
        parts = None if sources is None else fitting.c[near]
        most = max(_FAN, _WIDE // len(sources or [""]))
        order = (fitting.c.sure.desc(), fitting.c.newest.desc())
        place = func.row_number().over(partition_by=parts, order_by=order).label("place")
        ranked = select(fitting, place).subquery()
        query = select(ranked.c.s, ranked.c.r, ranked.c.o, ranked.c.place).where(ranked.c.place <= most + 1)
        with self._database.reading() as connection:
            best = (ranked.c.sure.desc(), ranked.c.newest.desc())
            rows = connection.execute(query.order_by(*best).limit(_WIDE + 1)).all()
        self.cut = self.cut or len(rows) > _WIDE or any(row.place > most for row in rows)
        merged = self._among.merged()
        kept = [row for row in rows[:_WIDE] if row.place <= most]
        return {(one_name(merged, row.s), row.r, one_name(merged, row.o)) for row in kept}

    def facts(self, wanted: Collection[Key]) -> list[Fact]:
        """Returns these facts as they are resolved among all that could end them."""
        single = self._triplets.relations.single_valued(self._scope)
        found: list[Fact] = []
        # only a value of a single-valued relation can be ended by another one, so all its values have to be seen
        for rivalled in (True, False):
            some = sorted(key for key in wanted if (key[1] in single) == rivalled)
            for start in range(0, len(some), _BATCH):
                part = set(some[start : start + _BATCH])
                s, r, o = zip(*part, strict=True)
                sides = (self._every(s), sorted(set(r)), self._every(o))
                columns = (triplet.c.s, triplet.c.r) if rivalled else (triplet.c.s, triplet.c.r, triplet.c.o)
                narrowed = [column.in_(side) for column, side in zip(columns, sides, strict=False)]
                among = replace(self._among, conditions=(*self._among.conditions, *narrowed))
                resolved = self._triplets.facts(
                    among, scope=self._scope, as_of=self._as_of, superseded=self._superseded
                )
                found += [fact for fact in resolved if key_of(fact) in part]
        return found


def _ways(hop: Hop) -> list[tuple[str, str]]:
    """Returns the columns that a step leads from and to."""
    return [way for sign, way in ((">", ("s", "o")), ("<", ("o", "s"))) if hop.sign in (sign, "-")]


def _path(pattern: Pattern, chain: Chain) -> Path:
    names = [chain[0].source, *(step.target for step in chain)]
    found = [names[0]] if not pattern.names[0] else []
    for hop, step, asked, name in zip(pattern.hops, chain, pattern.names[1:], names[1:], strict=True):
        found += [step.fact.relation] if not hop.relation else []
        found += [name] if not asked else []
    return Path(chain, tuple(found))


def _turned(step: Step) -> Step:
    return Step(step.fact, not step.backward)


def _reversed(chain: Chain) -> Chain:
    return tuple(map(_turned, reversed(chain)))


def key_of(fact: Fact) -> Key:
    """Returns what tells a fact from others: folded subject, relation and object."""
    return _folded(fact.subject), _folded(fact.relation), _folded(fact.object)


def _folded(name: str) -> str:
    return fold(name) or name.strip()
