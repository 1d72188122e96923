"""What a language model is to the rest of Tercet: something that counts tokens and answers messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ..store.errors import EngineError

__all__ = ["ChatModel", "Message", "NoRoom", "StructuredModel", "Tokens", "drained"]


class NoRoom(EngineError):
    """A prompt or an answer does not fit into the tokens that there are.

    Attributes:
        answer: what there is of a cut answer, closed so that it parses where the model was held to JSON; empty where
            the prompt left no room.
    """

    answer = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: ``"system"``, ``"user"`` or ``"assistant"``.
        content: the words.
    """

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a model read and said, in its own tokens.

    Attributes:
        prompt: everything before the answer.
        answer: those of the answer's words; the token that ends a turn is none of them.
    """

    prompt: tuple[int, ...]
    answer: tuple[int, ...]


class ChatModel(Protocol):
    """A language model, local or behind an endpoint."""

    @property
    def name(self) -> str:
        """Returns what the model is called."""
        ...

    def count(self, text: str) -> int:
        """Returns the length of ``text`` in the model's tokens."""
        ...

    def generate(self, messages: Sequence[Message], *, max_tokens: int = 256) -> str:
        """Returns the model's next turn, at most ``max_tokens`` tokens of it.

        Raises:
            EngineError: the model could not answer.
        """
        ...

    def stream(self, messages: Sequence[Message], *, max_tokens: int = 256) -> Iterator[str]:
        """Yields the model's next turn piece by piece; the pieces together are what `generate` returns.

        A generator that returns `Tokens` lets a `Dialogue` say what each memory in attention did for the answer.

        Raises:
            EngineError: the model could not answer.
        """
        ...


@runtime_checkable
class StructuredModel(Protocol):
    """A language model whose answer can be held to JSON."""

    def generate_json(
        self, messages: Sequence[Message], *, name: str, fields: Sequence[str], max_tokens: int = 256
    ) -> str:
        """Returns the next turn, held as far as the model allows to ``{name: [{field: "…", …}, …]}``.

        Raises:
            EngineError: the model could not answer.
        """
        ...


def drained(stream: Iterator[str], take: Callable[[str], None]) -> Tokens | None:
    """Hands every piece of a `ChatModel.stream` on, and returns the tokens that it returns, None if it does not."""
    while True:
        try:
            piece = next(stream)
        except StopIteration as end:
            return end.value if isinstance(end.value, Tokens) else None
        take(piece)
