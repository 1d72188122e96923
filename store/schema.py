"""The tables, once, for every database.

``note`` and ``change`` are the truth, with what people have said beside them: ``derived``, ``alias``, ``relation``,
``quota``. All other tables are made of these and can be dropped and rebuilt.
A change holds no content, so it survives forgetting without betraying anything.
"""

from __future__ import annotations

import sqlalchemy
from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, LargeBinary, MetaData, Table

from .halfvec import HalfVector

__all__ = [
    "alias",
    "change",
    "derived",
    "embedding",
    "extraction",
    "form",
    "mention",
    "meta",
    "metadata",
    "next_embedding",
    "note",
    "quota",
    "record",
    "relation",
    "triplet",
]

metadata = MetaData()

# One meaning in both databases: characters compare by their bytes, numbers have 64 bits, vectors are half precision.
String = sqlalchemy.String().with_variant(sqlalchemy.String(collation="C"), "postgresql")
Text = sqlalchemy.Text().with_variant(sqlalchemy.Text(collation="C"), "postgresql")
Integer = sqlalchemy.Integer().with_variant(BigInteger(), "postgresql")
Vector = LargeBinary().with_variant(HalfVector(), "postgresql")

meta = Table("meta", metadata, Column("key", String, primary_key=True), Column("value", Text, nullable=False))

form = Table(
    "form",
    metadata,
    Column("name", String, primary_key=True),
    Column("applied", Integer, nullable=False),
)

change = Table(
    "change",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("op", String, nullable=False),  # write, revise, undo, quarantine, release, forget
    Column("num", Integer, nullable=False),
    Column("note", String, nullable=False),
    Column("lineage", String, nullable=False),
    Column("scope", String, nullable=False),
    Column("at", String, nullable=False),
)
# a write's number is its note's own: only what happens to a note later has to be looked up
_later = change.c.num != change.c.seq
Index("change_num", change.c.num, sqlite_where=_later, postgresql_where=_later)

note = Table(
    "note",
    metadata,
    Column("num", Integer, primary_key=True, autoincrement=False),  # the number of the change that wrote it
    Column("id", String, nullable=False, unique=True),
    Column("scope", String, nullable=False),
    Column("text", Text, nullable=False),
    Column("speaker", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("thread", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("happened", String, nullable=False),
    Column("known", String, nullable=False),
    Column("origin", String, nullable=False),
    Column("metadata", Text, nullable=False),  # JSON object
    Column("facts", Text, nullable=False),  # JSON list of the caller's triplets
    Column("key", String),
    Column("retired", Integer),  # change that replaced or undid it
    Column("replaces", String),  # id of the note it revised
    Column("lineage", String, nullable=False),  # id of the first note of its revisions
    Column("previous", Integer),  # num of the turn before it
    Column("held", Integer),  # change that put it in quarantine
    Index("note_scope", "scope", "retired"),
)
# most notes have no key, no thread and no earlier version: their indexes hold only those that do
for _name, _columns, _unique, _where in (
    ("note_key", ("scope", "key"), True, note.c.key.is_not(None)),
    ("note_thread", ("scope", "thread", "position"), False, note.c.thread != ""),
    ("note_lineage", ("lineage",), False, note.c.replaces.is_not(None)),
    ("note_previous", ("previous",), False, note.c.previous.is_not(None)),
):
    Index(_name, *(note.c[c] for c in _columns), unique=_unique, sqlite_where=_where, postgresql_where=_where)

derived = Table(  # which notes a note was made of, for example a summary
    "derived",
    metadata,
    Column("note", Integer, ForeignKey("note.num", ondelete="CASCADE"), primary_key=True),
    Column("parent", Integer, ForeignKey("note.num", ondelete="CASCADE"), primary_key=True, index=True),
    sqlite_with_rowid=False,
)

quota = Table(
    "quota",
    metadata,
    Column("scope", String, primary_key=True),
    Column("notes", Integer),  # most notes, every version counted; NULL for no limit
    Column("bytes", Integer),  # most bytes of text, likewise
)

embedding = Table(
    "embedding",
    metadata,
    Column("note", Integer, ForeignKey("note.num", ondelete="CASCADE"), primary_key=True),
    Column("vector", Vector, nullable=False),  # float16, little endian, unit length
)

next_embedding = Table(  # the vectors of another embedder, while the old ones still serve
    "next_embedding",
    metadata,
    Column("note", Integer, ForeignKey("note.num", ondelete="CASCADE"), primary_key=True),
    Column("vector", Vector, nullable=False),
)

triplet = Table(
    "triplet",
    metadata,
    Column("num", Integer, primary_key=True, autoincrement=False),
    Column("note", Integer, ForeignKey("note.num", ondelete="CASCADE"), nullable=False, index=True),
    Column("subject", Text, nullable=False),
    Column("relation", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("s", Text, nullable=False),  # folded, see names.py
    Column("r", Text, nullable=False),
    Column("o", Text, nullable=False),
    Column("valid_from", String, nullable=False),
    Column("valid_to", String, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("extractor", String, nullable=False),
    Index("triplet_subject", "s", "r"),
    Index("triplet_object", "o", "r"),
)

extraction = Table(  # what a model read in a note, kept so that triplets can be made again without asking it again
    "extraction",
    metadata,
    Column("note", Integer, ForeignKey("note.num", ondelete="CASCADE"), primary_key=True),
    Column("model", Text, primary_key=True),
    Column("facts", Text, nullable=False),  # JSON list: triplets, each with the words; empty: it gave no usable answer
)

relation = Table(
    "relation",
    metadata,
    Column("scope", String, primary_key=True),  # where it was said: it holds there and below; empty for everywhere
    Column("name", String, primary_key=True),  # folded
    Column("single", Integer, nullable=False),
)

alias = Table(  # names that a person says are one
    "alias",
    metadata,
    Column("scope", String, primary_key=True),
    Column("name", Text, primary_key=True),  # as written
    Column("other", Text, primary_key=True),
    Column("seq", Integer, nullable=False),  # the newest change when it was said
    sqlite_with_rowid=False,
)

mention = Table(
    "mention",
    metadata,
    Column("note", Integer, ForeignKey("note.num", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),  # folded
    Column("surface", Text, nullable=False),
    sqlite_with_rowid=False,
)

record = Table(
    "record",
    metadata,
    Column("note", Integer, ForeignKey("note.num", ondelete="CASCADE"), primary_key=True),
    Column("fingerprint", String, primary_key=True),
    Column("file", String, nullable=False, unique=True),
    Column("sha256", String, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("worth", Float, nullable=False),  # see worth.py
    sqlite_with_rowid=False,
)
