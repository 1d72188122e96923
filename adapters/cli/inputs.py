"""What a person types or pipes in, turned into what the library takes."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterator
from typing import IO

import click

from ...store.errors import InvalidInput, LimitExceeded

__all__ = ["fact", "json_object", "known", "lines_of", "text_of"]

_PIECE = 1 << 20


def text_of(argument: str) -> str:
    """Returns the argument itself, or all of standard input for ``-``, without its last line break.

    Raises:
        InvalidInput: standard input is not UTF-8.
        LimitExceeded: standard input is longer than any text can be.
    """
    if argument != "-":
        return argument
    from ...store.draft import TEXT_LIMIT

    data = sys.stdin.buffer.read(TEXT_LIMIT + _PIECE)
    if len(data) >= TEXT_LIMIT + _PIECE:
        raise LimitExceeded(
            f"standard input has over {TEXT_LIMIT:,} bytes, the limit of a text; split it, or use write --lines"
        )
    text = _decoded(data, "standard input")
    return text.removesuffix("\n").removesuffix("\r")


def lines_of(stream: IO[bytes], name: str, *, limit: int) -> Iterator[str]:
    """Yields the lines of a UTF-8 stream without their line breaks.

    Raises:
        InvalidInput: not UTF-8.
        LimitExceeded: a line of more than ``limit`` bytes, which is never read whole.
    """
    place = 0
    while data := stream.readline(limit + 2):
        place += 1
        if len(data.rstrip(b"\r\n")) > limit:
            raise LimitExceeded(f"line {place} of {name} has over {limit:,} bytes")
        yield _decoded(data.removesuffix(b"\n").removesuffix(b"\r"), f"line {place} of {name}")


def fact(argument: str) -> tuple[str, str, str]:
    """Returns ``subject|relation|object`` as three texts.

    Raises:
        click.BadParameter: not three parts.
    """
    parts = [part.strip() for part in argument.split("|")]
    if len(parts) != 3 or not all(parts):
        raise click.BadParameter(f"{argument!r} is not 'subject|relation|object'", param_hint="'--fact'")
    return parts[0], parts[1], parts[2]


def json_object(argument: str | None) -> dict[str, object] | None:
    """Returns the value of ``--metadata``.

    Raises:
        click.BadParameter: not a JSON object.
    """
    if argument is None:
        return None
    from ...store.strict_json import loads_strict

    try:
        value = loads_strict(argument)
    except InvalidInput as error:
        raise click.BadParameter(str(error), param_hint="'--metadata'") from None
    if not isinstance(value, dict):
        raise click.BadParameter('it must be a JSON object such as {"lang": "en"}', param_hint="'--metadata'")
    return value


def known(argument: str | None) -> str | int | None:
    """Returns what ``--known-at`` means: a moment, or the number in ``change:12``.

    Raises:
        click.BadParameter: ``change:`` without a number.
    """
    if argument is None or not argument.startswith("change:"):
        return argument
    number = argument.removeprefix("change:")
    if not (number.isascii() and number.isdigit() and len(number) < 20):
        raise click.BadParameter(f"{argument!r}: the number of a change follows the colon", param_hint="'--known-at'")
    return int(number)


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name} is not UTF-8 (byte {error.start}); convert it first") from None
