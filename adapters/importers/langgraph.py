"""Reads a SQLite file of LangGraph's ``SqliteStore``, langmem's memories included.

Format: langgraph-checkpoint-sqlite 2 and 3. Table ``store`` has ``prefix`` (the namespace, its labels joined by dots;
no label holds a dot), ``key``, ``value`` (a JSON object), ``created_at`` and ``updated_at`` in UTC, and since 2.0.8
``expires_at``. langmem writes ``{"content": …}`` and ``{"kind": …, "content": …}``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path

from ...store.draft import checked_moment
from ...store.errors import InvalidInput, LimitExceeded
from ...store.shown import shown
from ...store.strict_json import loads_strict
from .drafts import Drafts, drafted
from .sqlite_rows import columns, rows

__all__ = ["read_langgraph"]

_NEEDED = ("prefix", "key", "value", "created_at", "updated_at")
_WORDS = ("text", "content", "memory", "data", "page_content", "fact", "summary")


def read_langgraph(path: str | PathLike[str]) -> Drafts:
    """Reads the items of a LangGraph store as drafts.

    The text is the first of the value's ``text``, ``content``, ``memory``, ``data``, ``page_content``, ``fact`` and
    ``summary`` that holds words, itself or deeper; else the whole value as JSON. ``happened`` is ``created_at``.
    Namespace, key, ``updated_at`` and what else the value holds are in the note's metadata. Items whose time to live
    has passed are left out, though the store may not have swept them yet.

    Raises:
        InvalidInput: while iterating, for anything else than such a file; the message names the item.
        LimitExceeded: while iterating, for a value that is larger than a documented limit.
    """
    return Drafts(path, _read)


def _read(file: Path, skipped: Counter[str]) -> Iterator[Mapping[str, object]]:
    there = columns(file, "store")
    if not there.issuperset(_NEEDED):
        raise InvalidInput(f"{file}: it has no table store with {', '.join(_NEEDED)}; is it a SqliteStore's file?")
    names = [*_NEEDED, *(["expires_at"] if "expires_at" in there else [])]
    now = checked_moment(datetime.now(UTC), "now")
    for number, row in enumerate(rows(file, "store", names), start=1):
        where = f"{file}: table store, row {number}"
        for name in ("prefix", "key"):
            if not isinstance(row[name], str):
                raise InvalidInput(f"{where}: {name} should be a text, not {shown(row[name])}")
        where = f"{where} ({shown(row['key'])} in {shown(row['prefix'])})"
        value = _value(row["value"], where)
        until = _at(row.get("expires_at"), "expires_at", where)
        if until and until <= now:
            skipped["expired items"] += 1
        elif not value:
            skipped["empty items"] += 1
        else:
            yield _draft(row, value, where)


def _draft(row: Mapping[str, object], value: dict[str, object], where: str) -> Mapping[str, object]:
    words, rest = _words(value) or (json.dumps(value, ensure_ascii=False, sort_keys=True), {})
    metadata: dict[str, object] = {"namespace": str(row["prefix"]).split("."), "key": row["key"]}
    if row["updated_at"] != row["created_at"]:
        metadata["updated_at"] = _at(row["updated_at"], "updated_at", where)
    if rest:
        metadata["value"] = rest
    return drafted(
        {
            "text": words,
            "source": f"langgraph:{row['prefix']}",
            "happened": _at(row["created_at"], "created_at", where),
            "origin": "import",
            "metadata": metadata,
        },
        product="langgraph",
        id=[row["prefix"], row["key"]],
        where=where,
    )


def _value(stored: object, where: str) -> dict[str, object]:
    try:
        text = stored.decode() if isinstance(stored, bytes) else stored  # the store writes JSON as a blob
        value = loads_strict(text) if isinstance(text, str) else text
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{where}: value is not UTF-8 (byte {error.start})") from None
    except InvalidInput as error:
        raise InvalidInput(f"{where}: value: {error}") from None
    if not isinstance(value, dict):
        raise InvalidInput(f"{where}: value should be a JSON object, not {shown(value)}")
    return value


def _words(value: dict[str, object]) -> tuple[str, dict[str, object]] | None:
    """Returns the words of a value and what else it holds; None if none of its fields is known to hold words."""
    for name in _WORDS:
        found = value.get(name)
        rest = {other: given for other, given in value.items() if other != name}
        if isinstance(found, str) and found.strip():
            return found, rest
        if isinstance(found, dict) and (deeper := _words(found)) is not None:
            return deeper[0], {**rest, name: deeper[1]} if deeper[1] else rest
    return None


def _at(value: object, what: str, where: str) -> str:
    try:
        return checked_moment(value, what)
    except (InvalidInput, LimitExceeded) as error:
        raise InvalidInput(f"{where}: {error}") from None
