"""Small tokenizers of the kinds that models have, trained on a few sentences without a download."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from random import Random

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from tercet.engines.calls.vocabulary import BYTE_OF

_TEXT = [
    "MEM_READ(Ada >> lives in >> ?) and MEM_WRITE(Ada >> lives in >> Lisbon) are calls; (a) >> (b)?) >>)",
    "Ada Lovelace lives in Lisbon, Mia works at the Crumb bakery. 0123456789 \\u00200b \\n [x] <y> {z}",
    "Zoë eats crème brûlée in Łódź; 東京 is where Haruki lives. Привет, Москва! 😀👩‍🚀",
    "the quick brown fox jumps over the lazy dog THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG",
    "if (x >> 2) { return f(a, b)?.c(); } // x>>?) ) ))) (( >>> ?? MEM_ READ( WRITE(",
    "User: Hello!\nAssistant: where, when; why... ->",
] * 3
_SPECIAL = ["<pad>", "<s>", "</s>", "<unk>"]


def _byte_level() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        _TEXT, trainers.BpeTrainer(vocab_size=420, special_tokens=_SPECIAL, initial_alphabet=alphabet)
    )
    tokenizer.add_tokens([AddedToken("<|user|>", normalized=False), AddedToken("?) MEM_READ(", normalized=False)])
    return tokenizer


def _byte_fallback() -> Tokenizer:
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trainer = trainers.BpeTrainer(vocab_size=260, special_tokens=_SPECIAL, limit_alphabet=60)
    trained.train_from_iterator([text.replace(" ", "▁") for text in _TEXT], trainer)
    model = json.loads(trained.to_str())["model"]
    names = [*sorted(model["vocab"], key=model["vocab"].get), *(f"<0x{byte:02X}>" for byte in range(256))]
    vocabulary = {name: place for place, name in enumerate(names)}
    merges = [tuple(merge) for merge in model["merges"]]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, byte_fallback=True, unk_token="<unk>"))
    tokenizer.add_special_tokens(_SPECIAL)
    tokenizer.add_tokens([AddedToken("▁▁▁", normalized=False), AddedToken("<unused0>", normalized=False)])
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer


def _unigram() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=220, special_tokens=_SPECIAL, unk_token="<unk>")
    tokenizer.train_from_iterator(_TEXT, trainer)
    return tokenizer


def _characters() -> Tokenizer:
    letters = sorted(set("".join(_TEXT)))
    names = [*_SPECIAL, *letters]
    tokenizer = Tokenizer(models.BPE({name: place for place, name in enumerate(names)}, [], unk_token="<unk>"))
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


_MAKERS: dict[str, Callable[[], Tokenizer]] = {
    "byte level": _byte_level,
    "byte fallback": _byte_fallback,
    "unigram": _unigram,
    "characters": _characters,
}
KINDS = tuple(_MAKERS)


@cache
def call_tokenizer(kind: str) -> PreTrainedTokenizerFast:
    """Returns a tokenizer of one of `KINDS`."""
    return _fast(_MAKERS[kind]())


def _fast(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        padding_side="left",
    )


def random_tokenizer(seed: int) -> PreTrainedTokenizerFast:
    """Returns a byte-level tokenizer of all bytes and of pieces that cut calls wherever they like."""
    random = Random(seed)
    parts = [
        "MEM_READ(",
        "MEM_WRITE(",
        " >> ",
        ">>",
        "?",
        ")",
        "\\",
        "\\u00",
        "n",
        "é",
        "😀",
        "\u200b",
        " ",
        "Ada",
        "\n",
        "M",
    ]
    pieces = {bytes([byte]): None for byte in range(256)}
    while len(pieces) < 700:
        whole = "".join(random.choices(parts, k=random.randint(1, 6))).encode()
        start = random.randrange(len(whole))
        pieces[whole[start : start + random.randint(1, 14)]] = None
    letter_of = {byte: letter for letter, byte in BYTE_OF.items()}
    names = [*_SPECIAL, *("".join(letter_of[byte] for byte in piece) for piece in pieces)]
    tokenizer = Tokenizer(models.BPE({name: place for place, name in enumerate(names)}, []))
    tokenizer.decoder = decoders.ByteLevel()
    return _fast(tokenizer)
