"""What the tests of `EndpointModel` ask, and how they read its complaints."""

import json
from collections.abc import Callable

import pytest
from chat_server import ChatServer  # type: ignore[import-not-found]

from tercet.engines.chat import Message
from tercet.engines.endpoint import EndpointModel
from tercet.store.errors import EndpointError

__all__ = ["ASK", "KEY", "STREAM", "Connect", "complaint", "completion"]

ASK = [Message("system", "Be brief."), Message("user", "Where does Ada live? 東京?")]
KEY = "sk-very-secret-0123456789"
STREAM = {"Content-Type": "text/event-stream; charset=utf-8"}

Connect = Callable[..., tuple[EndpointModel, ChatServer]]


def complaint(model: EndpointModel, *, streaming: bool = False) -> str:
    with pytest.raises(EndpointError) as caught:
        "".join(model.stream(ASK)) if streaming else model.generate(ASK)
    return str(caught.value)


def completion(content: object) -> bytes:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]}).encode()
