"""JSON from outside, read strictly: no key twice, no NaN, no bottomless nesting."""

from __future__ import annotations

import json

from .errors import InvalidInput

__all__ = ["loads_strict"]

_DEEPEST = 64


def loads_strict(text: str) -> object:
    """Returns the value of a JSON text.

    Raises:
        InvalidInput: not JSON, a key that stands twice in one object, NaN or infinity, a number that is too long, or
            nesting deeper than 64.
    """
    depth = deepest = 0
    inside = escaped = False
    for character in text:  # the parser itself recurses, so depth is checked before it
        if inside:
            inside = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            inside = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    if deepest > _DEEPEST:
        raise InvalidInput(f"the JSON is nested {deepest} deep, the limit is {_DEEPEST}")
    try:
        value: object = json.loads(text, object_pairs_hook=_once, parse_constant=_refused)
    except InvalidInput:
        raise
    except ValueError as error:
        raise InvalidInput(f"this is no JSON: {error}") from None
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInput(f"the key {twice[:40]!r} stands twice in one JSON object")
    return found


def _refused(constant: str) -> object:
    raise InvalidInput(f"{constant} is no JSON number")
