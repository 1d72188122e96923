"""A server that does not run a model, and counts what a serving engine's prefix cache would have saved it.

It speaks the OpenAI protocol on the loopback interface. Prompts are laid out by a chat template and cut into tokens;
answers are scripted. What was read and said is kept in two caches without end: vLLM's, whose blocks of 16 tokens are
known by a hash over their tokens and all before them, and SGLang's, a radix tree over tokens. Neither skips a prompt's
last token, whose logits the first token of the answer needs.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

__all__ = ["BlockCache", "PrefixServer", "RadixCache", "Seen", "Turn"]

Turn = dict[str, str]
_BLOCK = 16


class BlockCache:
    """vLLM's automatic prefix caching: whole blocks, known by what is in them and by all before them."""

    def __init__(self) -> None:
        self._known: set[int] = set()

    def hits(self, tokens: Sequence[int]) -> int:
        """Returns how many tokens at the front of a prompt need not be computed."""
        found = 0
        for key in _blocks(tokens[:-1]):
            if key not in self._known:
                break
            found += _BLOCK
        return found

    def add(self, tokens: Sequence[int]) -> None:
        """Keeps the whole blocks of what was computed."""
        self._known.update(_blocks(tokens))


def _blocks(tokens: Sequence[int]) -> list[int]:
    keys, before = [], 0
    for end in range(_BLOCK, len(tokens) + 1, _BLOCK):
        before = hash((before, tuple(tokens[end - _BLOCK : end])))
        keys.append(before)
    return keys


@dataclass(slots=True)
class _Node:
    """A run of tokens, and what follows it by its first token."""

    run: list[int]
    after: dict[int, _Node] = field(default_factory=dict)


class RadixCache:
    """SGLang's radix tree: any number of tokens at the front."""

    def __init__(self) -> None:
        self._root = _Node([])

    def hits(self, tokens: Sequence[int]) -> int:
        """Returns how many tokens at the front of a prompt need not be computed."""
        node, found, wanted = self._root, 0, tokens[:-1]
        while found < len(wanted) and (after := node.after.get(wanted[found])) is not None:
            same = _same(after.run, wanted[found:])
            found += same
            if same < len(after.run):
                break
            node = after
        return found

    def add(self, tokens: Sequence[int]) -> None:
        """Keeps all that was computed."""
        node, start = self._root, 0
        while start < len(tokens):
            after = node.after.get(tokens[start])
            if after is None:
                node.after[tokens[start]] = _Node(list(tokens[start:]))
                return
            same = _same(after.run, tokens[start:])
            if same < len(after.run):  # cut the run in two where the ways part
                node.after[tokens[start]] = upper = _Node(after.run[:same])
                after.run = after.run[same:]
                upper.after[after.run[0]] = after
                after = upper
            node, start = after, start + same


def _same(run: Sequence[int], tokens: Sequence[int]) -> int:
    return next(
        (place for place, (a, b) in enumerate(zip(run, tokens, strict=False)) if a != b), min(len(run), len(tokens))
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """One request.

    Attributes:
        prompt: tokens of it.
        blocks: of these, what vLLM would not compute.
        radix: what SGLang would not.
    """

    prompt: int
    blocks: int
    radix: int


class PrefixServer:
    """Answers ``POST /v1/chat/completions``, and counts.

    Args:
        tokens: cuts a text into tokens.
        answer: what is said to these turns.

    Attributes:
        url: the base URL, ending in ``/v1``.
        seen: every request, oldest first.
    """

    def __init__(self, tokens: Callable[[str], list[int]], answer: Callable[[list[Turn]], str]) -> None:
        self.seen: list[Seen] = []
        self._tokens, self._answer = tokens, answer
        self._blocks, self._radix = BlockCache(), RadixCache()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.reply))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def reply(self, turns: list[Turn]) -> str:
        """Returns the answer to a prompt, having counted it."""
        prompt = self._tokens(_laid_out(turns, open_end=True))
        self.seen.append(Seen(len(prompt), self._blocks.hits(prompt), self._radix.hits(prompt)))
        answer = self._answer(turns)
        whole = self._tokens(_laid_out([*turns, {"role": "assistant", "content": answer}], open_end=False))
        for cache in (self._blocks, self._radix):
            cache.add(whole)
        return answer


def _laid_out(turns: Sequence[Turn], *, open_end: bool) -> str:
    """Returns turns in the layout of ChatML, which many models use."""
    text = "".join(f"<|im_start|>{turn['role']}\n{turn['content']}<|im_end|>\n" for turn in turns)
    return f"{text}<|im_start|>assistant\n" if open_end else text


def _handler(reply: Callable[[list[Turn]], str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            text = reply(request["messages"])
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream" if request.get("stream") else "application/json")
            self.end_headers()
            if not request.get("stream"):
                message = {"role": "assistant", "content": text}
                choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
                self.wfile.write(json.dumps({"choices": choices}).encode())
                return
            for delta, end in (({"content": text}, None), ({}, "stop")):
                chunk = {"choices": [{"index": 0, "delta": delta, "finish_reason": end}]}
                self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
            self.wfile.write(b"data: [DONE]\n\n")

        def log_message(self, format: str, *args: object) -> None:
            """Keeps the table clean."""

    return Handler
