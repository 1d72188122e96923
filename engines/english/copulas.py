"""What "is" says: kinship, attributes, membership, and plain predicates."""

from __future__ import annotations

from collections.abc import Iterator

from .lexicon import ATTRIBUTES
from .noun_phrases import NounPhrase

__all__ = ["Saying", "is_attribute", "predicate"]

Saying = tuple[str, str, str, float]
"""Subject, relation, object, confidence."""

_SURE, _FAIR = 0.6, 0.5


def is_attribute(head: str) -> bool:
    """Whether somebody has one of these: "name", "favourite food"."""
    words = head.lower().split()
    return bool(words) and (words[-1] in ATTRIBUTES or words[0] in ("favourite", "favorite"))


def predicate(subject: NounPhrase, verb: str, other: NounPhrase) -> Iterator[Saying]:
    """Yields what "subject verb other" says, the verb being a form of "be".

    "My sister is Lena" and "Lena is my sister" give (Lena, sister of, Ada); "my favourite colour is blue" gives
    (Ada, favourite colour, blue); "Lisbon is the capital of Portugal" gives (Lisbon, is capital of, Portugal).
    """
    tense = "" if verb == "is" else f"{verb} "
    head = subject.head.lower()
    membership = f"{tense}{other.kin} of" if other.role else f"{verb} {other.head.lower()} of"
    if subject.owner and subject.role and other.proper and not subject.name:
        yield other.text, f"{tense}{subject.kin} of", subject.owner, _SURE
    elif subject.owner and is_attribute(head) and not subject.name:
        yield subject.owner, tense + head, other.text, _SURE
    elif subject.whole and is_attribute(head):
        yield subject.whole, tense + head, other.text, _FAIR
    elif other.owner and other.head and not other.name:
        yield subject.text, membership, other.owner, _SURE
    elif other.whole:
        yield subject.text, membership, other.whole, _FAIR
    elif other.text.endswith(" years old"):
        yield subject.text, f"{tense}age", other.text.removesuffix(" years old"), _SURE
    else:
        yield subject.text, verb, other.text, _FAIR
