"""A dialogue that remembers: reads before it answers, writes what was said."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from ..engines.attention.report import Effects, Shares
from ..engines.chat import ChatModel, Message, Tokens, drained
from ..engines.prompt import beside, compose, render
from ..engines.small_talk import worth_reading
from ..store.draft import checked_text
from ..store.errors import InvalidInput, NoteNotFound, UnsupportedModel
from ..store.note import Note
from .arguments import checked_count
from .cues import cues, merged
from .memory import Memory
from .recall import Recall

if TYPE_CHECKING:
    from ..engines.attention import Attention

__all__ = ["SYSTEM", "Dialogue", "Reply"]

SYSTEM = "You are a helpful assistant who remembers what the user has said before."
"""What a model is told first, unless a dialogue says otherwise."""
_MOST_TURNS = 12
_MOST_MEMORIES = 500  # for one answer
_MOST_TOKENS = 2**31


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, and what it stands on.

    Attributes:
        text: what the model said.
        recall: the memories it was given, best first; those that did not fit the budget are left out.
        attention: how much of the attention each of them got, in the recall's order, 0..1; what is missing to one
            went to the prompt. It also has the shares by layer and by head. None when the memories were words in the
            prompt.
        note: what the user said, as it was written to memory.
    """

    text: str
    recall: Recall
    attention: Shares | None
    note: Note
    _ablation: Callable[[], Effects] | None = field(default=None, repr=False, compare=False)

    def effects(self) -> Effects:
        """Returns how much likelier each memory made this answer, in the recall's order; runs the model again.

        Raises:
            InvalidInput: the memories were not in the model's attention, nothing was recalled or said, or one of
                the notes that the answer stood on was forgotten or set aside since.
            EngineError: the model failed.
        """
        if self._ablation is None:
            raise InvalidInput(
                "this answer has no effects to tell: no memory was in the model's attention, or the model does not "
                "say what its tokens were; use Dialogue(attend=True) with a LocalModel"
            )
        return self._ablation()


@dataclass(frozen=True, slots=True)
class _Turn:
    """What was said and answered, the ids of the notes that keep it, and the memories that stay beside it."""

    messages: tuple[Message, Message]
    notes: tuple[str, ...]
    beside: tuple[Note, ...] = ()

    @property
    def shown(self) -> list[Message]:
        """Returns the turn as it stands in the prompt."""
        return [Message("user", beside(self.messages[0].content, render(self.beside))), self.messages[1]]


