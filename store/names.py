"""Folding of names and relations, so that "Ada's", "ADA" and "ada" meet."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

__all__ = ["fold", "words_of"]

_WORD = re.compile(r"\w+", re.UNICODE)
# A word with what tells it from another one: C, C++ and C#; 5 and -5; 3.5 and 35 %.
_NAME = re.compile(r"(?:(?<!\w)-(?=\d))?\w+(?:[.,]\d+)*(?:\+\+|[+#%])?", re.UNICODE)
_ARTICLES = frozenset({"a", "an", "the"})


def words_of(text: str) -> list[str]:
    """Returns the words of a text, in order, case kept; punctuation is dropped."""
    return _WORD.findall(text)


@lru_cache(maxsize=1 << 14)
def fold(name: str) -> str:
    """Returns the form under which a name is compared.

    Compatibility-normalised (NFKC), case-folded, possessive ``'s`` and leading articles dropped, words
    joined by single blanks; signs that tell names apart stay: C, C++ and C# are three. Zero-width characters
    vanish, because they are neither word nor visible.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf")
    plain = re.sub(r"['’]s\b", "", plain.casefold())
    parts = _NAME.findall(plain)
    while len(parts) > 1 and parts[0] in _ARTICLES:
        del parts[0]
    return " ".join(parts)
