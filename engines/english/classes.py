"""Word classes by closed lists, suffixes and the class before; no model, no training.

The classes: D determiner, G possessive pronoun, O other pronoun, P preposition, C conjunction,
S subordinator, W relative pronoun, X auxiliary, M modal, B adverb, Z particle, ! negation,
T "to" before a verb, # number, A adjective, N noun, R name, V verb, K gerund without a subject,
' possessive clitic, @ time, Q quotation mark, "," pause, "(" brackets, "." any other mark.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import lexicon as lx
from .tokens import Word
from .verbs import VERB_FORMS

__all__ = ["class_of", "verb_of"]

_CLASSES = {
    **dict.fromkeys(lx.ADJECTIVES, "A"),
    **dict.fromkeys(lx.ADVERBS, "B"),
    **dict.fromkeys(lx.NUMBERS, "#"),
    **dict.fromkeys(lx.PRONOUNS, "O"),
    **dict.fromkeys(lx.DETERMINERS, "D"),
    **dict.fromkeys(lx.POSSESSIVES, "G"),
    **dict.fromkeys(lx.SUBORDINATORS, "S"),
    **dict.fromkeys(lx.RELATIVES, "W"),
    **dict.fromkeys(lx.CONJUNCTIONS, "C"),
    **dict.fromkeys(lx.PREPOSITIONS, "P"),
    **dict.fromkeys(lx.PARTICLES, "Z"),
    **dict.fromkeys(lx.AUXILIARIES, "X"),
    **dict.fromkeys(lx.MODALS, "M"),
    **dict.fromkeys(lx.NEGATIONS, "!"),
    **dict.fromkeys(lx.TIMES, "@"),
    **dict.fromkeys([",", ";", ":", "—", "–", "-", "/"], ","),
    **dict.fromkeys(['"', "“", "”", "``", "''", "«", "»"], "Q"),
    **dict.fromkeys(["gonna", "wanna", "gotta"], "V"),
    "one": "#",
    "to": "P",
    "(": "(",
}
_ADJECTIVAL = ("ous", "ful", "ive", "able", "ible", "ical", "less", "ish", "ic", "al", "ian")


def verb_of(lower: str) -> tuple[str, str]:
    """Returns the base of a verb form and its kind (see `verbs`); of an unknown verb, the form itself."""
    known = VERB_FORMS.get(lower)
    if known:
        return known
    for ending, kind in (("ing", "g"), ("ed", "d"), ("s", "s")):
        if lower.endswith(ending) and len(lower) > len(ending) + 2:
            return lower, kind
    return lower, "b"


def class_of(words: Sequence[Word], place: int, previous: str, *, finite: bool) -> str:
    """Returns the class of one word.

    Args:
        words: its sentence.
        place: its place in the sentence.
        previous: the class of the word before, "^" at the start.
        finite: whether its clause has a verb already.
    """
    word = words[place]
    lower = word.lower
    known = _CLASSES.get(lower, "")
    if known in ("", "A", "B", "M") and word.text[0].isupper() and previous not in "^.Q" and lower != "i":
        return "R"
    choose = _SPECIAL.get(lower)
    if choose:
        return choose(words, place, previous, finite)
    if known in ("", "A") and lower in VERB_FORMS:
        return "A" if known and previous in "^.,QDGAP#'BC" else _verb(words, place, previous, finite)
    if known == "Z":
        return "Z" if previous in "VKXZ" or not _nominal(words, place + 1) else "P"
    if known == "D" and lower not in ("a", "an", "the") and _lower(words, place + 1) == "of":
        return "N"
    if known:
        return known
    if lower.lstrip("+")[:1].isdigit():
        return "#"
    return _unknown(words, place, previous, finite) if lower[0].isalpha() else "."


def _lower(words: Sequence[Word], place: int) -> str:
    return words[place].lower if 0 <= place < len(words) else ""


def _class_at(words: Sequence[Word], place: int) -> str:
    """The class a word has by itself, before its context is asked."""
    if not 0 <= place < len(words):
        return "."
    word = words[place]
    known = _CLASSES.get(word.lower, "")
    if known:
        return known
    if word.text[0].isupper():
        return "R"
    if word.lower in VERB_FORMS and VERB_FORMS[word.lower][0] not in lx.NOUN_OR_VERB:
        return "V"
    return "N" if word.text[0].isalnum() else "."


def _nominal(words: Sequence[Word], place: int) -> bool:
    return _class_at(words, place) in "NRADG#O"


def _verb(words: Sequence[Word], place: int, previous: str, finite: bool) -> str:
    """Decides whether a word that may be a verb form is one here: V, K, or else A or N."""
    lower = words[place].lower
    base, kind = VERB_FORMS[lower]
    noun_too = base in lx.NOUN_OR_VERB
    takes_object = _class_at(words, place + 1) in ("D", "G", "O", "P", "T")
    if previous == "'" or (previous in "DGA#" and kind in "sb"):
        return "N"
    if previous in "TM!":
        return "V"
    if kind == "g":
        return _ing(words, place, previous, finite)
    if kind in "dn" and base != lower:
        if previous in "DGAP#":
            return "A" if _nominal(words, place + 1) else "N"
        return "V"
    if previous == "P":
        return "N"
    if previous == "O":
        return "K" if _lower(words, place - 1) in lx.OBJECTIVE and kind == "b" else "V"
    if previous == "W":
        return "V" if not noun_too or takes_object or not finite else "N"
    if kind in "dn" and previous == "X":
        return "V"  # "was hit"
    if kind in "sdn":
        return _third(words, place, previous, noun_too, takes_object, _class_at(words, place + 1), finite)
    return _base(words, place, previous, noun_too, takes_object, finite)


def _ing(words: Sequence[Word], place: int, previous: str, finite: bool) -> str:
    if previous in "VC" and _class_at(words, place + 1) in ("C", ",", "."):
        return "N"  # "I love hiking and swimming"
    if previous == "N" and _class_at(words, place + 1) in ("C", ",", ".", "X", "M", "V"):
        return "N"  # "a community meeting"
    if previous in "C,^" and not finite and _class_at(words, place + 1) == "N":
        return "A"  # "surrounding villages"
    if previous in "XVNRO":
        return "V"
    if previous in "DGA#":
        return "N"
    if previous in "^Q.":
        return "K" if _class_at(words, place + 1) in "DGPO" else "N"
    return "K"


def _third(
    words: Sequence[Word], place: int, previous: str, noun_too: bool, takes_object: bool, following: str, finite: bool
) -> str:
    if previous in "XVK^":
        return "N"
    if previous == ",":
        return "V" if takes_object or following in "NR" else "N"
    if previous == "C":
        if noun_too and _lower(words, place - 2).endswith("s") and words[place - 2].text.islower():
            return "N"  # "films and shows"
        return "V" if finite and (takes_object or following in "NR" or not noun_too) else "N"
    if noun_too and previous == "N" and (following in "XMV" or finite):
        return "N"
    return "V"


def _base(words: Sequence[Word], place: int, previous: str, noun_too: bool, takes_object: bool, finite: bool) -> str:
    if previous == "X":
        return "V" if _lower(words, place - 1) in ("do", "does", "did") else "N"
    if previous == "V":
        return "N" if noun_too else "V"
    if previous in "^Q.":
        return "V" if takes_object or not noun_too else "N"
    if previous in "C,":
        return "V" if finite and (takes_object or not noun_too) else "N"
    plural = _lower(words, place - 1).endswith("s") or _lower(words, place - 2) == "and"
    return "V" if plural and not finite and (takes_object or not noun_too) else "N"


def _unknown(words: Sequence[Word], place: int, previous: str, finite: bool) -> str:
    word = words[place]
    lower = word.lower
    if word.text[0].isupper():
        return "R"
    if lower.endswith("ly") and len(lower) > 4:
        return "B"
    subject = _lower(words, place - 1)
    if not finite and (subject in ("i", "we", "they", "you") or (subject in ("he", "she") and lower.endswith("s"))):
        return "V"
    prefix, _, stem = lower.rpartition("-")
    if prefix and VERB_FORMS.get(stem, ("", "b"))[1] in "dng":
        return "V" if prefix in ("co", "re", "pre") and previous in "ROWX" else "A"  # "co-wrote", "plant-based"
    if lower.endswith("ing") and len(lower) > 5:
        return _ing(words, place, previous, finite)
    if lower.endswith("ed") and len(lower) > 4:
        if previous in "DGAP#":
            return "A" if _nominal(words, place + 1) else "N"
        return "V"
    if lower.endswith(_ADJECTIVAL) and len(lower) > 5 and (previous not in "DGA" or _nominal(words, place + 1)):
        return "A"
    if previous in "TM" or (previous == "X" and _lower(words, place - 1) in ("do", "does", "did")):
        return "V"
    return "N"


def _to(words: Sequence[Word], place: int, previous: str, finite: bool) -> str:
    following = place + 2 if _class_at(words, place + 1) == "B" else place + 1
    lower = _lower(words, following)
    if lower in ("be", "have", "do"):
        return "T"
    base, kind = VERB_FORMS.get(lower, ("", ""))
    if base != lower or not kind or words[following].text[0].isupper():
        return "P"
    routine = lower in lx.NOUN_OR_VERB and not _nominal(words, following + 1)
    return "P" if routine and _lower(words, place - 1) in lx.MOTION else "T"


def _her(words: Sequence[Word], place: int, previous: str, finite: bool) -> str:
    return "G" if _class_at(words, place + 1) in "NRA#V" else "O"


def _that(words: Sequence[Word], place: int, previous: str, finite: bool) -> str:
    if previous in "NR":
        return "W"
    following = _class_at(words, place + 1)
    if following in "XMV":
        return "O"
    after = place + 1
    while _class_at(words, after) in "NA":
        after += 1
    return "S" if _class_at(words, after) in "XMVRO" or after == place + 1 else "D"


def _this(words: Sequence[Word], place: int, previous: str, finite: bool) -> str:
    return "D" if _class_at(words, place + 1) in "NRA#" else "O"


def _like(words: Sequence[Word], place: int, previous: str, finite: bool) -> str:
    if previous in "TM!" or (previous in "NROWBC" and not finite):
        return "V"
    return "V" if previous == "X" and _lower(words, place - 1) in ("do", "does", "did") else "P"


def _apostrophe_s(words: Sequence[Word], place: int, previous: str, finite: bool) -> str:
    if _lower(words, place - 1) in lx.HOSTS or previous in "OW":
        return "X"
    following = _class_at(words, place + 1)
    if following == "A":
        return "'" if _class_at(words, place + 2) in "NRA" else "X"
    after = _lower(words, place + 1)
    if VERB_FORMS.get(after, ("", ""))[1] in ("g", "d", "n") and not _nominal(words, place + 2):
        return "X"
    return "'" if following in "NRV#" else "X"


def _would(words: Sequence[Word], place: int, previous: str, finite: bool) -> str:
    """Of "'d": "I'd moved" had, "I'd move" would."""
    after = place + 2 if _class_at(words, place + 1) == "B" else place + 1
    base, kind = VERB_FORMS.get(_lower(words, after), ("", ""))
    return "X" if kind in ("d", "n") and base != _lower(words, after) else "M"


def _quote(words: Sequence[Word], place: int, previous: str, finite: bool) -> str:
    """Of a lone apostrophe: after a plural it owns what follows ("my parents' house")."""
    word = words[place]
    near = place and words[place - 1].end == word.start and words[place - 1].lower.endswith("s")
    return "'" if near and _class_at(words, place + 1) in "NRA" else "Q"


def _here(words: Sequence[Word], place: int, previous: str, finite: bool) -> str:
    return "O" if _class_at(words, place + 1) == "X" else "B"


def _more(words: Sequence[Word], place: int, previous: str, finite: bool) -> str:
    return "D" if _class_at(words, place + 1) in "NR" else "B"


def _home(words: Sequence[Word], place: int, previous: str, finite: bool) -> str:
    return "N" if previous in "DGAP'" else "B"


_SPECIAL = {
    "to": _to,
    "her": _her,
    "that": _that,
    "this": _this,
    "these": _this,
    "those": _this,
    "like": _like,
    "'s": _apostrophe_s,
    "'d": _would,
    "'": _quote,
    "’": _quote,
    "home": _home,
    "here": _here,
    "more": _more,
    "most": _more,
    "least": _more,
}
