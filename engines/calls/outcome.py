"""What came of a call, and how a model is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .grammar import Call, format_call, format_name

__all__ = ["Outcome", "Status", "format_outcome"]

Status = Literal["found", "written", "known", "unclear", "nothing", "too many", "cut", "repeated", "refused"]
_TOLD = frozenset({"found", "written", "known", "unclear"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call.

    Attributes:
        call: as it was made.
        status: ``"found"``; ``"written"``, or ``"known"`` where the fact was there already; ``"unclear"`` where a
            name may mean several; ``"nothing"``; ``"too many"`` values; ``"cut"`` where a limit had ended the call;
            ``"repeated"``; ``"refused"`` by the memory.
        values: what a read found; of an unclear name, what it may mean.
        used: the call as it was carried out, if names in it were not as the memory spells them.
        notes: ids of the notes that say so, or of the one that was written.
        why: what the memory said when it refused.
    """

    call: Call
    status: Status
    values: tuple[str, ...] = ()
    used: Call | None = None
    notes: tuple[str, ...] = ()
    why: str = ""

    @property
    def told(self) -> bool:
        """Whether the model gets to see it; else it goes on as if it had not called."""
        return self.status in _TOLD


def format_outcome(outcome: Outcome) -> str:
    r"""Returns what follows a call in the model's context: one line, in which no name can end anything.

    For example `` -> [Lisbon]``, `` -> [which? Ada Byron; Ada Lovelace]``, or with a name that was spelt otherwise
    `` -> MEM_READ(Ada >> lives in >> ?) -> [Lisbon]``.
    """
    values = "; ".join(map(format_name, outcome.values))
    words = {"found": values, "unclear": f"which? {values}", "nothing": "nothing"}
    used = f" -> {format_call(outcome.used)}" if outcome.used else ""
    return f"{used} -> [{words.get(outcome.status, outcome.status)}]\n"
