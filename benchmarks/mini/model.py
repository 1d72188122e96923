"""A Llama with memories, in plain torch: what training needs, under the parameter names that transformers loads.

One row holds documents one after the other. A document is some memories and a context. A memory sees itself alone; the
context sees all memories but their first tokens, every memory logit lowered by the logarithm of their number. That is
what `tercet.engines.attention` does with stored keys and values, here in one forward pass that can be trained.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

__all__ = ["Llama", "Shape", "attention_mask", "in_heads", "in_tokens"]


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a model; the context is what it is told to hold, not what it was trained on."""

    vocabulary: int = 4096
    width: int = 256
    layers: int = 8
    heads: int = 8
    kv_heads: int = 4
    inner: int = 704
    context: int = 2048
    theta: float = 10000.0


def attention_mask(documents: Tensor, memories: Tensor, first: Tensor, bias: Tensor, dtype: torch.dtype) -> Tensor:
    """Returns what is added to the attention logits, shape (rows, 1, tokens, tokens).

    Args:
        documents: which document of the row a token belongs to, shape (rows, tokens).
        memories: which memory of its document, from 1 on; 0 for the context.
        first: whether a token is the first of a memory, which the context does not see.
        bias: what a context of this document adds to memory logits.
        dtype: of the mask.
    """
    tokens = documents.shape[1]
    query, key = memories[:, :, None], memories[:, None, :]
    past = torch.ones(tokens, tokens, dtype=torch.bool, device=documents.device).tril()
    reading = (query == 0) & (key > 0)
    seen = past & (documents[:, :, None] == documents[:, None, :])
    seen = seen & ((query == key) | (reading & ~first[:, None, :]))
    mask = torch.where(reading, bias[:, None, :].float(), 0.0).masked_fill(~seen, -torch.inf)
    return mask.to(dtype)[:, None]


def in_heads(mask: Tensor, memories: Tensor, heads: Sequence[Sequence[int]], shape: Shape) -> list[Tensor]:
    """Returns the mask of each layer when contexts see memories in some KV heads alone, as calibrated records are seen.

    Args:
        mask: from `attention_mask`.
        memories: as there.
        heads: the KV heads of each layer; layers that are not named have none.
        shape: of the model.
    """
    reading = ((memories[:, :, None] == 0) & (memories[:, None, :] > 0))[:, None]
    closed = mask.masked_fill(reading, -torch.inf)
    masks = [closed] * shape.layers
    for layer, kept in enumerate(heads):
        masks[layer] = torch.cat([mask if head in kept else closed for head in range(shape.kv_heads)], 1)
    return masks


def in_tokens(mask: Tensor, memories: Tensor, first: Tensor, worth: Tensor, kept: int) -> Tensor:
    """Returns the mask when contexts see so many tokens of a memory alone, those of the greatest worth.

    Args:
        mask: from `attention_mask`.
        memories: as there.
        first: as there; where one memory ends and the next begins.
        worth: of each token, shape (rows, tokens).
        kept: tokens of a memory.
    """
    number = first.cumsum(1) * (memories > 0)
    beside = (number[:, :, None] == number[:, None, :]) & ~first[:, None, :]
    better = beside & (worth[:, None, :] > worth[:, :, None])
    dropped = (memories > 0) & (better.sum(-1) >= kept)
    reading = (memories[:, :, None] == 0) & dropped[:, None, :]
    return mask.masked_fill(reading[:, None], -torch.inf)


class _Norm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x.float(), (x.shape[-1],), eps=1e-5).to(x.dtype) * self.weight.to(x.dtype)


