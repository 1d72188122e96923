r"""Stored text, made safe to print.

Whoever wrote a memory must not be able to move the cursor, recolour the screen, turn the reading order around, or
hide words from the person who looks. So whatever cannot be seen is printed as an escape, ``\x1b`` or ``\u202e``.
"""

from __future__ import annotations

import json
import re
import unicodedata

__all__ = ["cut", "one_line", "plain", "safe_json", "safe_line"]

# Nothing to see, although Python calls them printable: Unicode's Default_Ignorable_Code_Point, and the blank
# Braille pattern. U+FE0F stays: it only asks for the coloured form of an emoji.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0e\uffa0\U000e0000-\U000e0fff]"
)


def plain(text: str) -> str:
    """Returns the text with control, bidi, zero-width, tag and other invisible characters as escapes.

    Line breaks stay; tabs become blanks.
    """
    return _escaped(text.replace("\r\n", "\n").replace("\t", "    "), keep="\n")


def one_line(text: str) -> str:
    """Returns the text as `plain` does, in one line: every run of blanks and line breaks is one blank."""
    return _escaped(" ".join(re.split("[ \t\n]+", text.replace("\r\n", "\n").strip(" \t\n"))), keep="")


def cut(text: str, most: int) -> str:
    """Returns at most so many characters of a text, with an ellipsis where some are missing."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def safe_json(value: object, *, indent: int | None = 2) -> str:
    """Returns JSON in which everything invisible is escaped; it reads back to exactly the same value."""
    return safe_line(json.dumps(value, ensure_ascii=False, indent=indent))


def safe_line(text: str) -> str:
    """Returns JSON text with everything invisible in its strings as JSON escapes."""
    return "".join(char if _visible(char) or char == "\n" else _json_escape(char) for char in text)


def _escaped(text: str, *, keep: str) -> str:
    if text.isprintable() and not _INVISIBLE.search(text):
        return text
    return "".join(char if char in keep or _visible(char) else _escape(char) for char in text)


def _visible(char: str) -> bool:
    return (char.isprintable() or unicodedata.category(char) == "Zs") and not _INVISIBLE.match(char)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
