"""The ways of saying and asking of ``ways.toml``, those of training apart from those of testing."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from .names import Split

__all__ = ["Ways", "bare", "ways_of"]


@dataclass(frozen=True, slots=True)
class Ways:
    """Templates that mean the same, each as all that its alternatives make of it.

    Attributes:
        train: templates of training; what is a way of testing, signs and case aside, is left out.
        test: templates of testing.
    """

    train: tuple[tuple[str, ...], ...]
    test: tuple[tuple[str, ...], ...]

    def one(self, random: Random, split: Split) -> str:
        """Returns one way: any template, then any of its alternatives."""
        every = random.choice(self.train if split == "train" else self.test)
        return every[0] if len(every) == 1 else random.choice(every)


def ways_of(name: str, *, kind: str = "") -> Ways:
    """Returns the ways under a name of ``ways.toml`` such as ``"lives.told"``, with ``kind`` in them."""
    found: Any = _file()
    for part in name.split("."):
        found = found[part]
    train, test = ([tuple(_each(way.replace("{kind}", kind))) for way in found[split]] for split in ("train", "test"))
    kept = {bare(way) for every in test for way in every}
    trained = (tuple(way for way in every if bare(way) not in kept) for every in train)
    return Ways(tuple(every for every in trained if every), tuple(test))


def bare(way: str) -> str:
    """Returns the words of a way, small and without signs."""
    return re.sub(r"\W+", " ", way).lower().strip()


@cache
def _file() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "ways.toml").read_text(encoding="utf-8"))


def _each(way: str) -> Iterator[str]:
    found = re.search(r"\(([^)]*)\)", way)
    if found is None:
        yield way
        return
    for choice in found[1].split(";"):
        yield from _each(way[: found.start()] + choice.strip() + way[found.end() :])
