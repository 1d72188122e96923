"""What runs a model: words into forms, memories into a prompt or into attention.

Importing this loads neither torch nor transformers; the first use of a local model or embedder does.
"""

from .calls.engine import CallEngine
from .cross_encoder import CrossEncoder
from .embedder import CallableEmbedder, HubEmbedder, MiniLM
from .endpoint import EndpointModel
from .extraction import FactReader
from .local_model import LocalModel
from .rerank import LateInteraction, Reranker
from .rules import RuleExtractor
from .screening import PatternScreen

__all__ = [
    "CallEngine",
    "CallableEmbedder",
    "CrossEncoder",
    "EndpointModel",
    "FactReader",
    "HubEmbedder",
    "LateInteraction",
    "LocalModel",
    "MiniLM",
    "PatternScreen",
    "Reranker",
    "RuleExtractor",
]
