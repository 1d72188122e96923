"""Reads plain chat logs: ShareGPT, OpenAI messages, and ChatGPT's own data export.

Formats: ``{"id", "conversations": [{"from", "value"}]}`` (ShareGPT), ``{"messages": [{"role", "content"}]}`` or the
bare list of messages (OpenAI; content is a text, a list of parts, or null), each as one object, a list of objects or
JSON Lines; and ``conversations.json`` (see `chatgpt`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path

from pydantic import TypeAdapter

from ...store.errors import InvalidInput
from .chatgpt import read_conversation
from .drafts import Drafts, drafted, moment, origin_of
from .json_records import records
from .shapes import Row, validated

__all__ = ["read_chat"]

_SYSTEM = ("system", "developer")
_TIMES = ("create_time", "created_at", "timestamp", "created")


class _Part(Row):
    type: str
    text: str | None = None
    refusal: str | None = None


class _Message(Row):
    role: str
    content: str | list[str | _Part] | None = None
    name: str | None = None
    id: str | int | None = None


_MESSAGE = TypeAdapter(_Message)
_LIST = TypeAdapter(list[dict[str, object]])
_NAME = TypeAdapter(str | int | None)


def read_chat(path: str | PathLike[str]) -> Drafts:
    """Reads the turns of conversations as drafts.

    The thread is the conversation's id, or ``"FILE-1"``, … by place where it has none; the speaker is the turn's name
    or role, ``happened`` its time stamp or else its conversation's, the source ``"THREAD:ID"``. What a model said has
    the origin ``"model"``, a tool ``"tool"``, a user ``"user"``, anybody else ``"import"``. System prompts and turns
    without words (calls of tools, for example) are left out and counted in ``skipped``.

    Raises:
        InvalidInput: while iterating, for anything else than such a file; the message names the place.
        LimitExceeded: while iterating, for a value that is larger than a documented limit.
    """
    return Drafts(path, _read)


def _read(file: Path, skipped: Counter[str]) -> Iterator[Mapping[str, object]]:
    for number, record in enumerate(records(file), start=1):
        value, where = record.value, record.where
        if "role" in value:  # the file is one conversation, a message a record
            thread = f"{file.stem}-1"
            yield from _said(value, thread, number, "", where, skipped)
            continue
        given = next((value[name] for name in ("conversation_id", "id") if value.get(name) is not None), None)
        id = validated(_NAME, given, f"{where}: id")
        thread = f"{file.stem}-{number}" if id is None else str(id)
        begun = _time(value, where)
        if "mapping" in value:
            yield from read_conversation(value, thread, begun, where, skipped)
            continue
        name = next((name for name in ("messages", "conversations") if name in value), None)
        if name is None:
            raise InvalidInput(f"{where}: it has neither messages, conversations nor a mapping; is it a chat log?")
        if value.get("system"):
            skipped["system prompts"] += 1
        turns = validated(_LIST, value[name], f"{where}: {name}")
        for place, turn in enumerate(turns, start=1):
            yield from _said(turn, thread, place, begun, f"{where}: {name}[{place - 1}]", skipped)


def _said(
    turn: dict[str, object], thread: str, place: int, begun: str, where: str, skipped: Counter[str]
) -> Iterator[Mapping[str, object]]:
    if "from" in turn and "role" not in turn:  # ShareGPT's names for the same
        rest = {name: value for name, value in turn.items() if name not in ("from", "value")}
        turn = {**rest, "role": turn["from"], "content": turn.get("value")}
    message = validated(_MESSAGE, turn, where)
    words = _words(message)
    if message.role.lower() in _SYSTEM:
        skipped["system prompts"] += 1
    elif not words.strip():
        skipped["turns without words"] += 1
    else:
        yield drafted(
            {
                "text": words,
                "speaker": message.name or message.role,
                "source": f"{thread}:{place if message.id is None else message.id}",
                "thread": thread,
                "happened": _time(turn, where) or begun,
                "origin": origin_of(message.role),
            },
            product="chat",
            id=[thread, place if message.id is None else message.id],
            where=where,
        )


def _words(message: _Message) -> str:
    """Returns the text of a message; what is no text stands as ``[image_url]``."""
    if message.content is None or isinstance(message.content, str):
        return message.content or ""
    return "\n".join(
        part if isinstance(part, str) else part.text or part.refusal or f"[{part.type}]" for part in message.content
    )


def _time(value: Mapping[str, object], where: str) -> str:
    name = next((name for name in _TIMES if value.get(name) is not None), "")
    return moment(value.get(name), f"{where}: {name}")
