"""Tercet gives an agent a memory it can write, read and forget.

The face is small: `Memory` remembers, `Dialogue` talks and remembers. Errors are in `tercet.store.errors`; models
and embedders in `tercet.engines`. Importing this loads no model, opens nothing, and waits for nothing: what a name
needs is loaded when the name is first used.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tercet.sdk import Dialogue, Memory, Recall, Receipt, Reply
    from tercet.store.errors import TercetError
    from tercet.store.note import Fact, Note

__version__ = "0.1.0"
__all__ = ["Dialogue", "Fact", "Memory", "Note", "Recall", "Receipt", "Reply", "TercetError", "__version__"]

_HOMES = {"TercetError": "tercet.store.errors", "Fact": "tercet.store.note", "Note": "tercet.store.note"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'tercet' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES.get(name, "tercet.sdk")), name)
