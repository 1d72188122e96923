"""Small worlds without end: people and what became of them, told as notes, with questions whose answers are known."""

from .world import KINDS, Fact, Question, Split, Told, World, make_world

__all__ = ["KINDS", "Fact", "Question", "Split", "Told", "World", "make_world"]
