"""The step of the demo in which a small model answers: without memory, with words in its prompt, with attention."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from .chat import MINI_CAN
from .plain import cut, one_line
from .screen import table, waiting
from .steps import Stage, Told

if TYPE_CHECKING:
    from ...engines.chat import Message
    from ...engines.local_model import LocalModel
    from ...sdk.memory import Memory

__all__ = ["answer"]

_HOME = "My home is in Lisbon."
_NOTES = (_HOME, "My dog is called Bolt.", "Mia is my sister.", "I work as a baker.")
_ASKED = ("Where does Ada live?", "What is Ada's dog called?", "What is Ada's job?")
_MOVED = "My home is in Porto."


def answer(_: Stage) -> Told:
    """Asks a model that knows nothing else about four notes; revises one, forgets it, and asks again.

    The notes are in a memory of their own, so that the dialogue's stays as it is.
    """
    from rich.text import Text

    from ...engines.local_model import LocalModel
    from ...engines.mini import MINI
    from ...sdk.memory import Memory

    model = LocalModel(MINI)
    with (
        waiting("answering"),
        TemporaryDirectory(prefix="tercet-demo-") as folder,
        Memory(Path(folder) / "memory", scope="ada") as memory,
    ):
        home = memory.write_many([{"text": text, "speaker": "Ada"} for text in _NOTES])[0]
        answers = [_answered(model, memory, question, "") for question in _ASKED]
        moved = memory.revise(home.id, _MOVED)
        answers.append(_answered(model, memory, _ASKED[0], "revised"))
        memory.forget(moved.id)
        answers.append(_answered(model, memory, _ASKED[0], "forgotten"))
    rows = [tuple(row.values()) for row in answers]
    return Told(
        [
            f"Ada said: {' '.join(_NOTES)} Then: {_MOVED}",
            table("", "question", "no memory", "in the prompt", "in attention", rows=rows),
            Text(MINI_CAN, "yellow"),
        ],
        {"notes": list(_NOTES), "revised": _MOVED, "answers": answers},
    )


def _answered(model: LocalModel, memory: Memory, question: str, after: str) -> dict[str, str]:
    """Returns what the model says to a question in three ways."""
    from ...engines.prompt import compose
    from ...sdk.dialogue import SYSTEM

    recall = memory.read(question, k=4)

    def said(messages: Sequence[Message]) -> str:
        return cut(one_line(model.generate(messages, max_tokens=16)), 30)

    alone = compose(SYSTEM, [], question, "")
    with recall.attend(model):
        attended = said(alone)
    return {
        "after": after,
        "question": question,
        "no memory": said(alone),
        "in the prompt": said(compose(SYSTEM, [], question, recall.prompt())),
        "in attention": attended,
    }
