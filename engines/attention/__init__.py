"""Memories as explicit keys and values in a model's attention: exact, or refused.

Importing this package loads neither torch nor transformers; the first use of one of its names does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .recipe import EXACT, SMALL, Recipe
from .report import Attention, Effects, GateReport, Shares

if TYPE_CHECKING:
    from .engine import AttentionEngine, attention_engine
    from .examination import gate

__all__ = [
    "EXACT",
    "SMALL",
    "Attention",
    "AttentionEngine",
    "Effects",
    "GateReport",
    "Recipe",
    "Shares",
    "attention_engine",
    "gate",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import engine, examination

    return getattr(examination if name == "gate" else engine, name)
