"""Facts that a sentence states in passing: "my sister Lena", "Ada, a nurse", "Ada (born 9 March 1990)"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...store.note import Triplet
from .chunks import Chunk
from .dates import find_dates
from .noun_phrases import NounPhrase, noun_phrase

__all__ = ["mentions"]

_LONGEST_BRACKET = 120


def mentions(
    chunks: Sequence[Chunk], stated: Sequence[bool], *, text: str, speaker: str, happened: str
) -> Iterator[Triplet]:
    """Yields them in order of appearance, for the chunks marked as stated."""
    for place, chunk in enumerate(chunks):
        if chunk.kind != "NP" or not stated[place]:
            continue
        phrase = noun_phrase(chunk.tokens, text, speaker)
        if phrase is None:
            continue
        if phrase.name:
            yield from _named(phrase, happened)
            yield from _named_too(phrase, chunks[place + 1 : place + 3], text, happened)
        if phrase.proper and place + 1 < len(chunks) and chunks[place + 1].kind == "(":
            yield from _life(phrase.text, chunks[place + 1], text)
        if _apposed(chunks, place):
            other = noun_phrase(chunks[place + 2].tokens, text, speaker)
            if other:
                yield from _apposition(phrase, other, happened)


def _named(phrase: NounPhrase, happened: str) -> Iterator[Triplet]:
    if phrase.owner and phrase.role:
        yield _triplet(phrase.name, f"{phrase.kin} of", phrase.owner, happened, 0.6)
    elif not phrase.owner and phrase.article == "the" and " " not in phrase.head:
        yield _triplet(phrase.name, "is", phrase.head, happened, 0.3)


def _named_too(phrase: NounPhrase, after: Sequence[Chunk], text: str, happened: str) -> Iterator[Triplet]:
    """Yields what "my friends Tom and Mia" says of Mia."""
    if phrase.owner and phrase.role and phrase.kin != phrase.head.lower() and [c.kind for c in after] == ["C", "NP"]:
        other = noun_phrase(after[1].tokens, text, "")
        if other and other.proper:
            yield _triplet(other.text, f"{phrase.kin} of", phrase.owner, happened, 0.5)


def _apposed(chunks: Sequence[Chunk], place: int) -> bool:
    """Whether "NP, NP," stands here, and is no list."""
    kinds = [chunk.kind for chunk in chunks[place : place + 5]]
    if len(kinds) < 3 or kinds[1:3] != [",", "NP"] or chunks[place + 1].first.text != ",":
        return False
    if place and chunks[place - 1].kind in (",", "C"):
        return False
    after = kinds[3:] or ["."]
    return after[0] in (".", "W", "P") or (after[0] == "," and after[1:] not in (["C"], ["NP"]))


def _apposition(phrase: NounPhrase, other: NounPhrase, happened: str) -> Iterator[Triplet]:
    if other.owner and other.role and phrase.proper and not other.name:
        yield _triplet(phrase.text, f"{other.kin} of", other.owner, happened, 0.5)
    elif phrase.owner and phrase.role and other.proper and not phrase.name:
        yield _triplet(other.text, f"{phrase.kin} of", phrase.owner, happened, 0.5)
    elif phrase.proper and other.article and not other.proper and not other.dangling:
        if other.whole:
            yield _triplet(phrase.text, f"is {other.head.lower()} of", other.whole, happened, 0.4)
        else:
            yield _triplet(phrase.text, "is", other.text, happened, 0.4)


def _life(subject: str, bracket: Chunk, text: str) -> Iterator[Triplet]:
    """Yields birth and death of "(born 9 March 1990)" and "(9 March 1890 – 4 May 1951)"."""
    inside = text[bracket.first.start : min(bracket.first.end, bracket.first.start + _LONGEST_BRACKET)]
    dates = [date for date in find_dates(inside) if date.iso]
    lived = len(dates) == 2 and inside[dates[0].end : dates[1].start].strip() in ("–", "-", "—")
    if lived or "born" in inside.lower():
        for relation, date in zip(("born on", "died on"), dates if lived else dates[:1], strict=False):
            yield _triplet(subject, relation, inside[date.start : date.end], date.iso, 0.5)


def _triplet(subject: str, relation: str, object_: str, since: str, confidence: float) -> Triplet:
    return Triplet(subject, relation, object_, valid_from=since, confidence=confidence, extractor="rule")
