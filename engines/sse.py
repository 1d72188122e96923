"""Server-sent events: bytes as they come off a socket, into the data of each event.

Follows https://html.spec.whatwg.org/multipage/server-sent-events.html for what a language model's server sends;
event names, ids and retry times are read over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

__all__ = ["events"]

# Not str.splitlines: that also breaks at U+2028 and other characters that stand inside JSON strings.
_LINE_END = re.compile(rb"\r\n|\n|\r")


def events(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yields the data of every event, its lines joined by line feeds, however the bytes are cut into chunks.

    Comments and events without data are left out. An event that the end of the stream cuts off before its blank
    line is yielded too: a server that forgets the last line feed has still said something.
    """
    data: list[bytes] = []
    for line in _lines(chunks):
        name, _, value = line.partition(b":")
        if not line and data:
            yield _text(data)
            data = []
        elif name == b"data":
            data.append(value.removeprefix(b" "))
    if data:
        yield _text(data)


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yields lines without their ends: LF, CR LF or CR."""
    parts: list[bytes] = []  # of the line that is not ended yet
    first = True
    after_return = False
    for chunk in filter(None, chunks):
        if after_return and chunk.startswith(b"\n"):  # the second half of a CR LF
            chunk = chunk[1:]
        after_return = chunk.endswith(b"\r")
        for place, part in enumerate(_LINE_END.split(chunk)):
            if place:
                line = b"".join(parts)
                yield line.removeprefix(b"\xef\xbb\xbf") if first else line
                parts, first = [], False
            parts.append(part)
    yield b"".join(parts)


def _text(data: list[bytes]) -> str:
    return b"\n".join(data).decode("utf-8", "replace")
