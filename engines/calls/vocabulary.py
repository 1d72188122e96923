"""What the tokens of a tokenizer stand for, as bytes: the join of the pieces is the text, whatever the tokenizer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...store.errors import UnsupportedModel
from ...store.shown import shown
from .grammar import is_plain

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["BYTE_OF", "Vocabulary"]

_ANCHOR = "a"  # tokenizers treat the first piece of a text specially; nothing of ours is the first


class Vocabulary:
    """The pieces of a tokenizer, sorted by what they may mean to a call.

    Attributes:
        pieces: for each token its bytes; None for special tokens, and where a number has no token.

    Raises:
        UnsupportedModel: what the tokenizer decodes is not the join of its pieces.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.pieces = _pieces(tokenizer)
        _check(tokenizer, self.pieces)

    def text(self, tokens: Sequence[int]) -> str:
        """Returns the text of tokens; half characters become U+FFFD."""
        return self.bytes(tokens).decode("utf-8", "replace")

    def bytes(self, tokens: Sequence[int]) -> bytes:
        """Returns the bytes of tokens; those that the tokenizer does not know have none."""
        known = (self.pieces[token] for token in tokens if token < len(self.pieces))
        return b"".join(piece for piece in known if piece is not None)

    @cached_property
    def single(self) -> frozenset[int]:
        """Bytes that have a token to themselves."""
        return frozenset(piece[0] for piece in self.pieces if piece is not None and len(piece) == 1)

    @cached_property
    def plain(self) -> NDArray[np.bool_]:
        """Which pieces are characters that stand for themselves in a name, not all of them blanks."""
        return self._where(lambda text: text.strip(" ") != "" and all(map(is_plain, text)))

    @cached_property
    def blank(self) -> NDArray[np.bool_]:
        """Which pieces are blanks."""
        return self._where(lambda text: text.strip(" ") == "")

    @cached_property
    def odd(self) -> list[int]:
        """Tokens with a piece that is neither."""
        neither = np.flatnonzero(~(self.plain | self.blank)).tolist()
        return [token for token in neither if self.pieces[token]]

    @cached_property
    def opening(self) -> list[int]:
        """Tokens that may lead into a call from text outside: each beginning of one holds ``_`` or ``(``."""
        return [token for token, piece in enumerate(self.pieces) if piece and (b"_" in piece or b"(" in piece)]

    @cached_property
    def by_first(self) -> dict[int, list[int]]:
        """Tokens by the first byte of their piece."""
        found: dict[int, list[int]] = {}
        for token, piece in enumerate(self.pieces):
            if piece:
                found.setdefault(piece[0], []).append(token)
        return found

    def _where(self, holds: Any) -> NDArray[np.bool_]:  # noqa: ANN401
        found = np.zeros(len(self.pieces), np.bool_)
        for token, piece in enumerate(self.pieces):
            if piece:
                text = _whole(piece)
                found[token] = text is not None and holds(text)
        return found


def _whole(piece: bytes) -> str | None:
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return None


def _pieces(tokenizer: PreTrainedTokenizerBase) -> list[bytes | None]:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise UnsupportedModel(
            f"the tokenizer {type(tokenizer).__name__} does not say how its tokens become text; calls need one that "
            "is kept in a tokenizer.json"
        )
    special = set(tokenizer.all_special_ids)
    special |= {token for token, entry in tokenizer.added_tokens_decoder.items() if entry.special}
    kinds = set(_kinds(json.loads(backend.to_str())["decoder"]))
    decode = (lambda tokens: " ".join(tokens)) if backend.decoder is None else backend.decoder.decode
    before = decode([_ANCHOR])
    names = {number: name for name, number in tokenizer.get_vocab().items()}
    pieces: list[bytes | None] = [None] * (max(names, default=-1) + 1)
    for number, name in names.items():
        if number in special:
            continue
        if "ByteLevel" in kinds and all(char in BYTE_OF for char in name):
            pieces[number] = bytes(BYTE_OF[char] for char in name)
        elif "ByteFallback" in kinds and len(name) == 6 and name.startswith("<0x") and name.endswith(">"):
            pieces[number] = bytes([int(name[3:5], 16)])
        else:
            pieces[number] = decode([_ANCHOR, name]).removeprefix(before).encode()
    return pieces


def _kinds(decoder: Any) -> Iterator[str]:  # noqa: ANN401
    if decoder:
        yield decoder["type"]
        for inner in decoder.get("decoders", ()):
            yield from _kinds(inner)


def _byte_of() -> dict[str, int]:
    """Returns the byte that each character stands for in byte-level vocabularies: visible ones for themselves."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in visible]
    return {chr(byte): byte for byte in visible} | {chr(256 + place): byte for place, byte in enumerate(others)}


BYTE_OF = _byte_of()
"""The byte that each character of a byte-level vocabulary stands for."""


def _check(tokenizer: PreTrainedTokenizerBase, pieces: Sequence[bytes | None]) -> None:
    """Compares joins of pieces with what the tokenizer decodes, on random tokens."""
    whole = [token for token, piece in enumerate(pieces) if piece and _whole(piece) is not None]
    anchor = next((token for token in whole if pieces[token] in (b"a", b" a", b"e", b" e")), whole[0] if whole else 0)
    random = Random(0)
    for _ in range(64 if whole else 0):
        tokens = [anchor, *random.choices(whole, k=12)]
        joined = b"".join(pieces[token] or b"" for token in tokens[1:]).decode()
        decoded = str(tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False))
        if not decoded.endswith(joined):
            raise UnsupportedModel(
                f"the tokenizer {type(tokenizer).__name__} decodes {tokens} to {shown(decoded)}, and its pieces make "
                f"{shown(joined)}: calls need a tokenizer whose text is the join of its pieces"
            )
