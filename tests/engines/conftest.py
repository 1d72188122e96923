"""The default embedder, loaded once, and a model behind a server that answers as scripted."""

from collections.abc import Iterator

import pytest
from chat_server import ChatServer, Reply  # type: ignore[import-not-found]
from endpoint_cases import Connect  # type: ignore[import-not-found]

from tercet.engines import endpoint
from tercet.engines.embedder import MiniLM
from tercet.engines.endpoint import EndpointModel


@pytest.fixture(scope="session")
def minilm() -> MiniLM:
    return MiniLM()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries, which are not waited for."""
    seen: list[float] = []
    monkeypatch.setattr(endpoint, "sleep", seen.append)
    return seen


@pytest.fixture
def connect(pauses: list[float]) -> Iterator[Connect]:
    """Starts a server with these replies and returns a model that asks it."""
    opened: list[tuple[EndpointModel, ChatServer]] = []

    def start(*replies: Reply, retries: int = 2, timeout: float = 5.0, api_key: str | None = None):  # type: ignore[no-untyped-def]
        server = ChatServer(*replies, model=lambda turns: f"You said: {turns[-1]['content']}").__enter__()
        model = EndpointModel(server.url, "qwen3", retries=retries, timeout=timeout, api_key=api_key)
        opened.append((model, server))
        return model, server

    yield start
    for model, server in opened:
        model.close()
        server.__exit__(None, None, None)
