"""What changed between two texts, word by word."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from .plain import plain

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["word_diff"]

_PIECE = re.compile(r"\w+|\s+|[^\w\s]")
_MOST = 4_000  # pieces of a text; beyond, comparing takes too long


def word_diff(old: str, new: str, *, coloured: bool) -> Text:
    """Returns the new text with what was taken out and put in.

    Args:
        old: the text before; empty for none.
        new: the text after.
        coloured: red and green; otherwise ``[-out-]`` and ``{+in+}``.
    """
    from rich.text import Text

    before, after = (_PIECE.findall(plain(text)) for text in (old, new))
    if not old or max(len(before), len(after)) > _MOST:
        return Text(plain(new))
    told = Text()
    for kind, i, j, m, n in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        out, into = "".join(before[i:j]), "".join(after[m:n])
        if kind == "equal":
            told.append(into)
            continue
        if out:
            told.append(out if coloured else f"[-{out}-]", "red strike")
        if into:
            told.append(into if coloured else f"{{+{into}+}}", "green")
    return told
