"""Models of random weights in the shapes of real ones: speed does not depend on the weights."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

__all__ = ["SHAPES", "random_model", "wordless_tokenizer"]

PLACES = 131_072  # positions

# 100.1M parameters, and the shapes of Llama-3.1-8B and Qwen3-4B
SHAPES: dict[str, tuple[str, dict[str, object]]] = {
    "llama100m": (
        "llama",
        {
            "vocab_size": 32_000,
            "hidden_size": 768,
            "intermediate_size": 2_048,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "num_key_value_heads": 4,
            "tie_word_embeddings": True,
        },
    ),
    "llama8b": (
        "llama",
        {
            "vocab_size": 128_256,
            "hidden_size": 4_096,
            "intermediate_size": 14_336,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "tie_word_embeddings": False,
        },
    ),
    "qwen4b": (
        "qwen3",
        {
            "vocab_size": 151_936,
            "hidden_size": 2_560,
            "intermediate_size": 9_728,
            "num_hidden_layers": 36,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "tie_word_embeddings": True,
        },
    ),
}


def random_model(shape: str, *, device: str, layers: int | None = None) -> PreTrainedModel:
    """Returns a model of `SHAPES`, float32 on the CPU, bfloat16 on a GPU, built where it stays.

    Args:
        shape: its name.
        device: ``"cpu"`` or ``"cuda"``.
        layers: how many, if not as many as the shape has.
    """
    kind, settings = SHAPES[shape]
    more = {} if layers is None else {"num_hidden_layers": layers}
    # Wider than usual, so that attention is not all but even: the gate asks whether a memory has an effect.
    wide = 1.5 * float(str(settings["hidden_size"])) ** -0.5
    config = AutoConfig.for_model(
        kind, **(settings | more), max_position_embeddings=PLACES, initializer_range=wide, bos_token_id=1
    )
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16 if device == "cuda" else torch.float32)
    try:
        with torch.device(device):
            model: PreTrainedModel = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    finally:
        torch.set_default_dtype(torch.float32)
    model.train(False)
    return model


def wordless_tokenizer() -> PreTrainedTokenizerFast:
    """Returns a tokenizer that has a first token and no words: for what is given as tokens."""
    words = Tokenizer(WordLevel({"<pad>": 0, "<s>": 1, "</s>": 2}, unk_token="</s>"))
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=words, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )
