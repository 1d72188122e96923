"""Memories as an ordinary prefix: their words are read once, and their cache stands before every prompt.

Exact by construction for decoders whose whole state is keys and values (others are refused), and the form that serving
engines share. In return the memories have an order, each prompt begins with their words, and every row of a batch holds
a copy.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from ..store.errors import EngineError, UnsupportedModel

__all__ = ["Prefix", "PrefixEngine"]

_KINDS = {"full_attention", "sliding_attention", "chunked_attention"}


@dataclass(frozen=True, slots=True)
class Prefix:
    """What a model has read already.

    Attributes:
        tokens: what it has read, int64, shape (1, tokens).
        cache: its keys and values; never handed out, since a generation writes into what it is given.
    """

    tokens: Tensor
    cache: DynamicCache

    def before(self, ids: Tensor) -> dict[str, object]:
        """Returns the arguments with which ``generate`` or a forward pass with ``[:, tokens:]`` goes on from here.

        Args:
            ids: the prompts, without padding and without a first token of their own, shape (batch, tokens).

        Returns:
            ``input_ids`` and ``attention_mask`` over prefix and prompt, and ``past_key_values``, a copy.
        """
        batch = ids.shape[0]
        cache = copy.deepcopy(self.cache)
        if batch > 1:
            cache.batch_repeat_interleave(batch)
        whole = torch.cat((self.tokens.expand(batch, -1), ids), 1)
        return {"input_ids": whole, "attention_mask": torch.ones_like(whole), "past_key_values": cache}


class PrefixEngine:
    """Reads memories once, as the beginning of a prompt.

    Attributes:
        model: a causal language model of transformers.
        tokenizer: its tokenizer.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self.model = model
        self.tokenizer = tokenizer

    def encode(self, texts: Sequence[str]) -> Prefix:
        """Reads ``texts`` in this order, after the tokenizer's first token if it has one.

        Raises:
            EngineError: there is nothing to read.
        """
        tokens = [] if self.tokenizer.bos_token_id is None else [int(self.tokenizer.bos_token_id)]
        for text in texts:
            tokens += self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return self.encode_tokens(tokens)

    def encode_tokens(self, tokens: Sequence[int]) -> Prefix:
        """Reads ``tokens``.

        Raises:
            UnsupportedModel: not all of the model's state is in keys and values.
            EngineError: there are none, or the model is in training mode.
        """
        if not tokens:
            raise EngineError("a prefix needs at least one token: no text was given, or they are empty")
        if self.model.training:
            raise EngineError("the model is in training mode, where dropout changes what is read: call model.eval()")
        config = self.model.config.get_text_config()
        if getattr(self.model, "_is_stateful", False) or set(getattr(config, "layer_types", None) or ()) - _KINDS:
            raise UnsupportedModel(f"{config.model_type} has a recurrent state, which a cache of keys does not hold")
        ids = torch.tensor([tokens], device=self.model.device)
        cache = DynamicCache()
        with torch.no_grad():
            self.model(ids, attention_mask=torch.ones_like(ids), past_key_values=cache, use_cache=True)
        if cache.get_seq_length() != len(tokens):
            raise UnsupportedModel(f"{config.model_type} does not put its keys and values into transformers' cache")
        return Prefix(ids, cache)
