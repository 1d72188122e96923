"""Rotary positions, put on and taken off by the model's own code.

Nothing here knows a model. A probe encodes the same tokens at two places and asks which of the model's rotary
modules, with which way of applying them, turns the one set of keys into the other.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

__all__ = ["Angles", "Rotation", "find_rotation", "relative_difference"]


Angles = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class Rotation:
    """How one layer rotates its keys.

    Attributes:
        path: name of the rotary module in the model.
        layer_type: what that module wants to be told, for example ``"sliding_attention"``, or None.
        own: true for the apply function beside the model's code, false for the common half-split rotation.
        last: of the last dimensions, as latent attention (MLA) has it; else of the first.
    """

    path: str
    layer_type: str | None
    own: bool
    last: bool = False

    def angles(self, model: PreTrainedModel, keys: Tensor, places: Tensor) -> Angles:
        """Returns cosines and sines of ``places``, float32 like ``keys``, each of shape (1, tokens, rotated width)."""
        extra = () if self.layer_type is None else (self.layer_type,)
        with torch.no_grad():
            cos, sin = model.get_submodule(self.path)(keys[None], places.to(keys.device)[None], *extra)
        return cos, sin

    def turn(
        self,
        model: PreTrainedModel,
        layer: nn.Module,
        keys: Tensor,
        places: Tensor,
        *,
        back: bool = False,
        angles: Angles | None = None,
        spent: bool = False,
    ) -> Tensor:
        """Returns ``keys`` rotated to ``places``, or, with ``back``, taken back from there.

        Args:
            model: the model that the keys belong to.
            layer: the attention layer that they belong to.
            keys: float32, shape (KV heads, tokens, width).
            places: position of each token, of any sign, shape (tokens,).
            back: undo the rotation.
            angles: of ``places``, if they are known already.
            spent: nobody needs ``keys`` any more, and they may be written over: room for another copy costs more than
                the rotation.
        """
        cos, sin = self.angles(model, keys, places) if angles is None else angles
        if back:
            # YaRN scales cosine and sine by s; dividing both by s squared undoes rotation and scale together,
            # and leaves the dimensions alone that are not rotated.
            squared = cos.square() + sin.square()
            cos, sin = cos / squared, -sin / squared
        apply = _own_apply(layer) if self.own and not self.last else None
        if apply is not None:
            # It rotates queries too, and there are none: one head is the least that every model's own function takes.
            return apply(keys[None, :1], keys[None], cos, sin)[1][0]
        turned = keys if spent else keys.clone()
        width = cos.shape[-1]
        _half_split(turned[..., -width:] if self.last else turned[..., :width], cos, sin)
        return turned


def find_rotation(
    model: PreTrainedModel, layer: nn.Module, near: Tensor, far: Tensor, *, start: int, tolerance: float
) -> Rotation | None:
    """Returns the rotation that explains how the keys of one layer moved, or None if none does.

    Args:
        model: the model.
        layer: the attention layer.
        near: its keys for some tokens at positions from 0 on, float32, shape (KV heads, tokens, width).
        far: its keys for the same tokens at positions from ``start`` on.
        start: see ``far``.
        tolerance: largest relative difference that still counts as explained.
    """
    places = torch.arange(near.shape[1])
    best, least = None, tolerance
    for rotation in _candidates(model, layer):
        try:
            still = rotation.turn(model, layer, near, places, back=True)
            moved = rotation.turn(model, layer, still, places + start)
        except (RuntimeError, TypeError, ValueError, IndexError, KeyError, AttributeError):
            continue  # another module's widths or another way of applying: not this layer's rotation
        difference = relative_difference(moved, far) if moved.shape == far.shape else torch.inf
        if difference <= least:
            best, least = rotation, difference
    return best


def relative_difference(found: Tensor, wanted: Tensor) -> float:
    """Returns the largest absolute difference over the largest absolute value."""
    return float((found - wanted).abs().max() / wanted.abs().max().clamp_min(1e-30))


def _candidates(model: PreTrainedModel, layer: nn.Module) -> Iterator[Rotation]:
    for path, module in model.named_modules():
        if not any(name.endswith("inv_freq") for name, _ in module.named_buffers(recurse=False)):
            continue
        types: list[str | None] = [None]
        if "layer_type" in inspect.signature(module.forward).parameters:
            types = sorted(set(model.config.get_text_config().layer_types))
        for layer_type in types:
            if _own_apply(layer) is not None:
                yield Rotation(path, layer_type, own=True)
            yield Rotation(path, layer_type, own=False)
            yield Rotation(path, layer_type, own=False, last=True)


def _own_apply(layer: nn.Module) -> Callable[..., tuple[Tensor, Tensor]] | None:
    for kind in type(layer).__mro__:
        apply = vars(sys.modules[kind.__module__]).get("apply_rotary_pos_emb")
        if apply is not None:
            return apply  # type: ignore[no-any-return]
    return None


def _half_split(keys: Tensor, cos: Tensor, sin: Tensor) -> None:
    """Rotates keys where they stand, halves against each other."""
    first, second = keys.chunk(2, -1)
    down, up = sin.chunk(2, -1)
    inner, outer = cos.chunk(2, -1)
    before = first.clone()
    first.mul_(inner).addcmul_(second, down, value=-1)
    second.mul_(outer).addcmul_(before, up)
