"""What every command works with: which memory, whose, and how to answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...store.errors import AdapterError
from .plain import safe_json
from .screen import waiting

if TYPE_CHECKING:
    from ...sdk.memory import Memory

__all__ = ["Session"]


@dataclass(frozen=True, slots=True)
class Session:
    """The options that every command has.

    Attributes:
        location: the memory's folder.
        scope: whose memory.
        vectors: whether vectors are made and vote.
        embedder: folder or hub name of the model that makes them; empty for the default.
        screen: what to do with secrets in what is written: ``"off"``, ``"refuse"`` or ``"redact"``.
        as_json: answer in JSON.
    """

    location: str
    scope: str
    vectors: bool
    embedder: str
    screen: str
    as_json: bool

    def open(self, *, new: bool = False) -> Memory:
        """Opens the memory, to be closed by a ``with`` block.

        Args:
            new: make it if it does not exist; only commands that put something in do.

        Raises:
            AdapterError: there is no memory at this place.
        """
        if not new and "://" not in self.location and not (Path(self.location) / "memory.db").exists():
            raise AdapterError(
                f"there is no memory at {self.location}; write something first, "
                "or say where it is with --memory or TERCET_MEMORY"
            )
        with waiting("opening"):
            from ...engines import HubEmbedder, MiniLM, PatternScreen
            from ...sdk.memory import Memory  # here, so that --help does not wait for the database's modules

            screen = None if self.screen == "off" else PatternScreen("redact" if self.screen == "redact" else "refuse")
            if not self.vectors:
                return Memory(self.location, scope=self.scope, embedder=None, screen=screen)
            embedder = HubEmbedder(self.embedder) if self.embedder else MiniLM()
            return Memory(self.location, scope=self.scope, embedder=embedder, screen=screen)

    def answer(self, value: object) -> None:
        """Prints a value as JSON."""
        click.echo(safe_json(value))
