"""Leave one out: how likely an answer is with all memories, without each of them, and without any."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ...store.errors import EngineError
from .function import listening
from .merge import Reader
from .report import Effects

__all__ = ["effects"]

_TOKENS = 2**13  # of all rows of one pass
_LOGITS = 2**26  # of one pass: 256 MiB


def effects(
    model: PreTrainedModel,
    readers: Mapping[nn.Module, Reader],
    memories: int,
    prompt: Sequence[int],
    answer: Sequence[int],
) -> Effects:
    """Returns how much likelier each memory makes an answer; see `Effects` for what that is.

    The memories stay where they are, and each row of a batch hides others: none, one of them, all.

    Args:
        model: whose answer it is.
        readers: attention layer -> what reads the memories there, each a part of its own.
        memories: how many there are.
        prompt: the tokens before the answer.
        answer: its tokens.

    Raises:
        EngineError: the prompt or the answer has no token, or they do not fit into the model's context.
    """
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    length = len(prompt) + len(answer)
    if not prompt or not answer:
        raise EngineError(
            f"the {'answer' if prompt else 'prompt'} has no token, so there is no likelihood of an answer"
        )
    if limit is not None and length > limit:
        raise EngineError(f"prompt and answer have {length} tokens, the model's context has {limit}")
    none, each, every = torch.zeros(1, memories), torch.eye(memories), torch.ones(1, memories)
    hidden = torch.cat((none, each, every)).bool()
    rows = max(1, min(_TOKENS // length, _LOGITS // (len(answer) * model.config.get_text_config().vocab_size)))
    parts = [_likelihoods(model, readers, part, prompt, answer) for part in torch.split(hidden, rows)]
    found = torch.cat(parts).tolist()
    return Effects(len(answer), found[0], tuple(found[1:-1]), found[-1])


def _likelihoods(
    model: PreTrainedModel,
    readers: Mapping[nn.Module, Reader],
    hidden: Tensor,
    prompt: Sequence[int],
    answer: Sequence[int],
) -> Tensor:
    """Returns the logarithm of the answer's likelihood for each row of ``hidden``, float64."""
    ids = torch.tensor([[*prompt, *answer]], device=model.device).expand(len(hidden), -1)
    few = {"logits_to_keep": len(answer) + 1} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}
    with torch.no_grad(), listening(model, {layer: reader.hiding(hidden) for layer, reader in readers.items()}):
        output = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, **few)
    logits: Tensor = output.logits[:, -len(answer) - 1 : -1].float()
    wanted = ids[:, -len(answer) :, None]
    return (logits.gather(2, wanted) - logits.logsumexp(2, keepdim=True))[..., 0].double().sum(1)
