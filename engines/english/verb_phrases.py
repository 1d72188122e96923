"""Turns a verb phrase into the relation of a triplet, in one spelling for what means the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .classes import verb_of
from .tagging import Token
from .verbs import third_person

__all__ = ["VerbPhrase", "canonical", "verb_phrase"]

_ALWAYS = {"am": "is", "are": "is", "'m": "is", "'re": "is", "were": "was", "'ll": "will", "'d": "had",
           "wo": "will", "ca": "can", "gonna": "going to", "'ve": "have"}  # fmt: skip
# After these "'s" is "is"; after other participles it is "has".
_PASSIVE = frozenset(("name", "call", "base", "locate", "marry", "know", "bear", "make", "engage"))
# "Is living in" says what "lives in" says.
_STATES = frozenset(("live", "work", "study", "reside", "date", "attend"))
_SAME = {
    "works for": "works at",
    "resides in": "lives in",
    "resides at": "lives at",
    "is married to": "married to",
    "is engaged to": "engaged to",
    "is employed by": "employed by",
    "is employed at": "employed by",
    "is located in": "located in",
    "is situated in": "located in",
    "was born in": "born in",
    "was born at": "born in",
    "was born on": "born on",
    "phone number": "phone",
    "email address": "email",
    "e-mail": "email",
}


@dataclass(frozen=True, slots=True)
class VerbPhrase:
    """What a verb phrase says.

    Attributes:
        relation: its words, present tense in the third person singular, other tenses as written.
        base: base form of its main verb, "be" for a copula.
        copula: whether it only links subject and predicate.
        tense: "present", "past", "perfect", "future" or "bare" (a participle without an auxiliary).
    """

    relation: str
    base: str
    copula: bool
    tense: str


def canonical(relation: str) -> str:
    """Returns the one spelling under which a frequent relation is kept."""
    return _SAME.get(relation, relation)


def verb_phrase(tokens: Sequence[Token], *, since: bool = False) -> VerbPhrase:
    """Reads the tokens of a verb phrase.

    Args:
        tokens: adverbs and negations left out.
        since: whether the clause says since when, which makes "has lived" mean "lives".
    """
    words = [_ALWAYS.get(token.lower, token.lower) for token in tokens]
    if words[0] == "'s":
        base, kind = verb_of(words[1]) if len(words) > 1 else ("", "")
        words[0] = "has" if kind in ("d", "n") and base not in _PASSIVE else "is"
    if words[0] in ("do", "does") and len(words) > 1:
        del words[0]
        tokens = tokens[1:]
    first = tokens[0]
    if words[0] == "have":
        words[0] = "has"
    kind = "" if first.tag in "XM" else verb_of(first.lower)[1]
    if kind == "b":
        words[0] = third_person(first.lower)
    verbs = [token for token in tokens if token.tag in "VX"] or [first]
    main = verbs[-1]
    copula = main.tag == "X" and words[-1] in ("is", "was", "be", "been", "being")
    base = "be" if copula else "have" if main.tag == "X" else verb_of(main.lower)[0]
    tense = _tense(words[0], first, kind, len(words))
    if base in _STATES and main.tag == "V":
        ongoing = words[:-1] in (["is"], ["has", "been"]) and main.lower.endswith("ing")
        if ongoing or (since and words[:-1] == ["has"]):
            words, tense = [third_person(base)], "present"
    if words == ["has", "got"]:
        words, base = ["has"], "have"
    elif words[0] == "has" and len(words) == 2 and verb_of(words[1])[1] == "d":
        del words[0]  # "has moved" and "moved" say the same
    return VerbPhrase(" ".join(words), base, copula, tense)


def _tense(word: str, first: Token, kind: str, length: int) -> str:
    if first.tag == "M":
        return "future" if word == "will" else "present"
    if first.tag == "X":
        return (
            "perfect"
            if word in ("has", "had") and length > 1
            else "past"
            if word in ("was", "had", "did")
            else "present"
        )
    return {"b": "present", "s": "present", "d": "past"}.get(kind, "bare")
