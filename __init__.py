"""Tercet gives an agent a memory it can write, read and forget."""

from tercet.sdk import Memory

__all__ = ["Memory"]
