"""A real HTTP server on the loopback interface that answers like an OpenAI-compatible one, or as badly as asked."""

from __future__ import annotations

import json
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

__all__ = ["ChatServer", "Reply", "event"]

Turn = dict[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server sends back, byte for byte.

    Attributes:
        body: the whole body, or pieces that are sent one by one in HTTP chunks.
        cut: close the connection without the last HTTP chunk, as a dying server does.
        hang: send nothing after the body (without a body: nothing at all), and leave the connection open until the
            server is closed.
    """

    body: bytes | Sequence[bytes] = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    hang: bool = False


def event(content: str | None = None, *, finish: str | None = None) -> bytes:
    """Returns one event of a streamed completion."""
    delta = {} if content is None else {"content": content}
    chunk = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


class ChatServer:
    """Answers ``POST /v1/chat/completions`` with `model`, after the scripted `replies` are used up.

    Attributes:
        url: the base URL, ending in ``/v1``.
        replies: sent first, each once.
        requests: the body of every request, oldest first.
        headers: the headers of every request, names in lower case.
    """

    def __init__(self, *replies: Reply, model: Callable[[list[Turn]], str] = lambda turns: "ok") -> None:
        self.replies = deque(replies)
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._model = model
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler_for(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Reply:
        request = json.loads(body)
        self.requests.append(request)
        self.headers.append(headers)
        if self.replies:
            return self.replies.popleft()
        if not path.startswith("/v1/chat/completions"):
            return Reply(b'{"error": {"message": "no such path"}}', status=404)
        text = self._model(request["messages"])
        if request.get("stream"):
            words = [event(word) for word in text.split(" ")[:1]]
            words += [event(f" {word}") for word in text.split(" ")[1:]]
            return Reply(
                [*words, event(finish="stop"), b"data: [DONE]\n\n"], headers={"Content-Type": "text/event-stream"}
            )
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        whole = {"object": "chat.completion", "model": request["model"], "choices": [choice]}
        return Reply(json.dumps(whole).encode())

    def wait_until_closed(self) -> None:
        self._closing.wait(30)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Leaves out the traceback of a client that went away, which many tests want it to do."""
        if not isinstance(sys.exception(), ConnectionError):
            traceback.print_exc()


def _handler_for(chat: ChatServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            reply = chat.answer(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            self.close_connection = reply.cut or reply.hang
            if reply.hang and not reply.body:
                chat.wait_until_closed()
                return
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            if isinstance(reply.body, bytes) and not (reply.cut or reply.hang):
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)
                return
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in [reply.body] if isinstance(reply.body, bytes) else reply.body:
                if piece:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            if reply.hang:
                chat.wait_until_closed()
            elif not reply.cut:
                self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *args: object) -> None:
            """Keeps the test's output clean."""

    return Handler
