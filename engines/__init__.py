"""What runs a model: words into forms, memories into a prompt or into attention.

Importing this loads neither torch nor transformers; the first use of a local model or embedder does.
"""

from .calls.engine import CallEngine
from .embedder import CallableEmbedder, HubEmbedder, MiniLM
from .endpoint import EndpointModel
from .extraction import FactReader
from .local_model import LocalModel
from .rules import RuleExtractor
from .screening import PatternScreen

__all__ = [
    "CallEngine",
    "CallableEmbedder",
    "EndpointModel",
    "FactReader",
    "HubEmbedder",
    "LocalModel",
    "MiniLM",
    "PatternScreen",
    "RuleExtractor",
]
