"""Tiny random language models, built from their real config classes without a download.

Their query and key weights are drawn large, so that attention is peaked: with the usual small weights attention is
nearly uniform, a memory hardly moves the logits, and every test of exactness would pass trivially.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import cast

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

from tercet.engines.attention import AttentionEngine

torch.set_num_threads(1)  # matrices this small gain nothing from threads, and lose much on a busy machine

VOCABULARY = 96
WINDOW = 16
_PEAKED = 1.7  # the largest weight of a query is then 0.5 on average, over some 30 keys

_COMMON: dict[str, object] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 256,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "tie_word_embeddings": False,
}
_ALTERNATING = ["sliding_attention", "full_attention"] * 2
_ONE_HEAD_EACH: dict[str, object] = {"num_key_value_heads": 4}
_GPT2: dict[str, object] = {"n_embd": 64, "n_layer": 4, "n_head": 4, "n_positions": 256}
_LATENT: dict[str, object] = {
    "kv_lora_rank": 16,
    "q_lora_rank": 16,
    "head_dim": 8,  # of what is rotated
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 16,
    "v_head_dim": 12,
    "num_key_value_heads": 4,
    "moe_intermediate_size": 32,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "n_group": 1,
    "topk_group": 1,
    "first_k_dense_replace": 1,
}
_YARN: dict[str, object] = {
    "rope_type": "yarn",
    "factor": 4.0,
    "rope_theta": 10000.0,
    "original_max_position_embeddings": 64,
}
_LLAMA3: dict[str, object] = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}

# name -> model type, and what differs from the common settings
FAMILIES: dict[str, tuple[str, dict[str, object]]] = {
    "bloom": ("bloom", {"n_layer": 4, "n_head": 4}),
    "cohere2": ("cohere2", {"sliding_window": WINDOW, "layer_types": _ALTERNATING}),
    "deepseek_v3": (
        "deepseek_v3",
        _LATENT,
    ),
    "deepseek_v32": (
        "deepseek_v32",
        _LATENT,
    ),
    "falcon_h1": ("falcon_h1", {"mamba_d_ssm": 64, "mamba_n_heads": 4, "mamba_d_state": 16}),
    "gemma2": ("gemma2", {"sliding_window": WINDOW, "layer_types": _ALTERNATING, "query_pre_attn_scalar": 16}),
    "gemma3": ("gemma3_text", {"sliding_window": WINDOW, "layer_types": _ALTERNATING, "query_pre_attn_scalar": 16}),
    "glm4": ("glm4", {}),
    "gpt2": ("gpt2", _GPT2),
    "gpt_neox": ("gpt_neox", _ONE_HEAD_EACH),
    "gpt_oss": (
        "gpt_oss",
        {"sliding_window": WINDOW, "layer_types": _ALTERNATING, "num_local_experts": 2, "num_experts_per_tok": 1},
    ),
    "granite": ("granite", {"attention_multiplier": 0.25}),
    "lfm2": ("lfm2", {"layer_types": ["conv", "full_attention"] * 2}),
    "llama": ("llama", {}),
    "llama3_rope": ("llama", {"rope_parameters": _LLAMA3}),
    "longrope": (
        "phi3",
        {
            "original_max_position_embeddings": 64,
            "rope_parameters": {
                "rope_type": "longrope",
                "rope_theta": 10000.0,
                "short_factor": [1.0] * 8,
                "long_factor": [2.0] * 8,
                "original_max_position_embeddings": 64,
            },
        },
    ),
    "mistral": ("mistral", {"sliding_window": None}),
    "mistral_sliding": ("mistral", {"sliding_window": WINDOW}),
    "mpt": ("mpt", {"d_model": 64, "n_heads": 4, "n_layers": 4, "max_seq_len": 256}),
    "olmo2": ("olmo2", {}),
    "opt": ("opt", {"ffn_dim": 96, "word_embed_proj_dim": 64}),
    "phi": ("phi", {"partial_rotary_factor": 0.5}),
    "phi3": ("phi3", {}),
    "qwen2": ("qwen2", {}),
    "qwen3": ("qwen3", {}),
    "smollm3": ("smollm3", {"no_rope_layers": [1, 1, 1, 0]}),
    "yarn": ("llama", {"rope_parameters": _YARN}),
}


def tiny_model(family: str, *, base: str | None = None, seed: int = 0, **settings: object) -> PreTrainedModel:
    """Returns a random model of a family of `FAMILIES`, with its base attention if one is named."""
    kind, special = FAMILIES[family]
    config = AutoConfig.for_model(kind, **(_COMMON | special | settings))
    if kind == "gemma2":
        base = "eager"  # older versions of transformers let sdpa run, and leave the cap of the logits out
    options = {} if base is None else {"attn_implementation": base}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        build = cast("Callable[..., PreTrainedModel]", AutoModelForCausalLM.from_config)
        model = build(config, **options)
        _sharpen(model)
    return cast("PreTrainedModel", model.train(False))


@cache
def shared_engine(family: str, base: str | None = None) -> AttentionEngine:
    """Returns the engine of a tiny model that all tests share, examined once; whoever uses it leaves it as it was."""
    return AttentionEngine(tiny_model(family, base=base), tiny_tokenizer())


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Returns a tokenizer of words ``w3`` to ``w95`` with a first token, as the tiny models know them."""
    names = ["<pad>", "<s>", "</s>", *(f"w{number}" for number in range(3, VOCABULARY))]
    words = Tokenizer(WordLevel({name: number for number, name in enumerate(names)}, unk_token="</s>"))
    words.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=words, bos_token="<s>", eos_token="</s>", pad_token="<pad>", padding_side="left"
    )


def words(*numbers: int) -> str:
    """Returns the text whose tokens are ``numbers``."""
    return " ".join(f"w{number}" for number in numbers)


def shared_model(name: str) -> Path:
    """Returns the folder of a real tiny model among the shared data, or skips the test."""
    shared = Path(__file__).parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("TERCET_DATA", shared)) / "models" / name
    if not folder.is_dir():
        pytest.skip(f"the shared data is missing: {folder} (set TERCET_DATA)")
    return folder


def _sharpen(model: PreTrainedModel) -> None:
    """Draws every matrix anew: wide for queries and keys, to scale elsewhere."""
    for name, weight in model.named_parameters():
        if "q_norm" in name or "k_norm" in name:
            weight.data.add_(_PEAKED - 1)
        elif "sinks" in name or name.endswith("bias"):
            torch.nn.init.normal_(weight, std=0.3)
        if weight.dim() < 2:
            continue
        peaked = any(part in name for part in ("q_proj", "k_proj", "qkv", "query_key_value", "c_attn", "Wqkv"))
        gain = _PEAKED if peaked else 1.0
        torch.nn.init.normal_(weight, std=1.0 if "embed" in name or "wte" in name else gain * weight.shape[-1] ** -0.5)
