"""Names that may mean the same one, for a person to judge: nothing here merges anything.

Two names are alike when they differ in accents only, in one letter, or in two neighbouring letters that changed
places. Such names share what is left when one letter is taken out, so no name is compared with every other.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator
from itertools import combinations

__all__ = ["ACCENTS", "SPELLING", "spelt_alike", "spelt_like"]

ACCENTS, SPELLING = "accents", "spelling"
_SHORTEST = 5  # letters; shorter names differ in one letter and mean two: Ann and Ian
_CROWD = 20  # names that are alike all at once are a pattern, not a slip


def spelt_alike(names: Collection[str]) -> list[tuple[str, str, str]]:
    """Returns pairs of folded names and how they differ, in order of the alphabet.

    Names with digits are left out: a house next door differs in one sign.
    """
    by_bare: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        if not any(char.isdigit() for char in name):
            by_bare[_bare(name)].append(name)
    found: dict[tuple[str, str], str] = {}
    for same in by_bare.values():
        if len(same) <= _CROWD:
            found |= dict.fromkeys(combinations(same, 2), ACCENTS)
    shortened: dict[str, list[str]] = defaultdict(list)
    for bare in by_bare:
        if len(bare.replace(" ", "")) >= _SHORTEST:
            for key in sorted({bare, *_one_less(bare)}):
                shortened[key].append(bare)
    for group in shortened.values():
        if 1 < len(group) <= _CROWD:
            for one, other in combinations(group, 2):
                if _one_slip(one, other):
                    slips = ((min(a, b), max(a, b)) for a in by_bare[one] for b in by_bare[other])
                    found |= dict.fromkeys(slips, SPELLING)
    return [(one, other, why) for (one, other), why in sorted(found.items())]


def spelt_like(name: str, names: Collection[str]) -> list[str]:
    """Returns those of folded names that this one may be a slip for, in order of the alphabet; by the same rule."""
    if any(char.isdigit() for char in name):
        return []
    bare, found = _bare(name), []
    for other in names:
        near = _bare(other)
        if abs(len(near) - len(bare)) <= 1 and (near == bare or _one_slip(bare, near)):
            long_enough = min(len(bare.replace(" ", "")), len(near.replace(" ", ""))) >= _SHORTEST
            if (near == bare or long_enough) and not any(char.isdigit() for char in other):
                found.append(other)
    return sorted(found)


def _bare(name: str) -> str:
    if name.isascii():
        return name
    return "".join(char for char in unicodedata.normalize("NFKD", name) if not unicodedata.combining(char))


def _one_less(name: str) -> Iterator[str]:
    return (name[:place] + name[place + 1 :] for place in range(len(name)))


def _one_slip(one: str, other: str) -> bool:
    """Whether one letter more, less or other, or two neighbours changed, turns one into the other.

    A shared remainder alone does not say so: "abcd" and "bcda" share "bcd".
    """
    if one == other:
        return False
    short, long = sorted((one, other), key=len)
    start = next((place for place, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(long) > len(short):
        return long[start + 1 :] == short[start:]
    swapped = short[start + 1 : start + 2] + short[start : start + 1] + short[start + 2 :]
    return long[start + 1 :] == short[start + 1 :] or long[start:] == swapped
