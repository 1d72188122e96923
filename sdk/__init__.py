"""The face of the library: Memory, what it returns, and a dialogue that remembers."""

from ..store.quotas import Limit
from .calls import Calls
from .dialogue import Dialogue, Reply
from .history import Event, FormState, Stats
from .memory import Memory
from .recall import Recall, Recollection, Why
from .receipt import Receipt, Step
from .timeline import Timeline

__all__ = [
    "Calls",
    "Dialogue",
    "Event",
    "FormState",
    "Limit",
    "Memory",
    "Recall",
    "Receipt",
    "Recollection",
    "Reply",
    "Stats",
    "Step",
    "Timeline",
    "Why",
]
