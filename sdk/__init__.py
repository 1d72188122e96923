"""The face of the library: Memory, what it returns, and a dialogue that remembers."""

from .memory import Memory
from .recall import Recall, Recollection, Why
from .receipt import Receipt, Step

__all__ = ["Memory", "Recall", "Receipt", "Recollection", "Step", "Why"]
