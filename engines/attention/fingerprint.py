"""One name for everything that keys and values depend on."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from dataclasses import asdict
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from .capture import Layer
from .recipe import EXACT, Recipe

__all__ = ["fingerprint"]

_FORMAT = 2  # of the records; a record of another format is made anew
_TEMPLATE = "first token, text; first token dropped"
_PASSING = ("_name_or_path", "transformers_version", "use_cache", "output_attentions", "output_hidden_states")
_SAMPLES = 32  # values per tensor that are compared to notice a change

_hashes: WeakKeyDictionary[PreTrainedModel, tuple[str, str]] = WeakKeyDictionary()
_lock = threading.Lock()


def fingerprint(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, layers: Sequence[Layer], recipe: Recipe = EXACT
) -> str:
    """Returns 64 hexadecimal digits that change with whatever changes a memory's keys and values.

    That is: weights, their dtype, the text settings of the model (rotary encoding, masks, norms, ...), the
    tokenizer, the layers, the template and the recipe that a memory is written with, and the format of the
    record. Hashing the weights takes a second per gigabyte or two; it is done again only when they have changed.
    """
    parts = {
        "format": _FORMAT,
        "template": _TEMPLATE,
        "weights": _weights(model),
        "dtype": str(model.dtype),
        "config": {
            key: value for key, value in model.config.get_text_config().to_dict().items() if key not in _PASSING
        },
        "tokenizer": _tokenizer(tokenizer),
        "layers": [asdict(layer) for layer in layers],
        "recipe": asdict(recipe),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _weights(model: PreTrainedModel) -> str:
    state = model.state_dict()
    state_now = _state(state)
    with _lock:
        known = _hashes.get(model)
        if known is not None and known[0] == state_now:
            return known[1]
    digest = hashlib.sha256()
    seen: dict[tuple[int, torch.Size], str] = {}
    for name in sorted(state):
        tensor = state[name].detach()
        first = seen.setdefault((tensor.data_ptr(), tensor.shape), name)
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} {first}\n".encode())
        if first == name:
            digest.update(memoryview(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy()))
    with _lock:
        _hashes[model] = (state_now, digest.hexdigest())
    return digest.hexdigest()


def _state(state: dict[str, Tensor]) -> str:
    """Returns a cheap sign of change: where each tensor lies, how often it was written, and some of its values.

    The values are there because what is written through ``.data`` is not counted.
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach()
        writes = 0 if tensor.is_inference() else tensor._version
        digest.update(f"{name} {tensor.data_ptr()} {writes} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        flat = tensor.contiguous().reshape(-1)
        some = flat[:: max(1, flat.numel() // _SAMPLES)]
        digest.update(some.cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _tokenizer(tokenizer: PreTrainedTokenizerBase) -> str:
    """Returns a hash of what turns text into tokens."""
    fast = getattr(tokenizer, "backend_tokenizer", None)
    rules = dict(tokenizer.get_vocab() if fast is None else json.loads(fast.to_str()))
    if fast is not None:
        # These two are not the tokenizer's own: they remember how it was called last.
        rules = rules | {"truncation": None, "padding": None}
    text = json.dumps([rules, tokenizer.bos_token_id], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
