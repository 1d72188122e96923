"""The form of vectors in PostgreSQL: pgvector compares the question with every vector that may be seen.

Exact by construction: the filter comes first, and what passes it is compared one by one, so a scope gets as many rows
as it has. The rows are half precision; the sums are made in single precision, as faiss makes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Float, String, cast, literal, select
from sqlalchemy.types import UserDefinedType

from .embeddings import Embeddings
from .form import Among, Cue, Hit, Vector
from .halfvec import Half, packed
from .schema import embedding, note
from .statements import run_many

__all__ = ["PgVectors"]

_INSERT = "INSERT INTO embedding (note, vector) VALUES (?, ?)"


class _Single(UserDefinedType[Any]):
    """pgvector's type of single-precision vectors."""

    cache_ok = True

    def get_col_spec(self, **kw: object) -> str:
        return "vector"


class PgVectors(Embeddings):
    """Exact inner-product search over unit vectors, in the server."""

    def search(self, cue: Cue, k: int, among: Among) -> list[Hit]:
        """Ranks by cosine, -1 to 1."""
        if cue.vector is None or k < 1:
            return []
        asked = cast(literal(f"[{','.join(map(str, cue.vector.tolist()))}]", String), _Single)
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

    def _insert(self, connection: Connection, rows: Sequence[tuple[int, Vector]]) -> None:
        run_many(connection, _INSERT, [(num, Half(packed(vector))) for num, vector in rows])
