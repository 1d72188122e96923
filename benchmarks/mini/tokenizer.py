"""The tokenizer of tercet-mini: byte pairs, single digits, and names that are spelled the same with or without a space.

A capitalised word never takes the space before it into its tokens. So a name is the same tokens at the head of a note,
behind a quotation mark and in the middle of a sentence, and can be copied from one to the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

__all__ = ["ASSISTANT", "BLOCK", "BOS", "EOS", "SYSTEM", "TEMPLATE", "USER", "make_tokenizer", "save_tokenizer"]

BOS, EOS, SYSTEM, USER, ASSISTANT = "<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>"
BLOCK = "\n\n<memory>\n"  # where a user's words end and `tercet.engines.prompt` puts memories
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|' + message['role'] + '|> ' + message['content'] }}"
    "{% if message['role'] == 'user' and BLOCK in message['content'] %}"
    "{{ '\n' + message['content'].split(BLOCK)[0] }}{% endif %}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
).replace("BLOCK", repr(BLOCK))
_PIECES = r" ?[a-z]+|[A-Z][a-z]*|[0-9]| ?[^\sA-Za-z0-9]+|\s"


def make_tokenizer(texts: Iterable[str], size: int) -> Tokenizer:
    """Returns a tokenizer of ``size`` entries learnt from texts."""
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(_PIECES), "isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    special = [AddedToken(token, special=True, normalized=False) for token in (BOS, EOS, SYSTEM, USER, ASSISTANT)]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=special, initial_alphabet=alphabet, show_progress=False, max_token_length=12
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Writes ``tokenizer.json`` and ``tokenizer_config.json`` as transformers reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "backend": "tokenizers",
        "bos_token": BOS,
        "eos_token": EOS,
        "pad_token": EOS,
        "chat_template": TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 2048,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
