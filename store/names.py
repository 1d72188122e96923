"""Folding of names and relations, so that "Ada's", "ADA" and "ada" meet."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

__all__ = ["fold", "words_of"]

_WORD = re.compile(r"\w+", re.UNICODE)
_ARTICLES = frozenset({"a", "an", "the"})


def words_of(text: str) -> list[str]:
    """Returns the words of a text, in order, case kept; punctuation is dropped."""
    return _WORD.findall(text)


@lru_cache(maxsize=1 << 14)
def fold(name: str) -> str:
    """Returns the form under which a name is compared.

    Compatibility-normalised (NFKC), case-folded, possessive ``'s`` and leading articles dropped, words
    joined by single blanks. Zero-width characters vanish, because they are neither word nor visible.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf")
    plain = re.sub(r"['’]s\b", "", plain.casefold())
    parts = words_of(plain)
    while len(parts) > 1 and parts[0] in _ARTICLES:
        del parts[0]
    return " ".join(parts)
