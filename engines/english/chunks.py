"""Groups tagged tokens into noun phrases, verb phrases and what stands between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .tagging import Token

__all__ = ["Chunk", "chunked"]

_LONGEST_TITLE = 9


@dataclass(frozen=True, slots=True)
class Chunk:
    """Neighbouring tokens that belong together.

    Attributes:
        kind: "NP", "VP", "AP" (an adjective that predicates), or the class of its single token.
        tokens: never empty; adverbs are left out of verb phrases.
    """

    kind: str
    tokens: Sequence[Token]

    @property
    def first(self) -> Token:
        """The first token."""
        return self.tokens[0]


def chunked(tokens: Sequence[Token]) -> list[Chunk]:
    """Returns the chunks of a sentence, in order; adverbs outside phrases are dropped."""
    chunks: list[Chunk] = []
    place = 0
    while place < len(tokens):
        mark = tokens[place].tag
        end = place + 1
        if mark == "B":
            pass
        elif mark == "Q":
            end = _title(tokens, place)
            if end > place + 1:
                chunks.append(Chunk("NP", [replace(token, tag="R") for token in tokens[place + 1 : end - 1]]))
            else:
                chunks.append(Chunk("Q", tokens[place:end]))
        elif mark in "DGNRA#O":
            end = _noun_phrase(tokens, place)
            if end > place + 1 or mark not in "DG":
                content = tokens[place:end]
                governed = bool(chunks) and chunks[-1].kind == "P" and mark in "DG"
                chunks.append(Chunk("NP" if governed else _kind(content), content))
        elif mark in "XMV":
            end = _verb_phrase(tokens, place)
            chunks.append(Chunk("VP", [token for token in tokens[place:end] if token.tag not in "B!"]))
        else:
            chunks.append(Chunk(mark, tokens[place:end]))
        place = end
    return chunks


def _kind(content: Sequence[Token]) -> str:
    """A phrase without any noun is an adjective's: "happy", "the best"."""
    return "NP" if any(token.tag in "NR#O" for token in content) else "AP"


def _title(tokens: Sequence[Token], place: int) -> int:
    """Returns the place after a quoted title that begins here, or after the mark alone."""
    for end in range(place + 2, min(place + _LONGEST_TITLE + 2, len(tokens))):
        if tokens[end].tag == "Q":
            inside = tokens[place + 1 : end]
            capitals = sum(token.text[0].isupper() for token in inside)
            names_something = any(token.tag != "O" for token in inside)
            titled = names_something and inside[0].text[0].isupper() and 2 * capitals >= len(inside)
            return end + 1 if titled else place + 1
    return place + 1


def _noun_phrase(tokens: Sequence[Token], place: int) -> int:
    """Returns the place after the noun phrase that begins here, what hangs on its "of" included."""
    if tokens[place].tag == "O":
        return place + 1
    end = place + 1
    while end < len(tokens):
        mark, last = tokens[end].tag, tokens[end - 1]
        following = tokens[end + 1].tag if end + 1 < len(tokens) else "."
        inside = (
            (mark in "NR" and not (last.tag == "N" and last.lower == "i"))
            or (mark in "A#" and (last.tag in "DGA#'" or following in "NR"))
            or (mark == "#" and last.tag == "R")
            or (mark == "B" and last.tag in "DG" and following == "A")
            or (mark == "A" and tokens[end].lower == "old" and last.lower in ("years", "months", "weeks"))
            or (mark == "'" and following in "NRA#")
            or (tokens[end].lower == "&" and last.tag == following == "R")
            or (tokens[end].lower == "of" and last.tag in "NR#" and following in "NRADG#")
            or (mark in "DG" and last.lower in ("of", "all", "both", "half", "such"))
        )
        if not inside:
            break
        end += 1
    return end


def _verb_phrase(tokens: Sequence[Token], place: int) -> int:
    """Returns the place after the verb phrase that begins here, which ends with a verb or its particle."""
    end = last = place
    main = False
    while end < len(tokens):
        token = tokens[end]
        if token.tag in "XM":
            if main and tokens[last].tag != "T":
                break
            last = end
        elif token.tag == "V":
            main, last = True, end
        elif token.tag == "T" or (token.tag == "Z" and main):
            last = end
        elif token.tag not in "B!":
            break
        end += 1
    return last + 1
