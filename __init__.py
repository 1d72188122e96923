"""Tercet gives an agent a memory it can write, read and forget.

The face is small: `Memory` remembers, `Dialogue` talks and remembers. Errors are in `tercet.store.errors`; models
and embedders in `tercet.engines`. Importing this loads no model and opens nothing.
"""

from tercet.sdk import Dialogue, Memory, Recall, Receipt, Reply
from tercet.store.errors import TercetError
from tercet.store.note import Fact, Note

__version__ = "0.1.0"
__all__ = ["Dialogue", "Fact", "Memory", "Note", "Recall", "Receipt", "Reply", "TercetError", "__version__"]
