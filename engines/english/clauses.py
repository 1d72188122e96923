"""Finds clauses: who does what to whom, where and when, in the chunks of one sentence."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from .chunks import Chunk
from .lexicon import HYPOTHETICAL, NEGATIONS, OBJECTIVE, UNCERTAIN
from .tagging import Token

__all__ = ["Clause", "clauses", "segments"]

# A clause may follow these as well as a noun phrase ("after I moved").
_OPENERS = frozenset(("after", "before", "since", "until", "till", "as", "for", "than", "like"))
_NEVER_FINITE = frozenset(("being", "been", "having", "be"))
_TURNS = frozenset(("but", ";", "although", "though", "while", "whereas", "because"))


@dataclass(slots=True)
class Clause:
    """One verb phrase with its company.

    Attributes:
        verb: its verb phrase.
        subjects: noun phrases; empty where the sentence begins with the verb.
        near: whether the subject stands right before the verb.
        objects: direct objects, or what a copula says of the subject.
        indirect: the first of two objects ("gave *Mia* a book").
        adjective: the adjective phrase after the verb, or None.
        phrases: prepositions with what they govern.
        times: prepositions (maybe empty) with dates or times.
        place: index of the verb phrase among the chunks.
    """

    verb: Chunk
    subjects: list[Chunk]
    near: bool
    place: int
    objects: list[Chunk] = field(default_factory=list)
    indirect: list[Chunk] = field(default_factory=list)
    adjective: Chunk | None = None
    phrases: list[tuple[str, list[Chunk]]] = field(default_factory=list)
    times: list[tuple[str, Token]] = field(default_factory=list)


def segments(chunks: Sequence[Chunk], tokens: Sequence[Token]) -> list[bool]:
    """Returns for each chunk whether the part of the sentence it is in states something.

    What is negated or uncertain states nothing; "but" and its like, and a clause joined with "and", begin
    a new part. A sentence with "if" or "wish", or one that begins as a question, states nothing at all.
    """
    if any(token.lower in HYPOTHETICAL for token in tokens) or _inverted(chunks):
        return [False] * len(chunks)
    bounds = [0, *(at for at in range(1, len(chunks)) if _turns(chunks, at)), len(chunks)]
    stated: list[bool] = []
    for first, past in pairwise(bounds):
        start = chunks[first].first.start if first else 0
        end = chunks[past].first.start if past < len(chunks) else tokens[-1].end
        parts = [start]  # a second verb may be denied without the first: "I eat fish and do not eat meat"
        parts += [
            chunks[at].first.start
            for at in range(first, past - 1)
            if chunks[at].kind == "C" and chunks[at + 1].kind == "VP"
        ]
        limit = min((_limit(token, parts) for token in tokens if start <= token.start < end), default=end)
        stated += [chunk.tokens[-1].end <= limit for chunk in chunks[first:past]]
    return stated


def _limit(token: Token, parts: Sequence[int]) -> int:
    """Returns from where on a token makes its part of the sentence doubtful; "would" leaves what is before it.

    Args:
        token: any token of it.
        parts: where it begins, and where its further verbs are joined with "and".
    """
    start = parts[0]
    if token.tag == "!" or token.lower in NEGATIONS:
        return max(part for part in parts if part <= token.start)
    if token.tag == "M":
        return token.start if token.lower in UNCERTAIN or token.lower == "'d" else sys.maxsize
    return start if token.lower in UNCERTAIN and token.tag != "R" else sys.maxsize


def _inverted(chunks: Sequence[Chunk]) -> bool:
    """Whether a sentence begins as a question does: "do you", "where is"."""
    kinds = [chunk.kind for chunk in chunks[:3]]
    if kinds[:2] == ["VP", "NP"]:
        return all(token.tag in "XM" for token in chunks[0].tokens)
    return kinds[:2] in (["S", "VP"], ["W", "VP"])


def _turns(chunks: Sequence[Chunk], at: int) -> bool:
    if chunks[at].first.lower in _TURNS:
        return True
    kinds = [chunk.kind for chunk in chunks[at : at + 3]]
    return kinds[1:] == ["NP", "VP"] and (kinds[0] == "C" or chunks[at].first.lower == "so")


def clauses(chunks: Sequence[Chunk]) -> list[Clause]:
    """Returns the clauses of a sentence, one for each verb phrase whose subject can be found."""
    found: dict[int, Clause] = {}
    for place, chunk in enumerate(chunks):
        if chunk.kind == "VP" and chunk.first.lower not in _NEVER_FINITE:
            subjects, near = _subjects(chunks, place, found)
            clause = Clause(chunk, subjects, near, place)
            _read_right(clause, chunks)
            found[place] = clause
    return list(found.values())


def _subjects(chunks: Sequence[Chunk], place: int, found: dict[int, Clause]) -> tuple[list[Chunk], bool]:
    """Returns the subjects of the verb phrase at ``place``, and whether they stand right before it."""
    at = place - 1
    fallback: list[Chunk] = []
    passed = False
    while at >= 0 and (chunks[at].kind in ("(", "@") or (at and _governed(chunks, at))):
        if chunks[at].kind == "NP":
            if not passed and chunks[at - 1].first.lower in _OPENERS:
                fallback = [chunks[at]]
                if _subjective(chunks[at]):
                    return fallback, True
            passed = True
        at -= 2 if at and chunks[at - 1].kind == "P" else 1
    if at < 0:
        return fallback, bool(fallback)
    kind = chunks[at].kind
    if kind == "NP":
        if chunks[at].first.lower in OBJECTIVE:
            return [], False  # "keeps me going"
        if at > 1 and chunks[at - 1].kind == "VP" and chunks[at - 2].kind == "W":
            return _shared(found, at - 1)  # "the man who loves Mia works"
        return _coordinated_left(chunks, at), not passed
    if kind == "W":
        at -= 2 if at and chunks[at - 1].kind == "," else 1
        if at > 0 and at - 1 in found and found[at - 1].verb.tokens[-1].tag == "X":
            return _shared(found, at - 1)  # "Tom is a nurse who works"
        return ([chunks[at]], True) if at >= 0 and chunks[at].kind == "NP" else ([], False)
    if kind == ",":
        return _around_comma(chunks, at, found)
    if kind == "C" or (kind == "VP" and passed):
        return _shared(found, at)
    return fallback, False


def _governed(chunks: Sequence[Chunk], at: int) -> bool:
    return chunks[at].kind == "NP" and chunks[at - 1].kind == "P"


def _shared(found: dict[int, Clause], before: int) -> tuple[list[Chunk], bool]:
    """The subject of the last verb phrase up to ``before`` serves this one too."""
    earlier = [place for place in found if place <= before]
    return (found[earlier[-1]].subjects, False) if earlier else ([], False)


def _around_comma(chunks: Sequence[Chunk], comma: int, found: dict[int, Clause]) -> tuple[list[Chunk], bool]:
    """Of "Ada, a nurse, moved" and "Ada, who is a nurse, moved": Ada. Of "I came, saw": I."""
    for at in range(comma - 1, 0, -1):
        if chunks[at].kind in ("C", "S", "."):
            break
        if chunks[at].kind == ",":
            if chunks[at - 1].kind == "NP" and not (at > 1 and _governed(chunks, at - 1)):
                return _coordinated_left(chunks, at - 1), False
            break
    return _shared(found, comma)


def _coordinated_left(chunks: Sequence[Chunk], last: int) -> list[Chunk]:
    """Returns "Ada", "Mia" and "Tom" of "Ada, Mia and Tom live": only where nothing governs the first."""
    group, at = [chunks[last]], last - 1
    joined = False
    while at > 0 and chunks[at].kind in ("C", ",") and chunks[at].first.lower in ("and", ",", "&", "or"):
        joined = joined or chunks[at].kind == "C"
        at -= 2 if chunks[at].kind == "C" and chunks[at - 1].kind == "," and at > 1 else 1
        if chunks[at].kind != "NP":
            break
        group.insert(0, chunks[at])
        at -= 1
    free = at < 0 or chunks[at].kind not in ("VP", "P", "K")
    return group if joined and free else [chunks[last]]


def _read_right(clause: Clause, chunks: Sequence[Chunk]) -> None:
    """Fills in what follows the verb phrase, up to the next clause."""
    at = clause.place + 1
    preposition = ""
    while at < len(chunks) and len(clause.phrases) < 4:
        chunk = chunks[at]
        if chunk.kind == "@":
            clause.times.append((preposition, chunk.first))
            preposition, at = "", at + 1
        elif chunk.kind == "P" or (chunk.kind == "Z" and not preposition):
            preposition = f"{preposition} {chunk.first.lower}".strip()
            at += 1
        elif chunk.kind == "NP":
            if at + 1 < len(chunks) and _begins_clause(preposition, chunk, chunks[at + 1]):
                return
            group, at = _coordinated_right(chunks, at)
            if preposition:
                clause.phrases.append((preposition, group))
            elif clause.phrases or clause.indirect:
                return
            elif clause.objects:
                clause.indirect, clause.objects = clause.objects, group
            else:
                clause.objects = group
            preposition = ""
        elif chunk.kind == "AP" and at == clause.place + 1:
            clause.adjective = chunk
            at += 1
        elif chunk.kind == "(":
            at += 1
        elif chunk.kind in ("C", ",") and at + 1 < len(chunks) and chunks[at + 1].kind in ("P", "@"):
            if chunk.kind == "," and (chunk.first.text != "," or _subject_follows(chunks, at + 1)):
                return
            at += 1
        else:
            return


def _subject_follows(chunks: Sequence[Chunk], at: int) -> bool:
    """Whether a prepositional phrase opens the next clause (", in 2020 she moved")."""
    kinds = [chunk.kind for chunk in chunks[at : at + 5]]
    return "VP" in kinds and kinds[kinds.index("VP") - 1] == "NP" and kinds.index("VP") > 2


def _begins_clause(preposition: str, noun: Chunk, verb: Chunk) -> bool:
    """Whether a noun phrase is the subject of what follows, and no object."""
    if verb.kind != "VP" or verb.first.lower.endswith("ing"):
        return False
    return (
        _subjective(noun)
        or preposition in _OPENERS
        or verb.first.tag in "XM"
        or not verb.first.lower.endswith(("ed", "en"))
    )


def _subjective(noun: Chunk) -> bool:
    return noun.first.tag == "O" and noun.first.lower not in OBJECTIVE


def _name(chunk: Chunk) -> bool:
    return all(token.tag == "R" for token in chunk.tokens)


def _goes_on(chunks: Sequence[Chunk], at: int) -> bool:
    return at + 1 < len(chunks) and chunks[at].kind in ("C", ",") and chunks[at + 1].kind in ("NP", "C")


def _coordinated_right(chunks: Sequence[Chunk], first: int) -> tuple[list[Chunk], int]:
    """Returns "tea", "milk" and "jam" of "buys tea, milk and jam", and the place after them.

    Without an "and" three names are a list; two may be an address or end with the one spoken to.
    """
    group, at = [chunks[first]], first + 1
    ahead, joined, pending = at, False, list[Chunk]()
    while ahead < len(chunks) and chunks[ahead].kind in ("C", ",", "("):
        joined = joined or (chunks[ahead].kind == "C" and chunks[ahead].first.lower in ("and", "&", "or"))
        ahead += 1
        if ahead < len(chunks) and chunks[ahead].kind == "NP":
            if ahead + 1 < len(chunks) and chunks[ahead + 1].kind in ("VP", "W"):
                break
            pending.append(chunks[ahead])
            ahead += 1
            if joined or (len(pending) > 1 and not _goes_on(chunks, ahead) and all(map(_name, [*group, *pending]))):
                return group + pending, ahead
    return group, at
