"""What a reader of a file gives: drafts, checked one by one, each with a key that makes a second import harmless."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any

from ...store.draft import checked_draft
from ...store.errors import InvalidInput, LimitExceeded
from ...store.shown import shown

__all__ = ["Drafts", "drafted", "moment", "origin_of"]

_MILLISECONDS = 10**11  # from here on (the year 5138) a number counts thousandths of a second
_ORIGINS = {
    "user": "user",
    "human": "user",
    "assistant": "model",
    "gpt": "model",
    "chatgpt": "model",
    "bing": "model",
    "bard": "model",
    "model": "model",
    "function_call": "model",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "function_response": "tool",
}


class Drafts:
    """The drafts of one file: mappings with the keywords of ``Memory.write``.

    Iterating reads the file, and reads it anew each time; nothing of it is kept here.

    Attributes:
        file: what is read.
        skipped: how many things were left out, by what they are, for example ``{"system prompts": 2}``; complete
            once an iteration has come to its end.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        read: Callable[[Path, Counter[str]], Iterator[Mapping[str, object]]],
    ) -> None:
        self.file = Path(path)
        self.skipped: Counter[str] = Counter()
        self._read = read

    def __iter__(self) -> Iterator[Mapping[str, object]]:
        self.skipped.clear()
        return self._read(self.file, self.skipped)


def drafted(values: Mapping[str, object], *, product: str, id: object, where: str) -> Mapping[str, object]:
    """Returns a checked draft with its idempotency key.

    The key is made of the product, the id and all that the draft holds: the same thing is never written twice, and
    one that has changed in the other product since is a new note instead of an error.

    Args:
        values: keywords of ``Memory.write``; empty ones are left out.
        product: where it comes from, such as ``"mem0"``.
        id: what tells it apart there, as a JSON value.
        where: its place in the file, for messages.

    Raises:
        InvalidInput: a value that cannot be stored.
        LimitExceeded: a value over its limit.
    """
    kept: dict[str, Any] = {name: value for name, value in values.items() if value not in (None, "", [], {})}
    try:
        checked_draft(**{"text": "", **kept}, scope="any")
    except (InvalidInput, LimitExceeded) as error:
        raise type(error)(f"{where}: {error}") from error
    content = json.dumps([id, kept], sort_keys=True)
    return {**kept, "key": f"{product}:{hashlib.sha256(content.encode()).hexdigest()[:32]}"}


def moment(value: object, where: str) -> str:
    """Returns a time stamp as ISO 8601 text: seconds or milliseconds since 1970 are converted, text is kept.

    Raises:
        InvalidInput: neither a number nor a text, or a number outside the years 1 to 9999.
    """
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidInput(f"{where}: a time stamp is a number of seconds or ISO 8601 text, not {shown(value)}")
    try:
        seconds = value / 1000 if abs(value) >= _MILLISECONDS else value
        return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()
    except (ValueError, OverflowError, OSError):
        raise InvalidInput(f"{where}: the time stamp {shown(value)} is no moment of the years 1 to 9999") from None


def origin_of(role: object) -> str:
    """Returns the origin of what somebody in this role said; ``"import"`` if the role is not a known one."""
    return _ORIGINS.get(role.lower(), "import") if isinstance(role, str) else "import"
