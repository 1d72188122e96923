"""Moving a store's vectors to another embedder while the old ones go on serving.

The new vectors are put in a table beside the old ones, batch by batch, each in its own short transaction, so reads and
writes go on; what was done stays done if the move is interrupted. When every note has its new vector, the tables
change places in one transaction. Handles that were opened with the old embedder then say so at their next use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import select

from .embeddings import Embeddings
from .form import Embedder
from .note import Note, spoken
from .schema import embedding, meta, next_embedding, note
from .statements import rows, run
from .store import Store

__all__ = ["embed_with"]

_BATCH = 256
_NEXT = "next embedder"


def embed_with(store: Store, embedder: Embedder, *, progressed: Callable[[int], None] | None = None) -> None:
    """Embeds every note anew and lets the new vectors take the place of the old ones.

    Args:
        store: whose `vectors` are of the new embedder when this returns.
        embedder: the new one.
        progressed: called with how many more notes are embedded.
    """
    new = store.database.vectors(embedder)
    if not _begun(store, new):
        return
    while batch := _left(store, _BATCH):
        _embed(store, new, batch)
        if progressed:
            progressed(len(batch))
    with store.changing():
        while batch := _left(store, _BATCH):  # those that were written since the last look
            _embed(store, new, batch)
        _change_places(store, new)
        store.vectors = new


def _begun(store: Store, new: Embeddings) -> bool:
    """Writes down where the move goes; returns whether there is anything to do."""
    with store.database.writing() as connection:
        known = dict(rows(connection, "SELECT key, value FROM meta WHERE key IN ('embedder', ?)", _NEXT))
        if known.get("embedder") == new.made_by:
            return False
        if known.get(_NEXT) != new.made_by:  # an interrupted move to somewhere else
            connection.execute(next_embedding.delete())
            connection.execute(meta.delete().where(meta.c.key == _NEXT))
            connection.execute(meta.insert().values(key=_NEXT, value=new.made_by))
    return True


def _left(store: Store, most: int) -> list[Note]:
    """Returns notes that have no new vector yet."""
    return store.notes.select(note.c.num.not_in(select(next_embedding.c.note)), limit=most)


def _embed(store: Store, new: Embeddings, batch: Sequence[Note]) -> None:
    try:
        new.stage([spoken(item) for item in batch])
        made = new.staged()
        with store.database.writing() as connection:
            there = store.notes.by_num([item.num for item in batch])  # some may have been forgotten meanwhile
            new.keep(connection, next_embedding, [(num, made[spoken(item)]) for num, item in there.items()])
    finally:
        new.unstage()


def _change_places(store: Store, new: Embeddings) -> None:
    with store.database.writing() as connection:
        new.clear()
        columns = [embedding.c.note, embedding.c.vector]
        connection.execute(embedding.insert().from_select(columns, select(next_embedding)))
        connection.execute(next_embedding.delete())
        run(connection, "DELETE FROM meta WHERE key IN ('embedder', ?)", _NEXT)
        connection.execute(meta.insert().values(key="embedder", value=new.made_by))
