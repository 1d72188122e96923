"""The face of the library: Memory, what it returns, and a dialogue that remembers."""

from ..store.near import Tiers
from ..store.quotas import Limit
from .calls import Calls
from .dialogue import Dialogue, Reply
from .extracting import Extraction, ExtractionCost
from .history import Event, FormState, Stats
from .memory import Memory
from .recall import Recall, Recollection, Why
from .receipt import Receipt, Step
from .summarising import Session
from .timeline import Timeline

__all__ = [
    "Calls",
    "Dialogue",
    "Event",
    "Extraction",
    "ExtractionCost",
    "FormState",
    "Limit",
    "Memory",
    "Recall",
    "Receipt",
    "Recollection",
    "Reply",
    "Session",
    "Stats",
    "Step",
    "Tiers",
    "Timeline",
    "Why",
]
