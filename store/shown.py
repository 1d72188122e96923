"""Values as messages show them."""

from __future__ import annotations

__all__ = ["shown"]

_LONGEST = 60


def shown(value: object) -> str:
    """Returns a value as Python writes it, cut short, for a message.

    Python refuses to write out whole numbers of over 4,300 digits; those are named by their type.
    """
    try:
        return repr(value)[:_LONGEST]
    except ValueError:
        return f"a value of type {type(value).__name__} that is too long to write out"
