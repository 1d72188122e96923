"""The slow way to read memories: all of it in one ordinary prompt, with stated positions and a stated mask."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from tercet.engines.attention import AttentionEngine


def reference(
    engine: AttentionEngine, memories: Sequence[Sequence[int]], context: Sequence[int], *, drop: int, bias: float
) -> tuple[Tensor, Tensor]:
    """Runs memories and context as one ordinary prompt with stated positions and a stated mask.

    Returns:
        The logits of the context, and in how far each memory was attended to, shape (layers, memories).
    """
    longest = max(map(len, memories)) - drop
    tokens: list[int] = []
    places: list[int] = []
    owners: list[int] = []
    for number, memory in enumerate(memories):
        tokens += memory
        owners += [number] * len(memory)
        places += range(longest - len(memory), longest)
    start = len(tokens)
    tokens += context
    places += range(longest, longest + len(context))
    mask = torch.full((len(tokens), len(tokens)), torch.finfo(torch.float32).min)
    for query, key in itertools.product(range(len(tokens)), range(len(tokens))):
        if (query < start and key <= query and owners[key] == owners[query]) or (
            query >= start and start <= key <= query
        ):
            mask[query, key] = 0.0
        elif query >= start and key < start and key - owners.index(owners[key]) >= drop:
            mask[query, key] = bias
    with torch.no_grad():
        output = engine.model(
            torch.tensor([tokens]),
            attention_mask=mask[None, None],
            position_ids=torch.tensor([[place + drop for place in places]]),
            output_attentions=True,
            use_cache=False,
        )
    read = torch.stack(output.attentions)[:, 0, :, start:, :start].mean((1, 2))  # (layers, memory tokens)
    shares = torch.stack([read[:, torch.tensor(owners) == number].sum(1) for number in range(len(memories))], 1)
    return output.logits[0, start:], shares
