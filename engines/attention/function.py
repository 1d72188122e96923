"""The attention function that stands in front of a model's own.

transformers looks attention up by the name in a model's config. While a block is open (`listening`), the
configs of the model carry our names; the function behind them asks whether somebody listens to this layer *in
this context* and otherwise calls the model's own function with the very same arguments. So another thread that
uses the model meanwhile gets the same bits as ever, and two threads can attend to different memories.

A mask function is registered with each name: without one, transformers passes no mask at all, and padding and
sliding windows are silently lost.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import Any

from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedConfig, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface

from ...store.errors import UnsupportedModel

__all__ = ["Call", "Listener", "Output", "listening"]

Output = tuple[Tensor, Tensor | None]  # (batch, queries, heads, value width), and the weights if asked for

_BASES = ("sdpa", "eager")
_SPECIAL = ("softcap", "s_aux", "position_bias", "cache")  # options of more than plain attention
_PREFIX = "tercet_"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a layer's attention, as transformers makes it.

    Attributes:
        module: the attention layer.
        base: the implementation that the model uses by itself, ``"sdpa"`` or ``"eager"``.
        query: after rotary encoding, shape (batch, heads, queries, width).
        key: after rotary encoding, with what the cache holds, shape (batch, KV heads, keys, width).
        value: shape (batch, KV heads, keys, value width).
        mask: what the base implementation takes: true or 0 where visible; None if it needs none.
        options: all further keyword arguments.
    """

    module: nn.Module
    base: str
    query: Tensor
    key: Tensor
    value: Tensor
    mask: Tensor | None
    options: Mapping[str, object]

    def plain(self) -> Output:
        """Returns what the model's own attention function returns."""
        own = _own_function(type(self.module), self.base)
        return own(self.module, self.query, self.key, self.value, self.mask, **self.options)

    @property
    def standard(self) -> bool:
        """Whether the base function is transformers' own for sdpa, asked for nothing but plain attention."""
        special = self.options.get("dropout") or any(self.options.get(option) is not None for option in _SPECIAL)
        if self.base != "sdpa" or special:
            return False
        return _own_function(type(self.module), self.base) is sdpa_attention_forward

    @property
    def causal(self) -> bool:
        """Whether the base function hides the future by itself because it was given no mask."""
        if self.base != "sdpa" or self.mask is not None or self.query.shape[2] == 1:
            return False
        stated = self.options.get("is_causal")
        return bool(getattr(self.module, "is_causal", True) if stated is None else stated)

    def number(self, option: str) -> float | None:
        """Returns a numeric option such as ``scaling`` or ``softcap``, or None where it is not set."""
        value = self.options.get(option)
        return float(value) if isinstance(value, (int, float)) else None

    def tensor(self, option: str) -> Tensor | None:
        """Returns an option that is a tensor, such as ``position_ids`` or ``s_aux``, or None."""
        value = self.options.get(option)
        return value if isinstance(value, Tensor) else None


Listener = Callable[[Call], Output]


class _Block:
    """The listeners of one `listening` block; a context copied from it must not outlive it."""

    __slots__ = ("listeners", "open")

    def __init__(self, listeners: Mapping[int, Listener | None]) -> None:
        self.listeners = listeners
        self.open = True


_blocks: ContextVar[tuple[_Block, ...]] = ContextVar("tercet_attention_blocks", default=())


@contextmanager
def listening(model: PreTrainedModel, listeners: Mapping[nn.Module, Listener | None]) -> Iterator[None]:
    """Answers the attention calls of ``model`` by ``listeners``, in this context only, while the block is open.

    Args:
        model: any model whose attention goes through transformers' interface.
        listeners: attention layer -> what answers its calls, or None for the model's own function. An inner
            block answers before an outer one; layers that it does not name are left to the outer one.

    Raises:
        UnsupportedModel: the model uses another implementation than sdpa or eager.
    """
    block = _Block({id(module): listener for module, listener in listeners.items()})
    with _switched(model):
        _blocks.set((*_blocks.get(), block))
        try:
            yield
        finally:
            block.open = False
            # By identity, not by token: a generator may be closed in another context than it was started in.
            _blocks.set(tuple(other for other in _blocks.get() if other is not block))


