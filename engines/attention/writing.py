"""Writing a small memory: encode, choose tokens and heads, quantise.

Besides what a full record holds, a small one may have

- ``heads``, bool, shape (layers, most KV heads of a layer): which of them keep anything. The arrays of a layer have
  rows for these only; a layer without any has no arrays.
- ``layers.N.places``, int32, shape (kept heads, kept tokens): which tokens of the memory these are.
- ``layers.N.counts``, int32, likewise: how many tokens each stands for; 1 everywhere if it is missing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedModel

from ...store.errors import InvalidInput
from ...store.form import Record
from .capture import Layer, Seen, trace, whole
from .quantise import quantise
from .recipe import EXACT, Heads, Recipe
from .select import best, scores

__all__ = ["encode", "stored_bytes"]

Arrays = dict[str, npt.NDArray[np.generic]]


def encode(
    model: PreTrainedModel,
    layers: Sequence[Layer],
    tokens: Sequence[int],
    *,
    drop: int = 0,
    recipe: Recipe,
    questions: Sequence[Sequence[int]] = (),
) -> Record:
    """Returns the record of ``tokens``, encoded alone, as the recipe says.

    Args:
        model: the model that will read it.
        layers: its layers.
        tokens: what the model is given.
        drop: how many tokens at the front are left out of the record.
        recipe: what is kept.
        questions: tokens of the recipe's questions.

    Raises:
        InvalidInput: the recipe names other layers or heads than the model has.
    """
    seen = trace(model, tokens)
    record: Record = whole(model, layers, seen, tokens, drop=drop)
    count = len(tokens) - drop
    if recipe.tokens is not None and recipe.tokens < count:
        worth = scores(model, layers, seen, tokens, drop=drop, score=recipe.score, questions=questions)
        record = _thinned(model, layers, seen, record, worth, drop=drop, recipe=recipe, keep=recipe.tokens)
    return _packed(record, layers, recipe)


def stored_bytes(layers: Sequence[Layer], recipe: Recipe, count: int) -> int:
    """Returns how many bytes the stored record of a memory of ``count`` tokens has, for a model of these layers."""
    from safetensors.numpy import save

    rest = recipe.tokens is not None and recipe.tokens < count
    kept = count if recipe.tokens is None or not rest else recipe.tokens + recipe.residual
    blank: Arrays = {"tokens": np.zeros(count, np.int64)}
    for number, (heads, width, value_width) in enumerate(layer.shape for layer in layers):
        blank[f"layers.{number}.key"] = np.zeros((heads, kept, width), np.float32)
        blank[f"layers.{number}.value"] = np.zeros((heads, kept, value_width), np.float32)
        if rest:
            blank[f"layers.{number}.places"] = np.zeros((heads, kept), np.int32)
        if rest and recipe.residual:
            blank[f"layers.{number}.counts"] = np.zeros((heads, kept), np.int32)
    return len(save(dict(_packed(blank, layers, recipe))))


def _packed(record: Record, layers: Sequence[Layer], recipe: Recipe) -> Record:
    """Returns the record with the heads and the bits of the recipe."""
    heads = recipe.heads
    if heads is None and recipe != EXACT and not all(layer.remembers for layer in layers):
        heads = tuple(tuple(range(layer.shape[0])) if layer.remembers else () for layer in layers)
    return quantise(record if heads is None else _only(record, layers, heads), bits=recipe.bits)


def _thinned(
    model: PreTrainedModel,
    layers: Sequence[Layer],
    seen: Sequence[Seen],
    record: Record,
    worth: Sequence[Tensor],
    *,
    drop: int,
    recipe: Recipe,
    keep: int,
) -> Record:
    """Returns the record with the ``keep`` best tokens of every KV head."""
    thin: Arrays = {"tokens": record["tokens"]}
    for number, (layer, one) in enumerate(zip(layers, seen, strict=True)):
        kept = best(worth[number], keep).cpu()
        key, value = (
            torch.from_numpy(record[f"layers.{number}.{part}"]).gather(
                1, kept[..., None].expand(-1, -1, record[f"layers.{number}.{part}"].shape[2])
            )
            for part in ("key", "value")
        )
        if recipe.residual:
            place, middle_key, middle_value = _rest(model, layer, one, kept, drop)
            kept = torch.cat([kept, place], 1)
            key, value = torch.cat([key, middle_key], 1), torch.cat([value, middle_value], 1)
            counts = torch.ones_like(kept)
            counts[:, -1] = len(record["tokens"]) - keep
            thin[f"layers.{number}.counts"] = counts.int().numpy()
        thin[f"layers.{number}.key"], thin[f"layers.{number}.value"] = key.numpy(), value.numpy()
        thin[f"layers.{number}.places"] = kept.int().numpy()
    return thin


def _rest(model: PreTrainedModel, layer: Layer, seen: Seen, kept: Tensor, drop: int) -> tuple[Tensor, Tensor, Tensor]:
    """Returns place, key and value of one token for all that are not ``kept``, each shape (KV heads, 1[, width]).

    The key is the mean of keys that stand at their places, seen from the middle of these: a memory is only ever moved
    as a whole, so it is the same mean wherever the memory is read.
    """
    heads, count = kept.shape[0], seen.key.shape[1] - drop
    dropped = torch.ones(heads, count, dtype=torch.bool).scatter(1, kept, value=False)
    share = dropped.float() / dropped.sum(1, keepdim=True)  # (KV heads, tokens)
    place = (share @ torch.arange(count).float()).round().long()[:, None]
    key, value = (
        torch.einsum("ht,htd->hd", share, part[:, drop:].float().cpu())[:, None] for part in (seen.key, seen.value)
    )
    if layer.rotation is not None:
        # One row of heads as one row of tokens: each head has a place of its own.
        flat = key.transpose(0, 1).to(seen.key.device)
        turned = layer.rotation.turn(model, seen.module, flat, place[:, 0] + drop, back=True)
        key = turned.transpose(0, 1).cpu()
    return place, key, value


def _only(record: Record, layers: Sequence[Layer], heads: Heads) -> Record:
    """Returns the record with some KV heads only."""
    if len(heads) != len(layers) or any(
        number < 0 or number >= layer.shape[0] for kept, layer in zip(heads, layers, strict=False) for number in kept
    ):
        raise InvalidInput(f"the recipe keeps heads {heads}, which are not those of a model of {len(layers)} layers")
    if not any(kept and layer.remembers for kept, layer in zip(heads, layers, strict=True)):
        raise InvalidInput(f"the recipe keeps heads {heads}, all of them in layers of this model that read no memories")
    present = np.zeros((len(layers), max(layer.shape[0] for layer in layers)), np.bool_)
    few: Arrays = {"tokens": record["tokens"], "heads": present}
    for number, kept in enumerate(heads):
        present[number, list(kept)] = True
        rows = np.flatnonzero(present[number])
        if len(rows):
            start = f"layers.{number}."
            few |= {name: array[rows] for name, array in record.items() if name.startswith(start)}
    return few
