"""Finds out what a file is, by how it begins."""

from __future__ import annotations

import re
from pathlib import Path

from ...store.errors import InvalidInput
from .sqlite_rows import columns, is_sqlite

__all__ = ["sniffed"]

_PEEK = 1 << 16  # bytes
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)(?:"(\s*:)?|\\?\Z)|[\[\]{}]', re.DOTALL)
_MARKS = {
    "tercet": ({"tercet"},),
    "locomo": ({"conversation"}, {"qa"}, {"sample_id"}),
    "mem0": ({"memory"}, {"results"}, {"memories"}),
    "mcp": ({"type", "entityType"}, {"type", "relationType"}, {"entities", "relations"}),
    "chat": ({"conversations"}, {"messages"}, {"mapping"}, {"role", "content"}),
}


def sniffed(file: Path) -> str:
    """Returns what a file is, by the names of ``tercet import --format``.

    Raises:
        InvalidInput: none of them, or it could be several; the message names the file.
    """
    if is_sqlite(file):
        if {"prefix", "key", "value"} <= columns(file, "store"):
            return "langgraph"
        if {"memory_id", "new_memory"} <= columns(file, "history"):
            return "mem0"
        raise _unknown(file)
    with file.open("rb") as stream:
        head = stream.read(_PEEK).decode(errors="replace").removeprefix("\ufeff").lstrip()
    listed = head.startswith("[")
    if not listed and not head.startswith("{"):
        raise _unknown(file)
    names = _names(head, 2 if listed else 1)
    if listed and not names:
        return "locomo"  # an empty list, or a broken one: its reader says so
    found = [form for form, marks in _MARKS.items() if any(mark <= names for mark in marks)]
    if not listed and "locomo" in found:
        found.remove("locomo")  # such a file is a list
    if len(found) > 1:
        raise InvalidInput(f"{file} could be {' or '.join(found)}; say which with --format")
    if not found:
        raise _unknown(file)
    return found[0]


def _names(head: str, first: int) -> set[str]:
    """Returns the names of the first object's fields, as far as the head goes.

    Args:
        head: of the file.
        first: how many brackets are open inside that object.
    """
    depth, names = 0, set()
    for token in _TOKEN.finditer(head):
        if token[0] in ("[", "{"):
            depth += 1
        elif token[0] in ("]", "}"):
            depth -= 1
            if depth < first:
                break
        elif token[2] and depth == first:
            names.add(token[1])
    return names


def _unknown(file: Path) -> InvalidInput:
    return InvalidInput(
        f"{file} is neither a Tercet export (JSON Lines after a header), a LoCoMo dialogue file, memories of mem0, "
        "a LangGraph store, a file of the MCP memory server, nor a chat log; --format says what it is"
    )
