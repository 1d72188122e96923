"""tercet-mini: the small language model that comes with Tercet. What it can and cannot do is in its README.md."""

from pathlib import Path

__all__ = ["MINI"]

MINI = Path(__file__).parent
"""The folder with its files, for `LocalModel`."""
