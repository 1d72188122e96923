"""The objects of a JSON file, one after the other: of a list, of JSON Lines, or the only one.

The file is read piece by piece; no more than one object is held at a time.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...store.errors import InvalidInput, LimitExceeded
from ...store.shown import shown
from ...store.strict_json import loads_strict

__all__ = ["RECORD_LIMIT", "Record", "records"]

RECORD_LIMIT = 64 * 2**20
"""Largest object of a file, in characters."""
_PIECE = 1 << 20
_MARK = re.compile(r'\\.|["\[\]{}]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Record:
    """One object of a file.

    Attributes:
        where: its place, for messages: ``"talk.json: record 3 (line 12)"``.
        value: the object.
    """

    where: str
    value: dict[str, object]


def records(file: Path) -> Iterator[Record]:
    """Yields the objects of a file that is a JSON list, JSON Lines, or one JSON object.

    Raises:
        InvalidInput: the file cannot be read, is empty, is not UTF-8, ends in the middle, or holds something else
            than objects; or an object is not strict JSON.
        LimitExceeded: an object has over 64 Mi characters.
    """
    for number, (line, text) in enumerate(_Objects(file), start=1):
        where = f"{file}: record {number} (line {line})"
        try:
            value = loads_strict(text)
        except InvalidInput as error:
            raise InvalidInput(f"{where}: {error}") from None
        if not isinstance(value, dict):
            raise InvalidInput(f"{where}: an object is expected, not {shown(value)}")
        yield Record(where, value)


class _Objects:
    """Cuts a file into the texts of its objects, each with the line in which it begins."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._listed = False  # whether the objects stand in a list
        self._closed = False  # whether that list has ended
        self._count = 0
        self._line = 1

    def __iter__(self) -> Iterator[tuple[int, str]]:
        depth, inside = 0, False  # of brackets, the list's own left out; inside a string
        begun, size, parts, gap = 1, 0, list[str](), ""
        for piece in _pieces(self._file):
            place = seen = 0  # up to here it is taken; up to here its lines are counted
            for mark in _MARK.finditer(piece):
                sign = mark[0]
                if inside:
                    inside = sign != '"'
                elif sign == '"':
                    inside = depth > 0  # a string between objects is refused as part of the gap
                elif sign in "[{":
                    if not depth:
                        self._line, seen = self._line + piece.count("\n", seen, mark.start()), mark.start()
                        gap, place = gap + piece[place : mark.start()], mark.start()
                        if self._opens(sign, gap.strip()):
                            gap, place = "", mark.end()
                            continue
                        begun, gap = self._line, ""
                    depth += 1
                elif sign in "]}" and depth:
                    depth -= 1
                    if not depth:
                        yield begun, "".join((*parts, piece[place : mark.end()]))
                        parts, size, place = [], 0, mark.end()
                        self._count += 1
                elif sign == "]":
                    self._close((gap + piece[place : mark.start()]).strip())
                    gap, place = "", mark.end()
            self._line += piece.count("\n", seen)
            if depth:
                parts.append(piece[place:])
                size += len(parts[-1])
                if size > RECORD_LIMIT:
                    raise LimitExceeded(
                        f"{self._file}: record {self._count + 1} (line {begun}) has over {RECORD_LIMIT:,} characters"
                    )
            else:
                gap = (gap + piece[place:]).strip()
                if len(gap) > 1:
                    raise self._refusal(gap)
        self._end(depth, gap, begun)

    def _opens(self, sign: str, gap: str) -> bool:
        """Returns whether this bracket opens the list of all objects; otherwise it opens an object."""
        first = not self._count and not self._listed
        if sign == "[" and first and not gap:
            self._listed = True
            return True
        if self._closed or gap != ("," if self._listed and self._count else ""):
            raise self._refusal(gap + sign)
        if sign == "[":
            raise self._refusal(sign)
        return False

    def _close(self, gap: str) -> None:
        if not self._listed or self._closed or gap:
            raise self._refusal(gap + "]")
        self._closed = True

    def _end(self, depth: int, gap: str, begun: int) -> None:
        if depth:
            raise InvalidInput(
                f"{self._file}: the file ends in the middle of record {self._count + 1} (line {begun}); "
                "is it whole, and is it JSON?"
            )
        if gap:
            raise self._refusal(gap)
        if self._listed and not self._closed:
            raise InvalidInput(f"{self._file}: the list is not closed after record {self._count}; is the file whole?")
        if not self._listed and not self._count:
            raise InvalidInput(f"{self._file}: the file is empty")

    def _refusal(self, found: str) -> InvalidInput:
        after = f"after record {self._count} " if self._count else ""
        return InvalidInput(
            f"{self._file}: line {self._line}: {after}a JSON object is expected, not {shown(found[:60])}"
        )


def _pieces(file: Path) -> Iterator[str]:
    """Yields the text of a file in pieces, none of which ends between a backslash and what it escapes."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    done, rest = 0, ""
    try:
        with file.open("rb") as stream:
            while data := stream.read(_PIECE):
                piece = rest + decoder.decode(data)
                done += len(data)
                cut = len(piece) - (len(piece) - len(piece.rstrip("\\"))) % 2
                rest = piece[cut:]
                yield piece[:cut]
        yield rest + decoder.decode(b"", final=True)
    except OSError as error:
        raise InvalidInput(f"{file}: it cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{file}: it is not UTF-8 (near byte {done + error.start}); is it JSON?") from None
