"""The form of triplets: facts in SQL, given by the caller or found by an extractor, each under the note that says it.

A fact is not a row of its own but the group of equal triplets, so it is there exactly as long as a visible note
supports it. What a newer fact supersedes is worked out when facts are read: nothing is ever retired in the file,
and forgetting the newer note brings the older fact back by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, func, select

from .aliases import every_name, one_name
from .database import Database, Index
from .errors import InvalidInput
from .extracted import Extracted, extracted_of
from .form import Among, Cue, Extractor, Hit
from .names import fold
from .note import Fact, Note, Triplet
from .progress import applied, make_anew
from .relations import Relations
from .resolve import Statement, resolve
from .schema import note, triplet
from .shown import shown
from .statements import insert, numbered, nums_of, rows, rows_in, run_in
from .words import telling

__all__ = ["Matched", "Triplets", "best_of_each"]

Matched = tuple[int, int, float]
"""Number of a triplet, of its note, and how well it matches."""

_SIDES = ("subject", "relation", "object")
_COLUMNS = ("num", "note", *_SIDES, "s", "r", "o", "valid_from", "valid_to", "confidence", "extractor")


class Triplets:
    """Triplets in SQL with full text over them."""

    name = "triplets"

    def __init__(self, database: Database, extractor: Extractor | None) -> None:
        self._database = database
        self._extractor = extractor
        self.index = database.full_text(
            Index("fact_words", "triplet", columns=_SIDES, weights=(1.0, 1.0, 1.0), owner="note", worth="confidence")
        )
        self.relations = Relations(database)

    def add(self, notes: Sequence[Note]) -> None:
        """Stores what the caller stated and what the extractor finds; notes that are in already are skipped."""
        with self._database.reading() as connection:
            ((last,),) = rows(connection, "SELECT coalesce(max(num), 0) FROM triplet")
            present = numbered(connection, "triplet", [item.num for item in notes]) if last else set()
            read = extracted_of(connection, [item.num for item in notes])
            found: list[tuple[object, ...]] = []
            for item in notes:
                if item.num not in present:
                    facts = self._facts(item, read.get(item.num, ()))
                    found += [_row(last + len(found) + place, item, fact) for place, fact in enumerate(facts, 1)]
            insert(connection, triplet, _COLUMNS, found)
        self.index.add(range(last + 1, last + len(found) + 1))

    def remove(self, ids: Collection[str]) -> None:
        """Takes the triplets of notes out, and out of the full text."""
        with self._database.reading() as connection:
            notes = nums_of(connection, ids)
            nums = [num for (num,) in rows_in(connection, "SELECT num FROM triplet WHERE note IN (?)", notes)]
            self.index.remove(nums)
            run_in(connection, "DELETE FROM triplet WHERE note IN (?)", notes)

    def search(self, cue: Cue, k: int, among: Among) -> list[Hit]:
        """Ranks notes by their best-matching triplet, BM25 times its confidence; the path is that triplet."""
        return best_of_each(self.matching(cue, k, among))

    def matching(self, cue: Cue, k: int, among: Among) -> list[Hit]:
        """Returns the triplets that match best, of ``k`` notes; a note may come more than once."""
        best = self.best(cue, k, among)
        paths = self.told([num for num, _, _ in best])
        return [Hit(owner, score, paths[num]) for num, owner, score in best if num in paths]

    def best(self, cue: Cue, k: int, among: Among) -> list[Matched]:
        """Returns the same without their words."""
        words = telling(cue.text)
        return self.index.best(words, k, among) if words and k >= 1 else []

    def told(self, nums: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """Returns subject, relation and object of triplets by number, as written."""
        sides = "SELECT num, subject, relation, object FROM triplet WHERE num IN (?)"
        with self._database.reading() as connection:
            return {num: tuple(path) for num, *path in rows_in(connection, sides, nums)}

    def applied(self) -> int:
        """Returns the number of the last change this form has seen."""
        return applied(self._database, self.name)

    def clear(self) -> None:
        """Empties the form."""
        self.index.clear()
        with self._database.reading() as connection:
            connection.execute(triplet.delete())
            make_anew(connection)

    def count(self) -> int:
        """Returns how many triplets are stored."""
        with self._database.reading() as connection:
            return connection.scalar(select(func.count()).select_from(triplet)) or 0

    def facts(
        self,
        among: Among,
        *,
        scope: str,
        subject: str = "",
        relation: str = "",
        object: str = "",
        as_of: str = "",
        superseded: bool = False,
        limit: int | None = None,
    ) -> list[Fact]:
        """Returns the facts that the admitted notes support, resolved for one moment.

        Args:
            among: the notes that may support them.
            scope: of the reader, who decides which relations have one value at a time.
            subject: only this subject, compared folded.
            relation: only this relation.
            object: only this object.
            as_of: what was true at this moment; empty for what holds now, as far as is known.
            superseded: also return what newer values have replaced, and what has ended.
            limit: at most this many, most confident first.
        """
        wanted = {"s": _folded(subject), "r": _folded(relation), "o": _folded(object)}
        for given, name, folded in zip(
            (subject, relation, object), ("subject", "relation", "object"), wanted.values(), strict=True
        ):
            if given and not folded:
                raise InvalidInput(f"{name} {shown(given)} holds nothing to look for")
        single = self.relations.single_valued(scope)
        # a newer value with another object may end the one that is asked for: resolve without the object first
        merged = among.merged()
        conditions: list[ColumnElement[bool]] = []
        if wanted["s"]:
            conditions.append(triplet.c.s.in_(every_name(merged, wanted["s"])))
        if wanted["r"]:
            conditions.append(triplet.c.r == wanted["r"])
        if wanted["o"]:
            has_object = triplet.c.o.in_(every_name(merged, wanted["o"]))
            conditions.append(_subjects_of(has_object, merged) | has_object)
        found = resolve(self._statements(among, conditions), single, as_of=as_of)
        kept = [
            fact
            for fact in found
            if (not wanted["o"] or _folded(fact.object) == one_name(merged, wanted["o"]))
            and (superseded or not fact.superseded)
        ]
        kept.sort(key=lambda fact: (fact.superseded, -fact.confidence, fact.valid_from))
        return kept[:limit]

    def names(self, among: Among, *, relations: bool = False) -> dict[str, str]:
        """Returns, folded, the subjects and objects of what the admitted notes say, or its relations.

        Each comes with the way in which it was first written.
        """
        sides = [(triplet.c.r, triplet.c.relation)]
        if not relations:
            sides = [(triplet.c.s, triplet.c.subject), (triplet.c.o, triplet.c.object)]
        found: dict[str, tuple[int, str]] = {}
        with self._database.reading() as connection:
            for folded, written in sides:
                query = (
                    select(folded, written, func.min(triplet.c.num))
                    .select_from(triplet.join(note, note.c.num == triplet.c.note))
                    .where(*among.conditions)
                    .group_by(folded, written)
                )
                for name, surface, num in connection.execute(query).all():
                    found[name] = min(found.get(name, (num, surface)), (num, surface))
        return {name: surface for name, (_, surface) in found.items()}

    def _statements(self, among: Among, conditions: Sequence[ColumnElement[bool]]) -> list[Statement]:
        merged = among.merged()
        query = (
            select(triplet, note.c.id, note.c.origin, note.c.known, note.c.num.label("said"))
            .select_from(triplet.join(note, note.c.num == triplet.c.note))
            .where(*conditions, *among.conditions)
            .order_by(note.c.num, triplet.c.num)
        )
        with self._database.reading() as connection:
            return [
                Statement(
                    triplet=Triplet(
                        merged.get(row.s, row.subject),
                        row.relation,
                        merged.get(row.o, row.object),
                        row.valid_from,
                        row.valid_to,
                        row.confidence,
                        row.extractor,
                    ),
                    folded=(one_name(merged, row.s), row.r, one_name(merged, row.o)),
                    note=row.id,
                    order=row.said,
                    known=row.known,
                    trusted=row.origin not in ("web", "model"),
                )
                for row in connection.execute(query).all()
            ]

    def _facts(self, item: Note, read: Sequence[Extracted]) -> list[Triplet]:
        """What a note says: the caller's triplets, and what a model and the extractor add."""
        given = [f if f.valid_from or not item.happened else replace(f, valid_from=item.happened) for f in item.facts]
        known = {(fold(f.subject), fold(f.relation), fold(f.object)) for f in given}
        extracted = self._extractor.triplets(item) if self._extractor else []
        for fact in (*(one.fact for one in read), *extracted):
            key = (fold(fact.subject), fold(fact.relation), fold(fact.object))
            if all(key) and key not in known:
                known.add(key)
                given.append(fact)
        return given