def _listener(module: nn.Module) -> Listener | None:
    for block in reversed(_blocks.get()):
        if block.open and id(module) in block.listeners:
            return block.listeners[id(module)]
    return None


def _attention(
    base: str,
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None = None,
    **options: object,
) -> Output:
    listener = _listener(module)
    if listener is None:
        return _own_function(type(module), base)(module, query, key, value, attention_mask, **options)
    return listener(Call(module, base, query, key, value, attention_mask, options))


@cache
def _register() -> None:
    for base in _BASES:
        AttentionInterface.register(_PREFIX + base, partial(_attention, base))
        AttentionMaskInterface.register(_PREFIX + base, ALL_MASK_ATTENTION_FUNCTIONS[base])


def _own_function(layer: type[nn.Module], base: str) -> Callable[..., Output]:
    """Returns the function that ``layer`` would use without us; a model's file may override even sdpa."""
    for names in _modules(layer):  # type: ignore[arg-type]  # a class is hashable; mypy asks its instances
        own = names["ALL_ATTENTION_FUNCTIONS"].get(base, names.get("eager_attention_forward"))
        if own is not None:
            return own  # type: ignore[no-any-return]
    raise UnsupportedModel(
        f"{layer.__name__} names no attention function for {base!r}; load the model with another attn_implementation"
    )


@lru_cache(maxsize=64)
def _modules(layer: type[nn.Module]) -> list[dict[str, Any]]:
    """Returns the names of the modules that ``layer`` and its bases stand in, where they have the interface."""
    every = [vars(sys.modules[kind.__module__]) for kind in layer.__mro__]
    return [names for names in every if isinstance(names.get("ALL_ATTENTION_FUNCTIONS"), AttentionInterface)]


class _Switch:
    """One config whose implementation is switched, and by how many blocks."""

    __slots__ = ("blocks", "config", "own")

    def __init__(self, config: PreTrainedConfig) -> None:
        self.config = config
        self.own: str = config._attn_implementation
        self.blocks = 0


_switches: dict[int, _Switch] = {}
_switching = threading.Lock()


@contextmanager
def _switched(model: PreTrainedModel) -> Iterator[None]:
    """Lets every config of ``model`` name our function until the last block that needs it has closed."""
    _register()
    configs = _configs(model)
    with _switching:
        own = _own_implementation(model.config.get_text_config())
        if own not in _BASES:
            raise UnsupportedModel(
                f"{model.config.model_type} was loaded with attn_implementation={own!r}; "
                "memories need 'sdpa' or 'eager': load it with one of them"
            )
        chosen = [config for config in configs if _own_implementation(config) in _BASES]
        for config in chosen:
            switch = _switches.setdefault(id(config), _Switch(config))
            switch.blocks += 1
            # The inner attribute, because the public setter would also overwrite the sub-configs with one value.
            config._attn_implementation_internal = _PREFIX + switch.own
    try:
        yield
    finally:
        with _switching:
            for config in chosen:
                switch = _switches[id(config)]
                switch.blocks -= 1
                if not switch.blocks:
                    config._attn_implementation_internal = switch.own
                    del _switches[id(config)]


def _own_implementation(config: PreTrainedConfig) -> str:
    switch = _switches.get(id(config))
    return str(config._attn_implementation) if switch is None else switch.own


def _configs(model: PreTrainedModel) -> list[PreTrainedConfig]:
    """Returns every config object that a part of ``model`` may look its implementation up in."""
    found: dict[int, PreTrainedConfig] = {}
    waiting: list[object] = []
    level = [vars(model)]
    while level:  # every block asks this, and `modules` takes a millisecond on large models
        waiting += [own["config"] for own in level if "config" in own]
        level = [vars(one) for own in level for one in own["_modules"].values() if one is not None]
    while waiting:
        config = waiting.pop()
        if isinstance(config, PreTrainedConfig) and id(config) not in found:
            found[id(config)] = config
            waiting.extend(getattr(config, key, None) for key in config.sub_configs)
    return list(found.values())