class Dialogue:
    """A conversation with a model that remembers.

    Args:
        memory: where it reads and writes.
        model: a `LocalModel` or an `EndpointModel`, or anything with their methods.
        attend: put memories into the model's attention instead of its prompt; needs a `LocalModel`.
        k: most memories for one answer, 1 to 500.
        budget: most tokens of the block of memories in the prompt.
        speaker: who the user is, as written in the notes.
        system: the system prompt; the same for every turn.
        thread: the conversation's name in memory; a new one when left out.
        max_tokens: longest answer, in tokens.
        gate: whether a turn is worth a read; by default small talk and sums are not. None to read at every turn.
        keep: leave memories in the prompt beside the words that they were recalled for, instead of taking them out
            with the next turn. Then the serving engine's cache reaches to the end of the last answer, not of
            the last question, and no memory is told twice; but what is in the prompt depends on what was recalled
            before, and grows. A memory that is forgotten, set aside or revised is taken out all the same.

    Raises:
        UnsupportedModel: ``attend`` with a model that does not run here, or that the injection gate refused.
        InvalidInput: a number out of its range.
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
        system: str = SYSTEM,
        thread: str | None = None,
        max_tokens: int = 256,
        gate: Callable[[str], bool] | None = worth_reading,
        keep: bool = False,
    ) -> None:
        if attend and not hasattr(model, "attention"):
            raise UnsupportedModel(
                f"{model.name} does not run in this process, so nothing can be put into its attention; "
                "use attend=False, or a LocalModel"
            )
        self._memory = memory
        self._model = model
        self._attend = attend
        self._k = checked_count(k, "k", _MOST_MEMORIES)
        self._budget = checked_count(budget, "budget", _MOST_TOKENS, least=0)
        self._speaker = speaker
        self._system = system
        self._thread = thread or f"dialogue-{secrets.token_hex(4)}"
        self._max_tokens = checked_count(max_tokens, "max_tokens", _MOST_TOKENS)
        self._gate = gate
        self._keep = keep and not attend
        self._turns: list[_Turn] = []

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
        self._turns = [self._still(turn) for turn in self._turns if not self._forgotten(turn.notes)]
        recall = self._recall(text)
        note = self._remember(text, self._speaker, "user")
        block = ""
        if not self._attend:
            recall, block = self._as_words(recall)
        attention: Attention | None
        with recall.attend(self._model) if self._attend and recall else nullcontext() as attention:
            answer, tokens = self._answer(compose(self._system, self._history, text, block), on_text)
        stood_on = [note.id, *self._visible, *(one.id for one in recall.notes)]
        kept = [note.id]
        if answer.strip():
            kept.append(self._remember(answer, "assistant", "model").id)
        said = Message("user", text), Message("assistant", answer)
        self._turns.append(_Turn(said, tuple(kept), recall.notes if self._keep else ()))
        self._shorten()
        if not self._attend:
            return Reply(answer, recall, None, note)
        if attention is None or tokens is None or not tokens.answer:
            return Reply(answer, recall, attention.masses if attention else Shares(), note)
        return Reply(answer, recall, attention.masses, note, partial(self._effects, recall, tokens, stood_on))

    @property
    def _history(self) -> list[Message]:
        return [message for turn in self._turns for message in turn.shown]

    @property
    def _visible(self) -> set[str]:
        """The ids of notes whose words stand in the history."""
        return {id for turn in self._turns for id in (*turn.notes, *(note.id for note in turn.beside))}

    def _still(self, turn: _Turn) -> _Turn:
        """Returns a turn without the memories beside it that are not what they were."""
        gone = [note for note in turn.beside if self._changed(note.id)]
        return replace(turn, beside=tuple(note for note in turn.beside if note not in gone)) if gone else turn

    def _changed(self, id: str) -> bool:
        try:
            now = self._memory.get(id)
        except NoteNotFound:
            return True
        return now.held is not None or now.retired is not None

    def _forgotten(self, ids: Sequence[str]) -> bool:
        """Whether one of the notes was forgotten or set aside since: the model must not see its words, either."""
        try:
            return any(self._memory.get(id).held for id in ids)
        except NoteNotFound:
            return True

    def _effects(self, recall: Recall, tokens: Tokens, stood_on: Sequence[str]) -> Effects:
        if self._forgotten(stood_on):
            raise InvalidInput("a note that this answer stood on was forgotten or set aside since; ask again")
        with recall.attend(self._model) as attention:
            return attention.effects(tokens.prompt, tokens.answer)

    def _recall(self, text: str) -> Recall:
        """Returns the best memories but those in the history; none where the gate says that none can help."""
        if self._gate and not self._gate(text):
            return self._memory.nothing(text)
        said = {id for turn in self._turns for id in turn.notes}
        asked = cues(text, [turn.messages[0].content for turn in self._turns])
        found = [self._memory.read(cue, k=self._k + len(said)).without(said) for cue in asked]
        return merged(found, self._k).without(self._visible)

    def _as_words(self, recall: Recall) -> tuple[Recall, str]:
        """Returns the memories that fit the budget, and the block of them."""
        block = recall.prompt(budget=self._budget, count=self._model.count)
        fitting = next(size for size in range(len(recall), -1, -1) if recall[:size].prompt() == block)
        return recall[:fitting], block

    def _answer(self, messages: Sequence[Message], on_text: Callable[[str], None] | None) -> tuple[str, Tokens | None]:
        """Returns what the model says, and, if it tells them, the tokens of it."""
        pieces: list[str] = []

        def take(piece: str) -> None:
            pieces.append(piece.replace("\x00", "\N{REPLACEMENT CHARACTER}"))  # a NUL could not be remembered
            if on_text:
                on_text(pieces[-1])

        tokens = drained(self._model.stream(messages, max_tokens=self._max_tokens), take)
        return "".join(pieces), tokens

    def _remember(self, text: str, speaker: str, origin: str) -> Note:
        now = datetime.now(UTC).replace(tzinfo=None)
        return self._memory.write(text, speaker=speaker, origin=origin, thread=self._thread, happened=now)

    def _shorten(self) -> None:
        """Drops the older half of a long history.

        Dropping a turn at a time would change the prompt's first tokens at every turn, and break the serving
        engine's cache with them.
        """
        if len(self._turns) > _MOST_TURNS:
            # all is read anew now: what is asked about again is told again
            self._turns = [replace(turn, beside=()) for turn in self._turns[len(self._turns) // 2 :]]
