"""Patterns over facts: a chain of names and relations in which ``?`` stands for what is asked.

::

    ? lives in Lisbon                           one step in plain words
    Ada ? Lisbon                                a relation is asked
    Ada < daughter of < ? > lives in > ?        two steps: first against the fact, then along it

``>`` walks a fact from its subject to its object, ``<`` from its object to its subject, ``-`` either way. Signs stand
between blanks; a part in double quotes is taken as it is, so that names may hold signs and question marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from .errors import InvalidInput
from .names import fold
from .shown import shown

__all__ = ["LONGEST", "Hop", "Pattern", "parse"]

LONGEST = 4
"""Most steps of a pattern."""
_PLAIN_WORDS = 16
_SIGNS = (">", "<", "-")
_TOKEN = re.compile(r'"([^"]*)"(?=\s|$)|(\S+)')
_HELP = "write it as 'Ada > lives in > ?'"


@dataclass(frozen=True, slots=True)
class Hop:
    """One step of a pattern.

    Attributes:
        relation: folded; empty where it is asked.
        sign: ``">"`` along the fact, ``"<"`` against it, ``"-"`` either way.
    """

    relation: str
    sign: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """A chain of names and the steps between them.

    Attributes:
        names: folded, one more than there are steps; empty where one is asked.
        hops: the steps.
    """

    names: tuple[str, ...]
    hops: tuple[Hop, ...]

    def either_way(self) -> Pattern:
        """Returns the same chain for facts that are stated the other way round."""
        return replace(self, hops=tuple(replace(hop, sign="-") for hop in self.hops))

    def backwards(self) -> Pattern:
        """Returns the chain from its other end."""
        turned = {">": "<", "<": ">", "-": "-"}
        hops = tuple(replace(hop, sign=turned[hop.sign]) for hop in reversed(self.hops))
        return Pattern(self.names[::-1], hops)


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    quoted: bool

    @property
    def asks(self) -> bool:
        return self.text == "?" and not self.quoted

    @property
    def is_sign(self) -> bool:
        return self.text in _SIGNS and not self.quoted


def parse(text: str) -> list[Pattern]:
    """Returns every way a pattern can be meant.

    Plain words do not say where a name ends and a relation begins, so ``? lives in Lisbon`` is "lives" + "in Lisbon"
    or "lives in" + "Lisbon": only what facts say fits. With signs there is one way.

    Raises:
        InvalidInput: no pattern, or one with over four steps; the message shows how to write it.
    """
    tokens = list(_tokens(text))
    if not tokens:
        raise InvalidInput(f"the pattern is empty; {_HELP}")
    found = [_signed(tokens, text)] if any(token.is_sign for token in tokens) else list(_plain(tokens, text))
    for pattern in found:
        if not any(pattern.names) and not any(hop.relation for hop in pattern.hops):
            raise InvalidInput(f"the pattern {shown(text)} asks for everything; name something, such as 'Ada > ? > ?'")
    return found


def _tokens(text: str) -> Iterator[_Token]:
    for quoted, bare in _TOKEN.findall(text):
        if bare.startswith('"'):
            raise InvalidInput(f"in the pattern {shown(text)} the quotation mark at {shown(bare)} is never closed")
        yield _Token(bare or quoted, not bare)


def _signed(tokens: Sequence[_Token], text: str) -> Pattern:
    parts: list[list[_Token]] = [[]]
    signs: list[str] = []
    for token in tokens:
        if token.is_sign:
            signs.append(token.text)
            parts.append([])
        else:
            parts[-1].append(token)
    if len(parts) % 2 == 0:
        raise InvalidInput(
            f"the pattern {shown(text)} has {len(parts)} parts; names and relations alternate, "
            f"and a name comes first and last: {_HELP}"
        )
    for place, (left, right) in enumerate(zip(signs[::2], signs[1::2], strict=True), 1):
        if left != right:
            raise InvalidInput(
                f"step {place} of the pattern {shown(text)} has {left!r} before its relation and {right!r} after it; "
                f"a step goes one way: {_HELP}"
            )
    if len(signs) // 2 > LONGEST:
        raise InvalidInput(f"the pattern {shown(text)} has {len(signs) // 2} steps, the limit is {LONGEST}")
    asked = [_folded(part, text) for part in parts]
    hops = [Hop(relation, sign) for relation, sign in zip(asked[1::2], signs[::2], strict=True)]
    return Pattern(tuple(asked[::2]), tuple(hops))


def _plain(tokens: Sequence[_Token], text: str) -> Iterator[Pattern]:
    """Yields every division of one step into subject, relation and object; a ``?`` is a part of its own."""
    if len(tokens) < 3:
        raise InvalidInput(f"the pattern {shown(text)} has under three parts, a name, a relation and a name; {_HELP}")
    if len(tokens) > _PLAIN_WORDS:
        raise InvalidInput(f"the pattern has {len(tokens)} words; put signs between its parts: {_HELP}")
    divided = False
    for first in range(1, len(tokens) - 1):
        for second in range(first + 1, len(tokens)):
            parts = (tokens[:first], tokens[first:second], tokens[second:])
            if all(len(part) == 1 or not any(token.asks for token in part) for part in parts):
                divided = True
                s, r, o = (_folded(part, text) for part in parts)
                yield Pattern((s, o), (Hop(r, ">"),))
    if not divided:
        raise InvalidInput(f"the pattern {shown(text)} has more parts than one step; put signs between them: {_HELP}")


def _folded(part: Sequence[_Token], text: str) -> str:
    """Returns what a part is compared by; empty for ``?``."""
    if len(part) == 1 and part[0].asks:
        return ""
    for left, right in pairwise(part):
        if left.asks or right.asks:
            raise InvalidInput(
                f"in the pattern {shown(text)} a ? stands beside other words of the same part; it is a part of its own"
            )
    words = " ".join(token.text for token in part).strip()
    if not words:
        raise InvalidInput(f"the pattern {shown(text)} has an empty part; put ? for what is asked")
    return fold(words) or words