def best_of_each(hits: Sequence[Hit]) -> list[Hit]:
    """Returns the first hit of each note."""
    best: dict[int, Hit] = {}
    for hit in hits:
        best.setdefault(hit.num, hit)
    return list(best.values())


def _subjects_of(has_object: ColumnElement[bool], merged: Mapping[str, str]) -> ColumnElement[bool]:
    """Returns the condition on triplets whose subject, under any of its names, has a certain object."""
    subjects = select(triplet.c.s).where(has_object)
    condition: ColumnElement[bool] = triplet.c.s.in_(subjects)
    for shown_as in dict.fromkeys(merged.values()):
        names = every_name(merged, fold(shown_as))
        has_one = select(triplet.c.num).where(triplet.c.s.in_(names), has_object).exists()
        condition |= triplet.c.s.in_(names) & has_one
    return condition


def _folded(name: str) -> str:
    """Returns what a name is compared by; one without letters and digits, such as an emoji, by itself."""
    return fold(name) or name.strip()


def _row(num: int, item: Note, fact: Triplet) -> tuple[object, ...]:
    sides = (fact.subject, fact.relation, fact.object)
    times = (fact.valid_from, fact.valid_to)
    return (num, item.num, *sides, *map(_folded, sides), *times, fact.confidence, fact.extractor)
