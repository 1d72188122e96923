"""The form of triplets: facts in SQL, given by the caller or found by an extractor, each under the note that says it.

A fact is not a row of its own but the group of equal triplets, so it is there exactly as long as a visible note
supports it. What a newer fact supersedes is worked out when facts are read: nothing is ever retired in the file,
and forgetting the newer note brings the older fact back by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, bindparam, column, literal_column, select, table, text

from .database import Database
from .errors import InvalidInput
from .form import Among, Cue, Extractor, Hit
from .names import fold
from .note import Fact, Note, Triplet
from .progress import applied
from .relations import Relations
from .resolve import Statement, resolve
from .schema import note, triplet
from .shown import shown
from .words import quoted

__all__ = ["Triplets"]

_BATCH = 500
_fact_words = table("fact_words", column("rowid"))


class Triplets:
    """Triplets in SQL with full text over them."""

    name = "triplets"

    def __init__(self, database: Database, extractor: Extractor | None) -> None:
        self._database = database
        self._extractor = extractor
        self.relations = Relations(database)

    def add(self, notes: Sequence[Note]) -> None:
        """Stores what the caller stated and what the extractor finds; notes that are in already are skipped."""
        present = self._present(notes)
        new = [item for item in notes if item.num not in present]
        rows = [_row(item, fact) for item in new for fact in self._facts(item)]
        if not rows:
            return
        with self._database.reading() as connection:
            connection.execute(triplet.insert(), rows)
            connection.execute(
                text(
                    "INSERT INTO fact_words(rowid, subject, relation, object) "
                    "SELECT num, subject, relation, object FROM triplet WHERE note = :note"
                ),
                [{"note": num} for num in sorted({int(str(row["note"])) for row in rows})],
            )

    def remove(self, ids: Collection[str]) -> None:
        """Takes the triplets of notes out, and out of the full text."""
        with self._database.reading() as connection:
            for id in sorted(ids):
                of_note = "note = (SELECT num FROM note WHERE id = :id)"
                connection.execute(
                    text(
                        "INSERT INTO fact_words(fact_words, rowid, subject, relation, object) "
                        f"SELECT 'delete', num, subject, relation, object FROM triplet WHERE {of_note}"
                    ),
                    {"id": id},
                )
                connection.execute(text(f"DELETE FROM triplet WHERE {of_note}"), {"id": id})

    def search(self, cue: Cue, k: int, among: Among) -> list[Hit]:
        """Ranks notes by their best-matching triplet, BM25 times its confidence; the path is that triplet."""
        terms = quoted(cue.text)
        if not terms or k < 1:
            return []
        score: ColumnElement[float] = literal_column("bm25(fact_words)")
        query = (
            select(
                triplet.c.note,
                triplet.c.subject,
                triplet.c.relation,
                triplet.c.object,
                score * triplet.c.confidence,
            )
            .select_from(
                _fact_words.join(triplet, triplet.c.num == _fact_words.c.rowid).join(note, note.c.num == triplet.c.note)
            )
            .where(
                text("fact_words MATCH :terms").bindparams(bindparam("terms", " OR ".join(terms))),
                *among.conditions,
            )
            .order_by(score * triplet.c.confidence, triplet.c.note, triplet.c.num)
        )
        best: dict[int, Hit] = {}
        with self._database.reading() as connection:
            for num, subject, relation, target, value in connection.execute(query).all():
                best.setdefault(num, Hit(num, -value, (subject, relation, target)))
                if len(best) == k:
                    break
        return list(best.values())

    def applied(self) -> int:
        """Returns the number of the last change this form has seen."""
        return applied(self._database, self.name)

    def clear(self) -> None:
        """Empties the form."""
        with self._database.reading() as connection:
            connection.execute(triplet.delete())
            connection.exec_driver_sql("INSERT INTO fact_words(fact_words) VALUES('rebuild')")

    def count(self) -> int:
        """Returns how many triplets are stored."""
        with self._database.reading() as connection:
            return connection.scalar(text("SELECT count(*) FROM triplet")) or 0

    def facts(
        self,
        among: Among,
        *,
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
        single = self.relations.single_valued()
        # a newer value with another object may end the one that is asked for: resolve without the object first
        conditions = [triplet.c[name] == value for name, value in wanted.items() if value and name != "o"]
        if wanted["o"]:
            conditions.append(
                triplet.c.s.in_(select(triplet.c.s).where(triplet.c.o == wanted["o"])) | (triplet.c.o == wanted["o"])
            )
        found = resolve(self._statements(among, conditions), single, as_of=as_of)
        kept = [
            fact
            for fact in found
            if (not wanted["o"] or _folded(fact.object) == wanted["o"]) and (superseded or not fact.superseded)
        ]
        kept.sort(key=lambda fact: (fact.superseded, -fact.confidence, fact.valid_from))
        return kept[:limit]

    def _statements(self, among: Among, conditions: Sequence[ColumnElement[bool]]) -> list[Statement]:
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
                        row.subject,
                        row.relation,
                        row.object,
                        row.valid_from,
                        row.valid_to,
                        row.confidence,
                        row.extractor,
                    ),
                    folded=(row.s, row.r, row.o),
                    note=row.id,
                    order=row.said,
                    known=row.known,
                    trusted=row.origin not in ("web", "model"),
                )
                for row in connection.execute(query).all()
            ]

    def _facts(self, item: Note) -> list[Triplet]:
        """What a note says: the caller's triplets; the extractor's where it adds something."""
        given = [
            Triplet(f.subject, f.relation, f.object, f.valid_from or item.happened, f.valid_to) for f in item.facts
        ]
        known = {(fold(f.subject), fold(f.relation), fold(f.object)) for f in given}
        extracted = self._extractor.triplets(item) if self._extractor else []
        for fact in extracted:
            key = (fold(fact.subject), fold(fact.relation), fold(fact.object))
            if all(key) and key not in known:
                known.add(key)
                given.append(fact)
        return given

    def _present(self, notes: Sequence[Note]) -> set[int]:
        nums = [item.num for item in notes]
        with self._database.reading() as connection:
            return {
                row[0]
                for start in range(0, len(nums), _BATCH)
                for row in connection.execute(
                    select(triplet.c.note).distinct().where(triplet.c.note.in_(nums[start : start + _BATCH]))
                )
            }


def _folded(name: str) -> str:
    """Returns what a name is compared by; one without letters and digits, such as an emoji, by itself."""
    return fold(name) or name.strip()


def _row(item: Note, fact: Triplet) -> dict[str, object]:
    return {
        "note": item.num,
        "subject": fact.subject,
        "relation": fact.relation,
        "object": fact.object,
        "s": _folded(fact.subject),
        "r": _folded(fact.relation),
        "o": _folded(fact.object),
        "valid_from": fact.valid_from,
        "valid_to": fact.valid_to,
        "confidence": fact.confidence,
        "extractor": fact.extractor,
    }
