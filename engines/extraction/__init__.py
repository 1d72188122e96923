"""Facts out of notes by a language model: asked in batches, held to JSON, and believed only where the note says so."""

from .answer import Refusal
from .reader import FactReader, Reading

__all__ = ["FactReader", "Reading", "Refusal"]
