"""Readers of other products' files: each turns one file into drafts for ``Memory.write_many``."""

from .chat import read_chat
from .drafts import Drafts
from .langgraph import read_langgraph
from .mcp import read_mcp
from .mem0 import read_mem0
from .sniff import sniffed
from .users import per_user

__all__ = [
    "Drafts",
    "per_user",
    "read_chat",
    "read_langgraph",
    "read_mcp",
    "read_mem0",
    "sniffed",
]
