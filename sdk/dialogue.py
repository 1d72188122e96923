"""A dialogue that remembers: reads before it answers, writes what was said."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..engines.chat import ChatModel, Message
from ..engines.prompt import compose
from ..store.draft import checked_text
from ..store.errors import InvalidInput, UnsupportedModel
from ..store.note import Note
from .memory import Memory
from .recall import Recall

if TYPE_CHECKING:
    from ..engines.attention import Attention

__all__ = ["Dialogue", "Reply"]

_SYSTEM = "You are a helpful assistant who remembers what the user has said before."
_MOST_TURNS = 24


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, and what it stands on.

    Attributes:
        text: what the model said.
        recall: the memories it was given, best first.
        attention: how much of the attention each of them got, in the recall's order, 0..1; what is missing to one
            went to the prompt. None when the memories were words in the prompt.
        note: what the user said, as it was written to memory.
    """

    text: str
    recall: Recall
    attention: tuple[float, ...] | None
    note: Note


class Dialogue:
    """A conversation with a model that remembers.

    Args:
        memory: where it reads and writes.
        model: a `LocalModel` or an `EndpointModel`, or anything with their methods.
        attend: put memories into the model's attention instead of its prompt; needs a `LocalModel`.
        k: most memories for one answer.
        budget: most tokens of the block of memories in the prompt.
        speaker: who the user is, as written in the notes.
        system: the system prompt; the same for every turn.
        thread: the conversation's name in memory; a new one when left out.
        max_tokens: longest answer, in tokens.

    Raises:
        UnsupportedModel: ``attend`` with a model that does not run here, or that the injection gate refused.
    """

    def __init__(
        self,
        memory: Memory,
        model: ChatModel,
        *,
        attend: bool = False,
        k: int = 5,
        budget: int = 800,
        speaker: str = "user",
        system: str = _SYSTEM,
        thread: str | None = None,
        max_tokens: int = 256,
    ) -> None:
        if attend and not hasattr(model, "attention"):
            raise UnsupportedModel(
                f"{model.name} does not run in this process, so nothing can be put into its attention; "
                "use attend=False, or a LocalModel"
            )
        self._memory = memory
        self._model = model
        self._attend = attend
        self._k = k
        self._budget = budget
        self._speaker = speaker
        self._system = system
        self._thread = thread or f"dialogue-{secrets.token_hex(4)}"
        self._max_tokens = max_tokens
        self._history: list[Message] = []
        self._shown: list[str] = []  # ids of the notes that stand in the history as words

    def say(self, text: str, *, on_text: Callable[[str], None] | None = None) -> Reply:
        """Answers one turn of the user; both turns are remembered when it returns.

        Args:
            text: what the user says.
            on_text: called with each piece of the answer as it comes.

        Raises:
            InvalidInput: there is nothing in the text.
            EngineError: the model could not answer; the user's words are remembered all the same.
        """
        if not checked_text(text, "the text").strip():
            raise InvalidInput("the text is empty; there is nothing to answer")
        recall = self._recall(text)
        note = self._remember(text, self._speaker, "user")
        attention: Attention | None
        with recall.attend(self._model) if self._attend and recall else nullcontext() as attention:
            messages = compose(self._system, self._history, text, "" if self._attend else self._block(recall))
            pieces = []
            for piece in self._model.stream(messages, max_tokens=self._max_tokens):
                pieces.append(piece)
                if on_text:
                    on_text(piece)
        answer = "".join(pieces)
        self._history += [Message("user", text), Message("assistant", answer)]
        self._shown.append(note.id)
        if answer.strip():
            self._shown.append(self._remember(answer, "assistant", "model").id)
        self._shorten()
        return Reply(answer, recall, attention.masses if attention else None, note)

    def _recall(self, text: str) -> Recall:
        """Memories that do not stand in the history anyway."""
        found = self._memory.read(text, k=self._k + len(self._shown))
        return found.without(self._shown)[: self._k]

    def _block(self, recall: Recall) -> str:
        return recall.prompt(budget=self._budget, count=self._model.count)

    def _remember(self, text: str, speaker: str, origin: str) -> Note:
        now = datetime.now(UTC).replace(tzinfo=None)
        return self._memory.write(text, speaker=speaker, origin=origin, thread=self._thread, happened=now)

    def _shorten(self) -> None:
        """Drops the older half of a long history.

        Dropping a turn at a time would change the prompt's first tokens at every turn, and break the serving
        engine's cache with them.
        """
        if len(self._history) > _MOST_TURNS:
            del self._history[: len(self._history) // 4 * 2]
            del self._shown[: len(self._shown) // 2]
