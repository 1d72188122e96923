"""The tables, once, for every database.

``note`` and ``change`` are the truth; all other tables are derived from them and can be dropped and rebuilt.
A change holds no content, so it survives forgetting without betraying anything.
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

__all__ = [
    "change",
    "embedding",
    "form",
    "mention",
    "meta",
    "metadata",
    "note",
    "record",
    "relation",
    "triplet",
]

metadata = MetaData()

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
    Column("seq", Integer, primary_key=True),
    Column("op", String, nullable=False),  # write, revise, undo, forget
    Column("num", Integer, nullable=False),
    Column("note", String, nullable=False, index=True),
    Column("lineage", String, nullable=False, index=True),
    Column("scope", String, nullable=False),
    Column("at", String, nullable=False, index=True),
)

note = Table(
    "note",
    metadata,
    Column("num", Integer, primary_key=True),  # the number of the change that wrote it
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
    Column("lineage", String, nullable=False, index=True),  # id of the first note of its revisions
    Column("previous", Integer, index=True),  # num of the turn before it
    UniqueConstraint("scope", "key"),
    Index("note_scope", "scope", "retired"),
    Index("note_thread", "scope", "thread", "position"),
)

embedding = Table(
    "embedding",
    metadata,
    Column("note", Integer, ForeignKey("note.num", ondelete="CASCADE"), primary_key=True),
    Column("vector", LargeBinary, nullable=False),  # float32, little endian, unit length
)

triplet = Table(
    "triplet",
    metadata,
    Column("num", Integer, primary_key=True),
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
    sqlite_autoincrement=True,
)

relation = Table(
    "relation",
    metadata,
    Column("name", String, primary_key=True),  # folded
    Column("single", Integer, nullable=False),
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
    sqlite_with_rowid=False,
)
