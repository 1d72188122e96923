"""The forward pass of BERT, which most small sentence encoders are, written out.

Importing transformers and its model classes takes longer than loading the weights, and every command that searches
would pay for it; and on one short text half the time goes by outside the arithmetic. What is no plain BERT is left to
transformers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import embedding, gelu, layer_norm, linear, scaled_dot_product_attention

__all__ = ["Bert", "read_bert"]

# What a configuration must say, or leave unsaid, for this to be its forward pass.
_PLAIN = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute", "is_decoder": False}
_LINEARS = ("attention.output.dense", "intermediate.dense", "output.dense")
_NORMS = ("attention.output.LayerNorm", "output.LayerNorm")


class Bert:
    """A BERT encoder without pooler and heads, for inference.

    Args:
        config: the model's ``config.json``.
        weights: its tensors by their names in the checkpoint, on one device; the linear layers in the type that they
            are to compute in, embeddings and norms in float32, as the sums between the layers are.

    Source: https://arxiv.org/abs/1810.04805.
    """

    def __init__(self, config: Mapping[str, object], weights: Mapping[str, Tensor]) -> None:
        self._heads = int(str(config["num_attention_heads"]))
        self._epsilon = float(str(config.get("layer_norm_eps", 1e-12)))
        self._words = weights["embeddings.word_embeddings.weight"]
        # Every text is the first of its pair, so its token type can be added to the positions once.
        kind = weights["embeddings.token_type_embeddings.weight"][0]
        self._positions = weights["embeddings.position_embeddings.weight"] + kind
        self._norm = _pair(weights, "embeddings.LayerNorm")
        self._dtype = weights["encoder.layer.0.output.dense.weight"].dtype
        self._layers = []
        for i in range(int(str(config["num_hidden_layers"]))):
            prefix = f"encoder.layer.{i}."
            # Queries, keys and values in one product: fewer, larger multiplications.
            apart = [_pair(weights, f"{prefix}attention.self.{name}") for name in ("query", "key", "value")]
            joint = torch.cat([weight for weight, _ in apart]), torch.cat([bias for _, bias in apart])
            rest = [_pair(weights, prefix + name) for name in (*_LINEARS, *_NORMS)]
            self._layers.append((joint, *rest))

    def __call__(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Returns the hidden states of the last layer.

        Args:
            ids: tokens, shape (texts, width).
            mask: 1 where a token is, 0 where there is padding; same shape.

        Returns:
            Float32, shape (texts, width, hidden); what stands on padding means nothing.
        """
        texts, width = ids.shape
        seen = None if bool(mask.all()) else mask[:, None, None, :].bool()
        hidden = self._normed(embedding(ids, self._words) + self._positions[:width], self._norm)
        for joint, project, widen, narrow, norm_attended, norm_out in self._layers:
            low = hidden.to(self._dtype)
            split = linear(low, *joint).view(texts, width, 3, self._heads, -1)
            query, key, value = split.permute(2, 0, 3, 1, 4)  # each (texts, heads, width, hidden / heads)
            attended = scaled_dot_product_attention(query, key, value, attn_mask=seen)
            attended = attended.transpose(1, 2).reshape(texts, width, -1)
            hidden = self._normed(hidden + linear(attended, *project), norm_attended)
            low = hidden.to(self._dtype)
            hidden = self._normed(hidden + linear(gelu(linear(low, *widen)), *narrow), norm_out)
        return hidden

    def _normed(self, hidden: Tensor, norm: tuple[Tensor, Tensor]) -> Tensor:
        return layer_norm(hidden, hidden.shape[-1:], *norm, self._epsilon)


def read_bert(folder: Path, dtype: torch.dtype, device: str) -> Bert | None:
    """Returns the encoder of a folder, or None where it is not a plain, whole BERT in one file.

    Its linear layers and its attention compute in `dtype`.

    Raises:
        SafetensorError: the file of weights is damaged.
    """
    config = json.loads((folder / "config.json").read_bytes())
    path = folder / "model.safetensors"
    if not path.is_file() or any(config.get(key, plain) != plain for key, plain in _PLAIN.items()):
        return None
    weights = {name.removeprefix("bert."): tensor for name, tensor in load_file(path).items()}
    try:
        shapes = _shapes(config)
    except KeyError:
        return None
    if any(name not in weights or tuple(weights[name].shape) != shape for name, shape in shapes.items()):
        return None
    exact = {name for name in shapes if "LayerNorm" in name or name.startswith("embeddings.")}
    return Bert(config, {name: weights[name].to(device, torch.float32 if name in exact else dtype) for name in shapes})


def _pair(weights: Mapping[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    return weights[f"{name}.weight"], weights[f"{name}.bias"]


def _shapes(config: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """Returns the shape of every tensor that the forward pass reads."""
    size, wide = config["hidden_size"], config["intermediate_size"]
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (config["vocab_size"], size),
        "embeddings.position_embeddings.weight": (config["max_position_embeddings"], size),
        "embeddings.token_type_embeddings.weight": (config["type_vocab_size"], size),
    }
    pairs: dict[str, tuple[int, ...]] = {"embeddings.LayerNorm": (size,)}
    for i in range(config["num_hidden_layers"]):
        inner = {f"attention.self.{name}": (size, size) for name in ("query", "key", "value")}
        inner |= {"attention.output.dense": (size, size), "intermediate.dense": (wide, size)}
        pairs |= {f"encoder.layer.{i}.{name}": shape for name, shape in inner.items()}
        pairs |= {f"encoder.layer.{i}.{name}": (size,) for name in _NORMS}
        pairs[f"encoder.layer.{i}.output.dense"] = (size, wide)
    for name, shape in pairs.items():
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = shape, shape[:1]
    return shapes
