"""Attention over one set of keys, together with the log-sum-exp of its logits.

The log-sum-exp is what two parts of one softmax are merged by, and `scaled_dot_product_attention` keeps it to
itself; the kernels below it return it. Where none of them fits (gradients, capped logits, values of another width
than keys, a mask on a GPU, any other device), matrix products compute the same. It is float32 throughout.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["LEAST", "additive", "attention", "beside", "few", "log_sum_exp", "products", "spans"]

LEAST = torch.finfo(torch.float32).min  # the logit of what is hidden; -inf would make a row of them not a number

_SCORES = 2**24  # logits held at a time: 64 MiB
_FEW = 16  # rows
_MANY = 2048  # keys
_HALF = (torch.bfloat16, torch.float16)
_flash_on_cpu = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default
_flash_on_cuda = torch.ops.aten._scaled_dot_product_flash_attention.default
_WIDE = hasattr(torch.ops.aten.bmm, "dtype")  # products of half precision that come out in float32, on CUDA


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    mask: Tensor | None = None,
    causal: bool = False,
    scaling: float | None = None,
    cap: float | None = None,
) -> tuple[Tensor, Tensor]:
    """Returns attention and the log-sum-exp of its logits, by the fastest kernel that gives both.

    Args:
        query: shape (batch, heads, queries, width).
        key: shape (batch, KV heads, keys, width); each KV head serves as many heads in a row.
        value: shape (batch, KV heads, keys, value width).
        mask: true where visible, or added to the logits; shape (batch, heads, queries, keys), or ones in it.
        causal: hide the future, counted from the first query and the first key.
        scaling: of the logits, by default one over the root of the width.
        cap: of the logits: ``cap * tanh(logits / cap)``.

    Returns:
        the output, shape (batch, heads, queries, value width), in a dtype that is the kernel's choice, and the
        log-sum-exp, float32, shape (batch, heads, queries), which is near `LEAST` where a query sees no key.
    """
    needs_grad = torch.is_grad_enabled() and (query.requires_grad or key.requires_grad or value.requires_grad)
    width = query.shape[-1]
    if not needs_grad and cap is None and value.shape[-1] == width:
        if query.device.type == "cpu":
            added = None if mask is None else additive(mask)
            output, sums = _flash_on_cpu(query, key, value, 0.0, causal, attn_mask=added, scale=scaling)
            return output, sums
        if mask is None and width % 8 == 0 and width <= 256 and query.dtype in _HALF and _has_flash(query.device):
            output, sums, *_ = _flash_on_cuda(query, key, value, 0.0, causal, False, scale=scaling)
            return output, sums
    return products(query, key, value, mask=mask, causal=causal, scaling=scaling, cap=cap)


def few(query: Tensor, groups: int, *, cap: float | None = None) -> bool:
    """Whether `beside` is the faster way: few rows, as when one token is decoded, in float32 on a CPU.

    Args:
        query: shape (batch, heads, queries, width).
        groups: KV heads.
        cap: of the logits.
    """
    if query.device.type != "cpu" or query.dtype != torch.float32 or cap is not None:
        return False
    rows = query.numel() // (groups * query.shape[3])
    return rows <= _FEW and not (torch.is_grad_enabled() and query.requires_grad)


def beside(
    query: Tensor, key: Tensor, value: Tensor, *, added: Tensor, output: Tensor, local: Tensor, scaling: float | None
) -> tuple[Tensor, Tensor]:
    """Returns attention over some keys and over more that are known by what they gave, as one softmax; see `few`.

    What `attention` gives for each part would have to be written and read once more, to be added up; and a token that
    is decoded waits for every operation, however little there is to compute.

    Args:
        query: shape (heads, rows, width).
        key: shape (heads, keys, width).
        value: shape (heads, keys, value width).
        added: to the logits, finite or -inf, shape (heads, rows, keys), or ones in it.
        output: of the keys that are known, shape (heads, rows, value width).
        local: log-sum-exp of their logits, finite, shape (heads, rows).
        scaling: of the logits, by default one over the root of the width.

    Returns:
        the output, shape (heads, rows, value width), and the weights: of each key, and last of those that are known,
        shape (heads, rows, keys + 1).
    """
    scale = query.shape[2] ** -0.5 if scaling is None else scaling
    rows = query.shape[1]
    if rows % 4 == 3 and key.shape[1] > _MANY:  # with one row more both products take a sixth to a quarter less
        query, local = F.pad(query, (0, 0, 0, 1)), F.pad(local, (0, 1))
        added = added if added.shape[1] == 1 else F.pad(added, (0, 0, 0, 1))
    logits = torch.baddbmm(added.mT, key, query.mT, alpha=scale).mT  # a quarter faster than the other way round
    weights = torch.cat((logits, local[..., None]), 2).softmax(2)
    read, weights = torch.bmm(weights[..., :-1], value)[:, :rows], weights[:, :rows]
    return torch.addcmul(read, weights[..., -1:], output), weights


@cache
def _has_flash(device: torch.device) -> bool:
    """Whether a device is a GPU that flash attention was built for: Ampere or newer."""
    if device.type != "cuda" or not torch.backends.cuda.is_flash_attention_available():
        return False
    return torch.cuda.get_device_capability(device) >= (8, 0)


def products(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    mask: Tensor | None = None,
    causal: bool = False,
    scaling: float | None = None,
    cap: float | None = None,
) -> tuple[Tensor, Tensor]:
    """Returns what `attention` does, by matrix products: on any device, with gradients, some queries at a time."""
    outputs, sums = [], []
    for start, stop in spans(query, key.shape[2]):
        logits = _logits(query, key, start, stop, mask=mask, causal=causal, scaling=scaling, cap=cap)
        total = logits.logsumexp(-1)
        weight = (logits - total[..., None]).exp().to(value.dtype)
        batch, heads, queries, keys = weight.shape
        grouped = weight.reshape(batch, value.shape[1], -1, keys)
        outputs.append((grouped @ value).reshape(batch, heads, queries, -1))
        sums.append(total)
    return torch.cat(outputs, 2), torch.cat(sums, 2)


def log_sum_exp(
    query: Tensor,
    key: Tensor,
    *,
    mask: Tensor | None = None,
    causal: bool = False,
    scaling: float | None = None,
    cap: float | None = None,
) -> Tensor:
    """Returns the log-sum-exp that `attention` returns, without the output."""
    sums = [
        _logits(query, key, start, stop, mask=mask, causal=causal, scaling=scaling, cap=cap).logsumexp(-1)
        for start, stop in spans(query, key.shape[2])
    ]
    return torch.cat(sums, 2)


def spans(query: Tensor, keys: int) -> Iterator[tuple[int, int]]:
    """Yields spans of queries whose logits against so many keys fit into the budget."""
    batch, heads, queries, _ = query.shape
    rows = max(1, _SCORES // (batch * heads * max(1, keys)))
    for start in range(0, queries, rows):
        yield start, min(start + rows, queries)


def _logits(
    query: Tensor,
    key: Tensor,
    start: int,
    stop: int,
    *,
    mask: Tensor | None,
    causal: bool,
    scaling: float | None,
    cap: float | None,
) -> Tensor:
    """Returns scaled, capped, masked logits of a span of queries, float32, shape (batch, heads, queries, keys)."""
    batch, heads, queries, width = query.shape
    keys = key.shape[2]
    grouped = query[:, :, start:stop].reshape(batch, key.shape[1], -1, width)
    logits = _product(grouped, key).reshape(batch, heads, stop - start, keys)
    logits = logits * (width**-0.5 if scaling is None else scaling)
    if cap is not None:
        logits = cap * torch.tanh(logits / cap)
    if mask is not None:
        part = mask.expand(-1, -1, queries, -1)[:, :, start:stop]
        logits = logits + additive(part)
    if causal:
        future = torch.ones(stop - start, keys, dtype=torch.bool, device=key.device).triu(start + 1)
        logits = logits.masked_fill(future, LEAST)
    return logits.clamp_min(LEAST)


def _product(query: Tensor, key: Tensor) -> Tensor:
    """Returns the products of queries and keys in float32, without a copy of half-precision keys on a GPU."""
    if _WIDE and query.is_cuda and query.dtype in _HALF and not torch.is_grad_enabled():
        batch, heads, queries, width = query.shape
        flat = query.reshape(-1, queries, width), key.reshape(-1, key.shape[2], width).transpose(1, 2)
        return torch.bmm(*flat, out_dtype=torch.float32).reshape(batch, heads, queries, -1)
    return query.float() @ key.float().transpose(2, 3)


def additive(mask: Tensor) -> Tensor:
    """Returns a mask that is added to logits and has no infinity: the kernel on the CPU would give such a row 0."""
    if mask.dtype == torch.bool:
        return torch.zeros_like(mask, dtype=torch.float32).masked_fill_(~mask, LEAST)
    return mask.float().clamp_min(LEAST)
