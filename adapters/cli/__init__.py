"""The command line: ``tercet``."""

from .app import main

__all__ = ["main"]
