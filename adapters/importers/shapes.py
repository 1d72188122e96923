"""Shapes of what files hold, and one way to say where a value has another shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ...store.errors import InvalidInput
from ...store.shown import shown

__all__ = ["Row", "validated"]

T = TypeVar("T")
_UNIONS = ("str", "int", "float")  # pydantic names the member of a union that did not fit


class Row(BaseModel):
    """An object of a file: types are strict, fields that no reader knows are kept in ``model_extra``."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)


def validated(shape: TypeAdapter[T], value: object, where: str) -> T:
    """Returns a value in its shape.

    Raises:
        InvalidInput: another shape; the message says where, and what was found.
    """
    try:
        return shape.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        given: Any = first["input"]
        got = "" if first["type"] == "missing" or isinstance(given, (dict, list)) else f", not {shown(given)}"
        message = first["msg"][0].lower() + first["msg"][1:]
        if first["type"] == "model_type":
            message = "input should be an object"  # pydantic would name a class of ours
        place = f"{_path(first['loc']).lstrip('.')}: " if first["loc"] else ""
        raise InvalidInput(f"{where}: {place}{message}{got}") from None


def _path(loc: Sequence[str | int]) -> str:
    named = [part for part in loc if part not in _UNIONS and not str(part).startswith("list[")]
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}"[:60] for part in named)
