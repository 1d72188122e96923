"""May this text go on so? The grammar of calls, a character at a time, with free text around the calls.

A state is what has to be known of the text so far. Every state has a shortest way to the end of its call, so whoever
generates can be held to a length.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from .grammar import ESCAPED, OPENERS, Verb, is_plain

__all__ = ["CLOSED", "FREE", "HUSHED", "MUTE", "OPENING", "State", "begins", "closing", "step"]


class State(NamedTuple):
    """Where a text stands.

    Attributes:
        mode: ``"read"`` or ``"write"`` inside a call; ``"closed"`` at its end; ``"opening"`` where a call must begin;
            ``"free"`` in text where one may; ``"hushed"`` where none may before the next sentence; ``"mute"`` where
            none may any more.
        inside: in a call, what the side holds so far: nothing, ``"x"`` for something, ``"?"``, the first ``">"`` of
            what ends it, or a begun escape; outside, the end of the text that may be the beginning of a call.
        side: 0, 1 or 2: subject, relation, object.
        asked: whether a ``?`` was among the sides.
    """

    mode: str
    inside: str = ""
    side: int = 0
    asked: bool = False

    @property
    def outside(self) -> bool:
        """Whether the text may stop here."""
        return self.mode in ("free", "hushed", "mute")


FREE, HUSHED, MUTE, OPENING, CLOSED = (State(mode) for mode in ("free", "hushed", "mute", "opening", "closed"))
_BEGUN = "MEM_"  # so much of a call must not stand where none may be
_HEX = frozenset("0123456789abcdefABCDEF")
_TELLING = frozenset({"", "0", "1", "00", "00d"})  # beginnings of six digits on which it depends what may follow


def begins(mode: str, verbs: Collection[Verb] = ("read", "write")) -> list[str]:
    """Returns the words with which a call may begin in a mode."""
    return [OPENERS[verb] for verb in OPENERS if verb in verbs] if mode in ("free", "opening") else []


def step(state: State, char: str, verbs: Collection[Verb] = ("read", "write")) -> State | None:
    """Returns the state after one more character, or None if none may come so.

    Args:
        state: where the text stands.
        char: one character.
        verbs: the calls that may begin.
    """
    if state.mode in OPENERS:
        return _within(state, char)
    if state.mode == "closed":
        return None
    if state.mode == "opening":
        text = state.inside + char
        opened = _opened(text, verbs)
        if opened or any(word.startswith(text) for word in begins("opening", verbs)):
            return opened or State("opening", text)
        return state if char == " " and not state.inside else None
    return _outside(state, char, verbs)


def closing(state: State, letter: str, verbs: Collection[Verb] = ("read", "write")) -> str:
    """Returns the shortest text that ends the call; nothing outside of calls.

    Args:
        state: where the text stands.
        letter: what fills a side that is empty.
        verbs: the calls that may begin.
    """
    if state.mode == "opening":
        word = next(word for word in begins("opening", verbs) if word.startswith(state.inside))
        begun = State("read" if word == OPENERS["read"] else "write")
        return word[len(state.inside) :] + closing(begun, letter)
    if state.mode not in OPENERS:
        return ""
    text, inside, side, asked = "", state.inside, state.side, state.asked
    if inside == ">":
        text, inside, side = ">", "", side + 1
    elif inside.startswith("\\"):
        text, inside = ")" if inside == "\\" else "0" * (8 - len(inside)), "x"
    while True:
        if inside == "":
            ask = state.mode == "read" and not asked
            asked = asked or ask
            text += "?" if ask else letter
        if side == 2:
            return text + ")"
        text, inside, side = text + ">>", "", side + 1


def _opened(text: str, verbs: Collection[Verb]) -> State | None:
    return next((State(verb) for verb in verbs if text == OPENERS[verb]), None)


def _outside(state: State, char: str, verbs: Collection[Verb]) -> State | None:
    text = state.inside + char
    while text and not any(word.startswith(text) for word in OPENERS.values()):
        text = text[1:]
    if state.mode != "free":
        if text.startswith(_BEGUN):
            return None
        return FREE if state.mode == "hushed" and char in ".!?\n" else State(state.mode, text)
    if text in OPENERS.values():
        return _opened(text, verbs)
    return State("free", text)


def _within(state: State, char: str) -> State | None:
    inside = state.inside
    if inside.startswith("\\"):
        return _escaping(state, char)
    if inside == ">":
        return state._replace(inside="", side=state.side + 1) if char == ">" else None
    if char == " ":
        return state
    if char == "?":
        return (
            state._replace(inside="?", asked=True) if not inside and state.mode == "read" and not state.asked else None
        )
    if inside and char == (")" if state.side == 2 else ">"):
        return CLOSED if char == ")" else state._replace(inside=">")
    must_ask = state.mode == "read" and state.side == 2 and not state.asked
    if inside == "?" or must_ask:
        return None
    if char == "\\":
        return state._replace(inside="\\")
    return state._replace(inside="x") if is_plain(char) else None


def _escaping(state: State, char: str) -> State | None:
    """Goes on in an escape: a backslash, or one with "u" and up to five digits, of which only what tells is kept."""
    inside = state.inside
    if inside == "\\":
        if char == "u":
            return state._replace(inside="\\u")
        return state._replace(inside="x") if char in ESCAPED or char == "n" else None
    digits = inside[2:]
    if char not in _HEX:
        return None
    too_large = (digits == "" and char not in "01") or (digits == "1" and char != "0")
    if too_large or (digits == "00d" and char not in "01234567"):  # beyond Unicode, or half a surrogate pair
        return None
    digits = (digits + char).lower()
    if len(digits) == 6:
        return state._replace(inside="x")
    return state._replace(inside="\\u" + (digits if digits in _TELLING else "-" * len(digits)))
