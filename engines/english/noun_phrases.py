"""Reads a noun phrase: whose it is, what it is, what it is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .lexicon import ROLES
from .tagging import Token

__all__ = ["NounPhrase", "noun_phrase"]

_SPEAKERS = frozenset(("i", "me", "we", "us", "myself", "ourselves", "mine", "ours"))
_NAMING = frozenset(("a", "an", "the"))


@dataclass(frozen=True, slots=True)
class NounPhrase:
    """What a noun phrase says; strings are spans of the text, but "my" is written as the speaker's.

    Attributes:
        text: without determiner: "Ada's sister", "capital of Portugal", "Lena" of "my sister Lena".
        owner: "Ada" of "Ada's sister" and, said by Ada, of "my sister"; else empty.
        head: the part between owner and name, without its "of": "sister", "best friend", "capital".
        name: "Lena" of "my sister Lena" and of "the singer Lena"; else empty.
        whole: "Portugal" of "the capital of Portugal"; else empty.
        proper: whether it is a name.
        article: "a", "an" or "the" in front, else empty.
        role: whether the head says who somebody is to somebody else.
        dangling: whether it belongs to somebody who is not named ("her car").
    """

    text: str
    owner: str = ""
    head: str = ""
    name: str = ""
    whole: str = ""
    proper: bool = False
    article: str = ""
    role: bool = False
    dangling: bool = False

    @property
    def kin(self) -> str:
        """The head in lower case and in the singular: "best friend" of "my best friends"."""
        *before, last = self.head.lower().split()
        return " ".join([*before, _singular(last)])


def noun_phrase(tokens: Sequence[Token], text: str, speaker: str) -> NounPhrase | None:
    """Reads the tokens of a noun phrase; None for a pronoun that names nobody.

    Args:
        tokens: the phrase.
        text: the whole text they point into.
        speaker: who says it; empty where "I" and "my" name nobody.
    """
    if tokens[0].tag == "O":
        return NounPhrase(speaker, proper=True) if speaker and tokens[0].lower in _SPEAKERS else None
    article = tokens[0].lower if tokens[0].lower in _NAMING else ""
    owner, dangling, start = "", False, 0
    while start < len(tokens) and tokens[start].tag in "DG":
        if tokens[start].tag == "G":
            if tokens[start].lower in ("my", "our") and speaker:
                owner = speaker
            else:
                dangling = True
        start += 1
    prefix = owner
    for place in range(len(tokens) - 1, start, -1):
        if tokens[place].tag == "'" and not any(token.lower == "of" for token in tokens[:place]):
            owner = _joined(prefix, _surface(tokens[start:place], text))
            break
    else:
        place = start - 1
    body = tokens[place + 1 :]
    if not body:
        return None
    of = next((at for at, token in enumerate(body) if token.lower == "of" and at), len(body))
    named = _name_start(body[:of])
    introduced = 0 < named < of == len(body) and body[named - 1].tag == "N" and (owner or article)
    head = _surface(body[: named if introduced else of], text)
    name = _surface(body[named:], text) if introduced else ""
    whole = body[of + 1 :]
    part_of = speaker if whole and whole[0].lower in ("my", "our") else ""
    dangling = dangling or (bool(whole) and whole[0].tag == "G" and not part_of)
    while whole and whole[0].tag in "DG":
        whole = whole[1:]
    return NounPhrase(
        text=name or _joined(prefix, _surface(tokens[start:], text)),
        owner=owner,
        head=head,
        name=name,
        whole=_joined(part_of, _surface(whole, text)) if whole else "",
        proper=bool(name) or (named == 0 and not owner),
        article=article,
        role=bool(head) and _singular(head.split()[-1].lower()) in ROLES,
        dangling=dangling and not name,
    )


def _surface(tokens: Sequence[Token], text: str) -> str:
    return " ".join(text[tokens[0].start : tokens[-1].end].split())


def _joined(owner: str, rest: str) -> str:
    return f"{owner}'s {rest}" if owner else rest


def _singular(noun: str) -> str:
    return noun if noun in ROLES else noun.removesuffix("s")


def _name_start(tokens: Sequence[Token]) -> int:
    """Returns where the run of capitalised words at the end begins (the length if there is none)."""
    start = len(tokens)
    while start and (tokens[start - 1].tag == "R" or (tokens[start - 1].tag == "#" and start > 1)):
        start -= 1
    return start
