"""Which tokens may come next, so that every call that is begun is ended, in time, and parses.

What a token does to a call depends only on its bytes and on where the text stands, and there are few places to stand:
so for each of them the tokens are weighed once, and a step of decoding is one comparison.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache, partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...store.errors import EngineError, UnsupportedModel
from .acceptor import FREE, OPENING, State, begins, closing, step
from .grammar import OPENERS, Verb, is_plain
from .vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from .processor import CallProcessor

__all__ = ["DEAD", "CallConstraint", "Place"]

DEAD = 32_767
"""The price of a token that may not come."""
_LETTERS = "xXaAeE0123456789bcdfghijklmnopqrstuvwyzBCDFGHIJKLMNOPQRSTUVWYZ"


class Place(NamedTuple):
    """Where a text stands, in bytes: the state after its last whole character, and the bytes of one that is begun."""

    state: State
    begun: bytes = b""


class CallConstraint:
    """Holds any model's decoding to the grammar of calls.

    Outside calls the text is free. What begins with ``MEM_READ(`` or ``MEM_WRITE(`` goes on to its closing bracket,
    and the token that brings the bracket ends there.

    Args:
        tokenizer: of the model.
        verbs: the calls that may be begun.
        vocabulary: of the tokenizer, if it was read before.

    Raises:
        UnsupportedModel: the tokenizer's text is not the join of its pieces, or it cannot spell a call.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        *,
        verbs: Collection[Verb] = ("read", "write"),
        vocabulary: Vocabulary | None = None,
    ) -> None:
        if not verbs or not set(verbs) <= set(OPENERS):
            raise EngineError(f"verbs={verbs!r}; calls are {' and '.join(OPENERS)}")
        self.verbs: tuple[Verb, ...] = tuple(verb for verb in OPENERS if verb in verbs)
        self.vocabulary = vocabulary or Vocabulary(tokenizer)
        single = self.vocabulary.single
        needed = sorted(set("".join(begins("free", self.verbs)) + ">?)") - set(map(chr, single)))
        if needed:
            raise UnsupportedModel(
                f"the tokenizer {type(tokenizer).__name__} of {len(self.vocabulary.pieces):,} tokens has none for "
                f"{' '.join(needed)} alone, so its model cannot spell a call"
            )
        letter = next((letter for letter in _LETTERS if ord(letter) in single), None)
        if letter is None:
            raise UnsupportedModel(f"the tokenizer {type(tokenizer).__name__} has no token for any single letter")
        self._letter = letter
        self._weighed: dict[Place, NDArray[np.int16]] = {}
        self._step = lru_cache(1 << 14)(partial(step, verbs=self.verbs))
        self._price = lru_cache(1 << 14)(self._priced)

    @property
    def shortest(self) -> int:
        """The most tokens that the shortest call takes."""
        return max(
            len(word + closing(State(verb), self._letter)) for verb, word in OPENERS.items() if verb in self.verbs
        )

    def processor(self, *, prompt: int, max_tokens: int, call_tokens: int = 64, start: State = FREE) -> CallProcessor:
        """Returns a logits processor for one run of ``generate``.

        Args:
            prompt: how many tokens the rows of the batch begin with; what comes after them is held to the grammar.
            max_tokens: how many are generated at the most (``max_new_tokens``); no call is left open at that end.
            call_tokens: the most tokens of one call.
            start: `FREE`, or `OPENING` where a call must come first.

        Raises:
            EngineError: too few tokens for a call.
        """
        from .processor import CallProcessor

        if call_tokens < self.shortest or (start == OPENING and max_tokens < self.shortest):
            raise EngineError(
                f"max_tokens={max_tokens}, call_tokens={call_tokens}: with this tokenizer a call may take "
                f"{self.shortest} tokens at the least; give more"
            )
        return CallProcessor(self, prompt=prompt, max_tokens=max_tokens, call_tokens=call_tokens, start=start)

    def prices(self, place: Place) -> NDArray[np.int16]:
        """Returns for each token how many more its call then takes to end: 0 outside calls, `DEAD` if it may not come.

        The shape is (tokens of the tokenizer,); computed at the first visit of a place and kept.
        """
        if place not in self._weighed:
            self._weighed[place] = self._weigh(place)
        return self._weighed[place]

    def after(self, place: Place, piece: bytes) -> Place | None:
        """Returns the place after some more bytes, or None if they may not come."""
        state, begun = place
        for byte in piece:
            if state.mode not in OPENERS:  # no character beyond ASCII means anything out here
                moved = self._step(state, chr(byte) if byte < 128 else "\N{REPLACEMENT CHARACTER}")
            elif byte < 128 and not begun:
                moved = self._step(state, chr(byte))
            else:
                begun += bytes([byte])
                first, last = _characters(begun)
                if last > first:
                    char = _some_plain(first, last)
                    if char is None or self._step(state, char) is None:
                        return None
                    continue
                moved, begun = self._step(state, chr(first)) if first == last else None, b""
            if moved is None:
                return None
            state = moved
        return Place(state, begun)

    def _weigh(self, place: Place) -> NDArray[np.int16]:
        words, state = self.vocabulary, place.state
        prices = np.full(len(words.pieces), 0 if state.outside else DEAD, np.int16)
        if state.outside:
            candidates = words.opening
        elif state.mode in OPENERS and not place.begun and state.inside in ("", "x", "?"):
            # most tokens are plain characters, and all of those do the same here
            prices[words.plain] = self._price(self.after(place, b"a"))
            prices[words.blank] = self._price(self.after(place, b" "))
            candidates = words.odd
        else:
            alive = (byte for byte in words.by_first if self.after(place, bytes([byte])) is not None)
            candidates = [token for byte in alive for token in words.by_first[byte]]
        for token in candidates:
            prices[token] = self._price(self.after(place, words.pieces[token] or b""))
        return prices

    def _priced(self, place: Place | None) -> int:
        """Returns how many tokens end the call from here, one for each byte."""
        if place is None:
            return DEAD
        state, rest = place.state, b""
        if place.begun:
            char = _some_plain(*_characters(place.begun)) or ""  # there is one, or nothing would have begun
            rest, state = char.encode()[len(place.begun) :], step(state, char) or state
        rest += closing(state, self._letter, self.verbs).encode()
        return len(rest) if self.vocabulary.single.issuperset(rest) else DEAD


def _characters(begun: bytes) -> tuple[int, int]:
    """Returns the first and the last code point that a UTF-8 sequence may still become; last < first if none."""
    lead = begun[0]
    size = 2 if 0xC2 <= lead < 0xE0 else 3 if 0xE0 <= lead < 0xF0 else 4 if 0xF0 <= lead < 0xF5 else 0
    if not size or any(not 0x80 <= byte < 0xC0 for byte in begun[1:]):
        return 1, 0
    bits = lead & (0xFF >> (size + 1))
    for byte in begun[1:]:
        bits = bits << 6 | byte & 0x3F
    left = 6 * (size - len(begun))
    smallest = {2: 0x80, 3: 0x800, 4: 0x10000}[size]
    return max(bits << left, smallest), min((bits + 1 << left) - 1, 0x10FFFF)


@lru_cache(1 << 12)
def _some_plain(first: int, last: int) -> str | None:
    """Returns the first character of a range that stands for itself in a name."""
    return next((char for char in map(chr, range(first, last + 1)) if is_plain(char)), None)
