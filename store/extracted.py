"""What models read in notes: facts, each with the words of the note that say so.

Each model is asked once. Its answer is kept beside the note and goes with it, beside those of other models, and
triplets are made of all of them whenever they are made anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, case, select

from .note import Triplet
from .note_rows import stated
from .progress import make_anew
from .schema import extraction, note
from .statements import insert, rows_in, run_many

__all__ = ["Extracted", "extracted_of", "keep_extracted", "keep_tried", "readings_of", "unread"]


@dataclass(frozen=True, slots=True)
class Extracted:
    """One fact that a model found in a note.

    Attributes:
        fact: what it found; ``extractor`` is the model's name.
        span: the words of the note that say so, as they stand in it.
    """

    fact: Triplet
    span: str


def extracted_of(connection: Connection, nums: Sequence[int]) -> dict[int, tuple[Extracted, ...]]:
    """Returns what models found in these notes, one model after the other; those that none has read are left out."""
    found: dict[int, tuple[Extracted, ...]] = {}
    for num, _, facts in readings_of(connection, nums):
        found[num] = (*found.get(num, ()), *facts)
    return found


def readings_of(connection: Connection, nums: Sequence[int]) -> list[tuple[int, str, tuple[Extracted, ...]]]:
    """Returns (number of a note, model, what it found there) for every model that has read one of these notes."""
    kept = rows_in(
        connection, "SELECT note, model, facts FROM extraction WHERE note IN (?) AND facts <> ''", list(nums)
    )
    return [(num, model, tuple(map(_read, json.loads(facts)))) for num, model, facts in sorted(kept)]


def unread(connection: Connection, model: str, conditions: Sequence[ColumnElement[bool]], limit: int) -> list[int]:
    """Returns the numbers of notes that fit and that this model has not read.

    The oldest come first, and those last of which it said nothing usable before: they do not keep others waiting.
    """
    asked = select(extraction.c.note).where(extraction.c.note == note.c.num, extraction.c.model == model)
    read, tried = asked.where(extraction.c.facts != "").exists(), asked.exists()
    order = (case((tried, 1), else_=0), note.c.num)
    return list(connection.scalars(select(note.c.num).where(*conditions, ~read).order_by(*order).limit(limit)))


def keep_tried(connection: Connection, model: str, nums: Sequence[int]) -> None:
    """Keeps that a model was asked about notes and said nothing usable."""
    insert(connection, extraction, ("note", "model", "facts"), [(num, model, "") for num in nums], unless_there=True)


def keep_extracted(connection: Connection, model: str, found: Mapping[int, Sequence[Extracted]]) -> None:
    """Keeps what a model found in notes, in place of what the same model found there before."""
    run_many(connection, "DELETE FROM extraction WHERE note = ? AND model = ?", [(num, model) for num in found])
    kept = [(num, model, json.dumps([_row(one) for one in every], ensure_ascii=False)) for num, every in found.items()]
    insert(connection, extraction, ("note", "model", "facts"), kept)
    make_anew(connection)


def _row(one: Extracted) -> dict[str, object]:
    return {**stated(one.fact), "span": one.span}


def _read(values: dict[str, object]) -> Extracted:
    span = str(values.pop("span"))
    return Extracted(Triplet(**values), span)  # type: ignore[arg-type]
