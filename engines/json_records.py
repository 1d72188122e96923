"""One JSON object that holds a list of records of strings: ``{"facts": [{"subject": "…", …}, …]}``, byte by byte.

The language is regular: a text stands in a fixed part, inside a string, or at a choice. From everywhere there is a
shortest way to the end, so whoever generates can be held to a length.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["END", "Records", "Spot", "schema_of"]

_QUOTE, _ESCAPE, _CLOSE = ord('"'), ord("\\"), ord("]")
_ESCAPED = frozenset(b'"\\/nt')
_FIRST, _MORE, END = -1, -2, -3
"""Where a record or the end of the list may come, the first time and later, and where the object is whole."""


class Spot(NamedTuple):
    """Where a text stands.

    Attributes:
        owed: bytes that must come next.
        node: what comes after them: the number of an open string, or one of the choices below.
        escaping: whether the last byte of that string began an escape.
    """

    owed: bytes
    node: int
    escaping: bool = False


def schema_of(name: str, fields: Sequence[str]) -> dict[str, object]:
    """Returns the JSON schema of records."""
    record = {
        "type": "object",
        "properties": {field: {"type": "string"} for field in fields},
        "required": list(fields),
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {name: {"type": "array", "items": record}},
        "required": [name],
        "additionalProperties": False,
    }


class Records:
    """The texts of such an object, with one blank after each colon and comma, and no other.

    Args:
        name: of the list.
        fields: of a record, in their order.
    """

    def __init__(self, name: str, fields: Sequence[str]) -> None:
        named = [json.dumps(field).encode() + b': "' for field in fields]
        self._record = b"{" + named[0]
        self._between = [b", " + field for field in named[1:]]
        self.start = Spot(b"{" + json.dumps(name).encode() + b": [", _FIRST)
        self.longest_end = len(self.start.owed + self._record + b"".join(self._between)) + 2 * len(fields) + 8
        """No shortest end has more bytes."""

    def step(self, spot: Spot, byte: int) -> Spot | None:
        """Returns the place after one more byte, or None if it may not come."""
        if spot.owed:
            return Spot(spot.owed[1:], spot.node) if byte == spot.owed[0] else None
        if spot.node >= 0:
            return self._inside(spot, byte)
        if spot.node == END:
            return None
        if byte == _CLOSE:
            return Spot(b"}", END)
        begun = self._record if spot.node == _FIRST else b", " + self._record
        return Spot(begun[1:], 0) if byte == begun[0] else None

    def closing(self, spot: Spot) -> bytes:
        """Returns the shortest text that leads from a place to the end."""
        rest = spot.owed + (b"n" if spot.escaping else b"")
        if spot.node == END:
            return rest
        if spot.node >= 0:
            rest += b'"' + b"".join(between + b'"' for between in self._between[spot.node :]) + b"}"
        return rest + b"]}"

    def _inside(self, spot: Spot, byte: int) -> Spot | None:
        if spot.escaping:
            return Spot(b"", spot.node) if byte in _ESCAPED else None
        if byte == _ESCAPE:
            return spot._replace(escaping=True)
        if byte != _QUOTE:
            return spot if byte >= 0x20 and byte != 0x7F else None
        last = spot.node == len(self._between)
        return Spot(b"}", _MORE) if last else Spot(self._between[spot.node], spot.node + 1)