class _Attention(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads, self.kv_heads = shape.heads, shape.kv_heads
        self.size = shape.width // shape.heads
        self.q_proj = nn.Linear(shape.width, shape.heads * self.size, bias=False)
        self.k_proj = nn.Linear(shape.width, shape.kv_heads * self.size, bias=False)
        self.v_proj = nn.Linear(shape.width, shape.kv_heads * self.size, bias=False)
        self.o_proj = nn.Linear(shape.heads * self.size, shape.width, bias=False)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
        rows, tokens, _ = x.shape
        query = self.q_proj(x).view(rows, tokens, self.heads, self.size).transpose(1, 2)
        key = self.k_proj(x).view(rows, tokens, self.kv_heads, self.size).transpose(1, 2)
        value = self.v_proj(x).view(rows, tokens, self.kv_heads, self.size).transpose(1, 2)
        query, key = _turned(query, turn), _turned(key, turn)
        each = self.heads // self.kv_heads
        if x.is_cuda:
            key, value = key.repeat_interleave(each, 1), value.repeat_interleave(each, 1)
            mask = mask if mask.shape[1] == 1 else mask.repeat_interleave(each, 1)
            out = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        else:  # the kernel's backward pass takes half of all time on a CPU; rows are short
            grouped = (query * self.size**-0.5).reshape(rows, self.kv_heads, each * tokens, self.size)
            logits = (grouped @ key.transpose(2, 3)).view(rows, self.kv_heads, each, tokens, tokens)
            weights = torch.softmax(logits.add_(mask[:, :, None]), -1).to(value.dtype)
            out = weights.view(rows, self.kv_heads, each * tokens, tokens) @ value
            out = out.view(rows, self.heads, tokens, self.size)
        mixed: Tensor = self.o_proj(out.transpose(1, 2).reshape(rows, tokens, -1))
        return mixed


def _turned(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    cos, sin = turn
    left, right = x.chunk(2, -1)
    return x * cos + torch.cat([-right, left], -1) * sin


class _Mlp(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.width, shape.inner, bias=False)
        self.up_proj = nn.Linear(shape.width, shape.inner, bias=False)
        self.down_proj = nn.Linear(shape.inner, shape.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class _Layer(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.input_layernorm = _Norm(shape.width)
        self.self_attn = _Attention(shape)
        self.post_attention_layernorm = _Norm(shape.width)
        self.mlp = _Mlp(shape)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), turn, mask)
        out: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return out


class _Body(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.width)
        self.layers = nn.ModuleList(_Layer(shape) for _ in range(shape.layers))
        self.norm = _Norm(shape.width)


class Llama(nn.Module):
    """A Llama with tied embeddings."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.model = _Body(shape)
        for name, weight in self.named_parameters():
            if weight.dim() > 1:
                deep = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(weight, std=0.03 / ((2 * shape.layers) ** 0.5 if deep else 1))
        nn.init.normal_(self.model.embed_tokens.weight, std=0.1)
        if shape.layers > 1:
            self._wire()

    @torch.no_grad()
    def _wire(self) -> None:
        """Sets one head of layers 0 and 1 each so that what once followed the present token is what comes next.

        Small models find this pair of heads late or never (Olsson et al. 2022, "In-context Learning and Induction
        Heads"); begun with it, training finds in minutes what took hours. Everything stays free to change.
        The first coordinate of every token is the same, so that a head can ask for a position alone.
        """
        shape = self.shape
        size, width = shape.width // shape.heads, shape.width
        self.model.embed_tokens.weight[:, 0] = 0.5
        before, after = (cast("_Layer", layer).self_attn for layer in self.model.layers[:2])
        speed = shape.theta ** (-torch.arange(0, size, 2).float() / size)
        back = torch.cat([torch.cos(speed), -torch.sin(speed)])  # turned back by one position
        here = torch.cat([torch.ones_like(speed), torch.zeros_like(speed)])
        seen = torch.linalg.qr(torch.randn(width - 1, 2 * size)).Q.T
        seen = torch.cat([torch.zeros(2 * size, 1), seen], 1)  # two maps that do not see the first coordinate
        put = torch.linalg.qr(torch.randn(width, size)).Q
        fast = (speed > 0.15).float().repeat(2)  # the others would only add what lengths of vectors differ by
        slow = (speed < 0.06).float().repeat(2)[:, None]  # what turns so slowly that places do not blur the words
        for layer in (before, after):
            for weight in (layer.q_proj.weight, layer.k_proj.weight):
                weight[:size] = 0
        self.model.norm.weight.fill_(1.2)
        before.q_proj.weight[:size, 0] = 2.5 * fast * back
        before.k_proj.weight[:size, 0] = 2.5 * fast * here
        before.v_proj.weight[:size] = seen[:size]
        before.o_proj.weight[:, :size] = 0.17 * put
        after.q_proj.weight[:size] = 4.0 * slow * seen[:size]
        after.k_proj.weight[:size] = 4.0 * slow * put.T
        after.v_proj.weight[:size] = seen[size:]
        after.o_proj.weight[:, :size] = 0.7 * seen[size:].T

    def forward(self, tokens: Tensor, places: Tensor, masks: Tensor | list[Tensor]) -> Tensor:
        """Returns the last hidden states, shape (rows, tokens, width).

        Args:
            tokens: shape (rows, tokens).
            places: position of each token; only differences count.
            masks: from `attention_mask`; one for all layers, or one for each.
        """
        return self.states(self.model.embed_tokens(tokens), places, masks)

    def states(self, x: Tensor, places: Tensor, masks: Tensor | list[Tensor]) -> Tensor:
        """Returns the same of embeddings, shape (rows, tokens, width)."""
        size = self.shape.width // self.shape.heads
        speed = self.shape.theta ** (-torch.arange(0, size, 2, device=x.device).float() / size)
        angle = places[:, None, :, None].float() * speed
        angle = torch.cat([angle, angle], -1)
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))
        turn = (angle.cos().to(x.dtype), angle.sin().to(x.dtype))
        for number, layer in enumerate(self.model.layers):
            x = layer(x, turn, masks if isinstance(masks, Tensor) else masks[number])
        out: Tensor = self.model.norm(x)
        return out

    def logits(self, hidden: Tensor) -> Tensor:
        """Returns the logits of hidden states, shape (..., vocabulary)."""
        return F.linear(hidden, self.model.embed_tokens.weight.to(hidden.dtype))

    def save(self, folder: Path, *, bos: int, eos: int, dtype: torch.dtype = torch.bfloat16) -> None:
        """Writes ``config.json``, ``generation_config.json`` and ``model.safetensors`` as transformers reads them."""
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: weight.detach().to("cpu", dtype).contiguous() for name, weight in self.state_dict().items()}
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        ends: dict[str, object] = {"bos_token_id": bos, "eos_token_id": eos, "pad_token_id": eos}
        (folder / "generation_config.json").write_text(json.dumps({**ends, "do_sample": False}, indent=2) + "\n")
        shape = self.shape
        config = {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": shape.vocabulary,
            "hidden_size": shape.width,
            "intermediate_size": shape.inner,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "num_key_value_heads": shape.kv_heads,
            "head_dim": shape.width // shape.heads,
            "max_position_embeddings": shape.context,
            "rope_parameters": {"rope_type": "default", "rope_theta": shape.theta},
            "rms_norm_eps": 1e-5,
            "hidden_act": "silu",
            "tie_word_embeddings": True,
            "dtype": str(dtype).removeprefix("torch."),
            **ends,
        }
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")

    @torch.no_grad()
    def grown(self, shape: Shape) -> Llama:
        """Returns a wider and deeper model that says what this one says: what is new adds nothing until it is trained.

        New features are read by random weights and written by zeros, so that the first step already moves them
        (Chen et al. 2016, "Net2Net", keep the function by copies of units, which then learn alike).

        Args:
            shape: of the result; heads of the same size, as many of them to a key-value head, the same vocabulary.
        """
        small = self.shape
        if shape.width // shape.heads != small.width // small.heads or shape.vocabulary != small.vocabulary:
            raise ValueError("a model grows by heads of the size it has, and keeps its vocabulary")
        if shape.heads * small.kv_heads != small.heads * shape.kv_heads:
            raise ValueError("a model grows by whole groups of heads: keep the number of them to a key-value head")
        large, scale = Llama(shape), (small.width / shape.width) ** 0.5
        weights, known = large.state_dict(), self.state_dict()
        for name, weight in weights.items():
            old = known.get(name)
            if weight.dim() == 1:
                weight.fill_(scale if old is None else float(old.mean()) * scale)
                if old is not None:
                    weight[: len(old)] = old * scale
                continue
            if old is not None:
                nn.init.normal_(weight, std=float(old.std()))
            if name.endswith(("o_proj.weight", "down_proj.weight", "embed_tokens.weight")):
                weight.zero_()
            if old is not None:
                weight[: old.shape[0], : old.shape[1]] = old
        return large

    @classmethod
    def load(cls, folder: Path) -> Llama:
        """Returns the model that `save` wrote, in float32."""
        config = json.loads((folder / "config.json").read_text())
        shape = Shape(
            config["vocab_size"],
            config["hidden_size"],
            config["num_hidden_layers"],
            config["num_attention_heads"],
            config["num_key_value_heads"],
            config["intermediate_size"],
            config["max_position_embeddings"],
            config["rope_parameters"]["rope_theta"],
        )
        model = cls(shape)
        model.load_state_dict(
            {name: weight.float() for name, weight in load_file(folder / "model.safetensors").items()}
        )
        return model
