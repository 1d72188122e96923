r"""Calls as text: how a model says that it wants to read or write one fact.

::

    MEM_READ(Ada >> lives in >> ?)          what does Ada live in?
    MEM_READ(? >> lives in >> Lisbon)       who lives in Lisbon?
    MEM_READ(Ada >> ? >> Lisbon)            what is Lisbon to Ada?
    MEM_WRITE(Ada >> lives in >> Lisbon)

Blanks around a side do not count. In a name the characters ``\ ( ) < > [ ] ; ?`` are written with a backslash before
them, a line end as ``\n``, and whatever a person could not see, or a blank at an end, as ``\u`` and six hexadecimal
digits. So a name can end neither its side nor its call, and spells no tag, no link and no token of a chat template.
Quotes mean nothing: they are part of a name.

Source: the forms are those of RET-LLM (Modarressi et al., 2023) and MemLLM (2024), in our own spelling; asking for the
relation is added, as is the escaping, which neither has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ...store.errors import InvalidInput
from ...store.shown import shown
from ..prompt import INVISIBLE

__all__ = ["ESCAPED", "OPENERS", "Call", "Verb", "find_calls", "format_call", "format_name", "is_plain", "parse_call"]

Verb = Literal["read", "write"]
OPENERS: dict[Verb, str] = {"read": "MEM_READ(", "write": "MEM_WRITE("}
ESCAPED = "\\()<>[];?"
"""What stands in a name only behind a backslash."""

_INVISIBLE = re.compile(f"[{INVISIBLE}]")
_NAME = r"(?:[^\\()<>\[\];?]|\\[\\()<>\[\];?n]|\\u[0-9A-Fa-f]{6})+"
_SIDE = rf"({_NAME}|[ ]*\?[ ]*)"  # blanks are taken off later: two loops over them would take quadratic time
_CALL = re.compile(rf"(MEM_READ|MEM_WRITE)\({_SIDE}>>{_SIDE}>>{_SIDE}\)", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{6})|(.))")
_OPENING = re.compile(r"MEM_(?:READ|WRITE)\(")
_TO_ITS_END = re.compile(r"(?:[^\\)]|\\.)*\)?", re.DOTALL)
_HOW = (
    "write MEM_READ(subject >> relation >> object) with ? for the one side that is asked for, or "
    "MEM_WRITE(subject >> relation >> object)"
)


@dataclass(frozen=True, slots=True)
class Call:
    """A fact to be read or written.

    Attributes:
        verb: ``"read"`` or ``"write"``.
        subject: a name, or None if it is what a read asks for.
        relation: likewise.
        object: likewise.

    Raises:
        InvalidInput: not exactly one side of a read is None, a side of a write is, or a name is empty.
    """

    verb: Verb
    subject: str | None
    relation: str | None
    object: str | None

    def __post_init__(self) -> None:
        asked = self.sides.count(None)
        if self.verb not in OPENERS or asked != (self.verb == "read"):
            raise InvalidInput(f"a {shown(self.verb)} with {asked} sides asked for; {_HOW}")
        if "" in self.sides:
            raise InvalidInput(f"a side of the call is empty: {shown(self.sides)}; {_HOW}")

    @property
    def sides(self) -> tuple[str | None, str | None, str | None]:
        """Subject, relation, object."""
        return self.subject, self.relation, self.object


def is_plain(char: str) -> bool:
    """Returns whether a character stands for itself in a name."""
    return char.isprintable() and char not in ESCAPED and not _INVISIBLE.match(char)


def format_name(name: str) -> str:
    """Returns a name as it stands in a call and in its results.

    Raises:
        InvalidInput: a lone surrogate, which is no character.
    """
    written = []
    for place, char in enumerate(name):
        if char in ESCAPED:
            written.append(f"\\{char}")
        elif char == "\n":
            written.append("\\n")
        elif is_plain(char) and not (char == " " and place in (0, len(name) - 1)):
            written.append(char)
        elif "\ud800" <= char <= "\udfff":
            raise InvalidInput(f"the name holds a lone surrogate at character {place}; decode the text again as UTF-8")
        else:
            written.append(f"\\u{ord(char):06x}")
    return "".join(written)


def format_call(call: Call) -> str:
    """Returns a call as text, which `parse_call` reads back to the same call."""
    sides = " >> ".join("?" if side is None else format_name(side) for side in call.sides)
    return f"{OPENERS[call.verb]}{sides})"


def parse_call(text: str) -> Call:
    """Returns the call that a text is; blanks around it do not count.

    Raises:
        InvalidInput: it is none; the message says how one is written.
    """
    found = _CALL.fullmatch(text.strip(" \n"))
    if not found:
        raise InvalidInput(f"{shown(text)} is no call; {_HOW}; names escape {ESCAPED} with a backslash")
    verb: Verb = "read" if found[1] == "MEM_READ" else "write"
    sides = (side.strip(" ") for side in found.groups()[1:])
    return Call(verb, *(None if side == "?" else _name(side) for side in sides))


def find_calls(text: str) -> list[str]:
    """Returns every call that a text begins, from its first word to its closing bracket or the end of the text."""
    found, start = [], 0
    while opening := _OPENING.search(text, start):
        rest = _TO_ITS_END.match(text, opening.end())
        start = rest.end() if rest else opening.end()
        found.append(text[opening.start() : start])
    return found


def _name(written: str) -> str:
    plain = _ESCAPE.sub("", written)
    unseen = next((char for char in plain if not is_plain(char)), None)
    if unseen is not None:
        raise InvalidInput(
            f"a name of a call holds U+{ord(unseen):04X}, which nobody can see; write it as \\u{ord(unseen):06x}"
        )
    return _ESCAPE.sub(_meant, written)


def _meant(escape: re.Match[str]) -> str:
    if escape[1] is None:
        return "\n" if escape[2] == "n" else escape[2]
    code = int(escape[1], 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise InvalidInput(f"{escape[0]} is no character")
    return chr(code)
