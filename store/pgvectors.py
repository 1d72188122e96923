"""The form of vectors in PostgreSQL: pgvector compares the question with every vector that may be seen.

Exact by construction: the filter comes first, and what passes it is compared one by one, so a scope gets as many rows
as it has. The rows are half precision; the sums are made in single precision, as faiss makes them.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Float, String, cast, literal, select
from sqlalchemy.types import UserDefinedType

from .embeddings import Embeddings
from .form import Among, Hit, Vector
from .halfvec import Half, packed
from .schema import embedding, note

__all__ = ["PgVectors"]


class _Single(UserDefinedType[Any]):
    """pgvector's type of single-precision vectors."""

    cache_ok = True

    def get_col_spec(self, **kw: object) -> str:
        return "vector"


class PgVectors(Embeddings):
    """Exact inner-product search over unit vectors, in the server."""

    def _nearest(self, vector: Vector, k: int, among: Among) -> list[Hit]:
        written = literal(f"[{','.join(map(str, vector.tolist()))}]", String)
        asked = select(cast(written, _Single)).scalar_subquery()  # read once, not with every row
        # <#> is the negative inner product, so that the best comes first
        distance = cast(embedding.c.vector, _Single).op("<#>", return_type=Float())(asked).label("distance")
        query = (
            select(embedding.c.note, distance)
            .select_from(embedding.join(note, note.c.num == embedding.c.note))
            .where(*among.conditions)
            .order_by(distance, embedding.c.note)
            .limit(k)
        )
        with self._database.reading() as connection:
            return [Hit(num, -value) for num, value in connection.execute(query).all()]

    def _row(self, vector: Vector) -> Half:
        return Half(packed(vector))
