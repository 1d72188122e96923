"""Whether memories were used: one question, answered from memories in a model's attention, and what each did for it."""

from __future__ import annotations

from dataclasses import dataclass

from ..engines.attention.report import Effects, Shares
from ..engines.chat import ChatModel, drained
from ..engines.prompt import compose
from ..store.draft import checked_text
from ..store.errors import InvalidInput, UnsupportedModel
from .arguments import checked_count
from .dialogue import SYSTEM
from .memory import Memory
from .recall import Recall

__all__ = ["Attribution", "attribute"]

_MOST_MEMORIES = 500
_MOST_TOKENS = 2**31


@dataclass(frozen=True, slots=True)
class Attribution:
    """An answer, and what each memory in the model's attention did for it.

    Attributes:
        recall: the memories, best first.
        answer: what the model said.
        attention: how much of the attention each memory got, in the recall's order; by layer and by head too.
        effects: how much likelier each memory made the answer; None where nothing was said or nothing recalled.
    """

    recall: Recall
    answer: str
    attention: Shares
    effects: Effects | None


def attribute(
    memory: Memory, model: ChatModel, question: str, *, k: int = 5, max_tokens: int = 256, system: str = SYSTEM
) -> Attribution:
    """Asks a model a question with memories in its attention, and finds out which of them it used.

    Nothing is written. The answer is the one that a new `Dialogue(attend=True)` would give.

    Args:
        memory: the handle.
        model: a `LocalModel`.
        question: what is asked.
        k: most memories, 1 to 500.
        max_tokens: longest answer, in tokens.
        system: the system prompt.

    Raises:
        UnsupportedModel: the model does not run in this process, or the injection gate refused it.
        InvalidInput: nothing is asked, or a number is out of its range.
        EngineError: the model could not answer.
    """
    if not hasattr(model, "attention"):
        raise UnsupportedModel(
            f"{model.name} does not run in this process, so nobody sees its attention; use a LocalModel"
        )
    if not checked_text(question, "the question").strip():
        raise InvalidInput("the question is empty; there is nothing to answer")
    most = checked_count(max_tokens, "max_tokens", _MOST_TOKENS)
    recall = memory.read(question, k=checked_count(k, "k", _MOST_MEMORIES))
    messages = compose(system, [], question, "")
    pieces: list[str] = []
    if not recall:
        drained(model.stream(messages, max_tokens=most), pieces.append)
        return Attribution(recall, "".join(pieces), Shares(), None)
    with recall.attend(model) as attention:
        tokens = drained(model.stream(messages, max_tokens=most), pieces.append)
        effects = attention.effects(tokens.prompt, tokens.answer) if tokens and tokens.answer else None
    return Attribution(recall, "".join(pieces), attention.masses, effects)
