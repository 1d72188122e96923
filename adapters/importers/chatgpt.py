"""Reads a conversation of ChatGPT's data export (``conversations.json``).

A conversation is a tree: ``mapping`` names nodes ``{"id", "message", "parent", "children"}``, and ``current_node`` is
the last one of the path that the person sees. Other paths are earlier versions of an edited question or of an answer
that was made again. The format is not documented; this is what exports of 2023 to 2026 hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from pydantic import TypeAdapter

from ...store.errors import InvalidInput
from ...store.shown import shown
from .drafts import drafted, moment, origin_of
from .shapes import Row, validated

__all__ = ["read_conversation"]

_SHOWN = ("text", "multimodal_text")


class _Author(Row):
    role: str
    name: str | None = None


class _Content(Row):
    content_type: str
    parts: list[object] | None = None


class _Message(Row):
    id: str
    author: _Author
    content: _Content
    create_time: int | float | None = None
    weight: int | float | None = None
    recipient: str | None = None
    metadata: dict[str, object] | None = None


class _Node(Row):
    message: _Message | None = None
    parent: str | None = None
    children: list[str] | None = None


_TREE = TypeAdapter(dict[str, _Node])
_NAME = TypeAdapter(str | None)


def read_conversation(
    value: Mapping[str, object], thread: str, begun: str, where: str, skipped: Counter[str]
) -> Iterator[Mapping[str, object]]:
    """Yields the turns that the person sees, as drafts, in the order they were said.

    Args:
        value: the conversation.
        thread: its id.
        begun: when it began, for messages without a time of their own.
        where: its place in the file, for messages to people.
        skipped: counts what is left out: system prompts, hidden messages (custom instructions are such), calls
            of tools, thoughts and other turns without words for people, and turns of abandoned branches.

    Raises:
        InvalidInput: another shape, a node that does not exist, or a circle of nodes.
    """
    tree = validated(_TREE, value["mapping"], f"{where}: mapping")
    path = _path(tree, validated(_NAME, value.get("current_node"), f"{where}: current_node"), where)
    abandoned = sum(node.message is not None and _why_not(node.message) is None for node in tree.values())
    for name in path:
        message = tree[name].message
        if message is None:
            continue
        reason = _why_not(message)
        if reason is not None:
            skipped[reason] += 1
            continue
        abandoned -= 1
        at = f"{where}: mapping[{shown(name)}]"
        yield drafted(
            {
                "text": _words(message),
                "speaker": message.author.name or message.author.role,
                "source": f"{thread}:{message.id}",
                "thread": thread,
                "happened": moment(message.create_time, at) or begun,
                "origin": origin_of(message.author.role),
            },
            product="chatgpt",
            id=[thread, message.id],
            where=at,
        )
    if abandoned:
        skipped["turns of abandoned branches"] += abandoned


def _path(tree: Mapping[str, _Node], last: str | None, where: str) -> list[str]:
    """Returns the nodes from the first to the current one; without a current one, along the newest children."""
    if not tree:
        return []
    if last is None:
        last = next((name for name, node in tree.items() if node.parent is None), None)
        if last is None:
            raise InvalidInput(f"{where}: mapping has no first node (one without a parent)")
        seen = {last}
        while children := tree[last].children:
            last = _there(tree, children[-1], seen, where)
    path = [_there(tree, last, set(), where)]
    seen = {last}
    while (parent := tree[path[-1]].parent) is not None:
        path.append(_there(tree, parent, seen, where))
    return path[::-1]


def _there(tree: Mapping[str, _Node], name: str, seen: set[str], where: str) -> str:
    if name not in tree:
        raise InvalidInput(f"{where}: mapping has no node {shown(name)}, to which another one leads")
    if name in seen:
        raise InvalidInput(f"{where}: mapping goes in a circle at node {shown(name)}")
    seen.add(name)
    return name


def _why_not(message: _Message) -> str | None:
    """Returns why nothing of a message is to be remembered, or None if something is."""
    if message.author.role in ("system", "developer"):
        return "system prompts"
    if message.weight == 0 or (message.metadata or {}).get("is_visually_hidden_from_conversation") is True:
        return "hidden messages"
    if message.recipient not in (None, "all"):
        return "calls of tools"
    if message.content.content_type not in _SHOWN or not _words(message).strip():
        return "turns without words"
    return None


def _words(message: _Message) -> str:
    """Returns the text of a message; a picture stands as ``[image_asset_pointer]``, speech as its transcription."""
    words = []
    for part in message.content.parts or ():
        if isinstance(part, dict):
            text = part.get("text")
            words.append(text if isinstance(text, str) else f"[{part.get('content_type', 'attachment')}]")
        elif isinstance(part, str) and part:
            words.append(part)
    return "\n".join(words)
