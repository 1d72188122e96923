"""Notes for tests of what reads them: Ada's, of May 2024, unless told otherwise."""

from __future__ import annotations

from dataclasses import replace

from tercet.store.note import Note

__all__ = ["note"]

_ADAS = Note(
    num=1,
    id="0123456789abcdef",
    text="",
    scope="ada",
    speaker="Ada",
    source="",
    thread="",
    position=0,
    happened="2024-05-01",
    known="2024-05-02T10:00:00",
    origin="user",
    metadata={},
    facts=(),
    key=None,
    retired=None,
    replaces=None,
)


def note(text: str, *, speaker: str = "Ada", happened: str = "2024-05-01") -> Note:
    """Returns a note with these words."""
    return replace(_ADAS, text=text, speaker=speaker, happened=happened)
