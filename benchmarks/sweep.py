"""Examines every decoder type that transformers can build tiny: exact, refused with a reason, or wrong.

Each type of `AutoModelForCausalLM` is built from its own config class, made small, with random weights of peaked
attention. The gate examines it. What it calls exact is examined once more without the gate: other tokens, other
lengths, and two memories in one batch with padding; a difference there makes the type *wrong*, which none may be.
What cannot be built from settings that fit all is told too, with the error.

    python benchmarks/sweep.py [--types NAME ...] [--json FILE]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from select import select
from typing import cast

import click
import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
from transformers.utils import logging

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.machine import machine  # noqa: E402
from benchmarks.random_models import wordless_tokenizer  # noqa: E402

from tercet.engines.attention.attend import attending  # noqa: E402
from tercet.engines.attention.capture import write  # noqa: E402
from tercet.engines.attention.examination import Examination, examine  # noqa: E402

SECONDS = 90  # for one type
LARGEST = 20_000_000  # parameters: what the settings below have not made small is not built
TOLERANCE = 1e-4  # of the logits' standard deviation
PEAKED = 1.7
WINDOW = 16

# Set where a config has them; the first way of setting that gives a model which runs is taken.
SMALL: dict[str, object] = {
    "vocab_size": 96,
    "hidden_size": 64,
    "d_model": 64,
    "n_embd": 64,
    "embed_dim": 64,
    "embedding_size": 64,
    "word_embed_proj_dim": 64,
    "intermediate_size": 96,
    "ffn_dim": 96,
    "ffn_hidden_size": 96,
    "feed_forward_hidden_size": 96,
    "decoder_ffn_dim": 96,
    "encoder_ffn_dim": 96,
    "num_hidden_layers": 4,
    "num_layers": 4,
    "n_layer": 4,
    "decoder_layers": 4,
    "encoder_layers": 1,
    "num_attention_heads": 4,
    "n_head": 4,
    "n_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "global_head_dim": 16,
    "kv_channels": 16,
    "max_position_embeddings": 256,
    "n_positions": 256,
    "max_seq_len": 256,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "tie_word_embeddings": False,
    "sliding_window": WINDOW,
    "attention_chunk_size": 64,
    "num_experts": 4,
    "num_local_experts": 4,
    "n_routed_experts": 4,
    "moe_num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_topk": 2,
    "moe_k": 2,
    "n_group": 1,
    "topk_group": 1,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 32,
    "moe_shared_expert_intermediate_size": 32,
    "shared_intermediate_size": 32,
    "expert_ffn_hidden_size": 32,
    "intermediate_size_mlp": 96,
    "first_k_dense_replace": 1,
    "kv_lora_rank": 16,
    "q_lora_rank": 16,
    "qk_rope_head_dim": 16,
    "qk_nope_head_dim": 16,
    "v_head_dim": 16,
    "index_head_dim": 16,
    "index_n_heads": 4,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "mamba_d_ssm": 64,
    "mamba_n_heads": 4,
    "mamba_num_heads": 4,
    "mamba_d_state": 16,
    "mamba_d_head": 16,
    "mamba_head_dim": 16,
    "ssm_state_size": 16,
    "state_size": 16,
    "lru_width": 64,
    "query_pre_attn_scalar": 16,
    "hidden_size_per_layer_input": 16,
    "vocab_size_per_layer_input": 96,
    "altup_num_inputs": 2,
    "laurel_rank": 8,
    "num_kv_shared_layers": 0,
    "num_nextn_predict_layers": 0,
    "head_size": 16,
    "attention_hidden_size": 64,
    "dim_model": 64,
    "dim_ff": 96,
    "dim_head": 16,
}
EVEN: dict[str, object] = {"num_key_value_heads": 4}  # heads that share nothing
SPLIT: dict[str, object] = {"layer_types": ["sliding_attention", "full_attention"] * 2}
FULL: dict[str, object] = {"layer_types": ["full_attention"] * 4}
ONE: dict[str, object] = {"num_experts_per_tok": 1}
WAYS: tuple[dict[str, object], ...] = (SPLIT, {}, FULL, EVEN | SPLIT, EVEN, EVEN | FULL, EVEN | FULL | ONE)
# What some config classes have under another name, or do not let others set.
SPECIAL: dict[str, dict[str, object]] = {
    "dbrx": {"attn_config": {"kv_n_heads": 2, "rope_theta": 10_000.0}, "ffn_config": {"ffn_hidden_size": 32}},
    "dots1": {"n_shared_experts": 1, "sliding_window": None},
    "falcon": {"head_dim": None, "alibi": False},
    "gemma4_text": {"enable_moe_block": False, "hidden_size_per_layer_input": 0},
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one type.

    Attributes:
        type: as transformers names it.
        verdict: ``"exact"``, ``"refused"``, ``"wrong"`` or ``"not built"``.
        difference: largest difference of the logits over their standard deviation that the gate saw.
        again: the same, seen without the gate.
        layers: what the gate says of each layer.
        reason: why it was refused or not built.
    """

    type: str
    verdict: str
    difference: float | None
    again: float | None
    layers: tuple[str, ...]
    reason: str


def examined(kind: str) -> Finding:
    """Builds a type and says what the gate and the second look found."""
    try:
        model = built(kind)
    except Exception as failure:  # noqa: BLE001  # whatever a config class or a model file raises is the finding
        return Finding(kind, "not built", None, None, (), f"{type(failure).__name__}: {failure}"[:300])
    examination = examine(model, wordless_tokenizer())
    report = examination.report
    if report.verdict != "exact":
        return Finding(kind, "refused", report.max_relative_logit_diff, None, report.layers, report.reason[:300])
    again = second_look(model, examination)
    verdict = "exact" if again <= TOLERANCE else "wrong"
    return Finding(kind, verdict, report.max_relative_logit_diff, again, report.layers, "")


def second_look(model: PreTrainedModel, examination: Examination) -> float:
    """Returns the largest difference between memories and prompts for rows of other lengths, in one padded batch."""
    everywhere = [replace(layer, remembers=True) for layer in examination.layers]
    largest = 0.0
    for seed, length in ((1, 5), (2, 13), (3, 31)):
        drawn = torch.randint(3, 90, (length + 9,), generator=torch.Generator().manual_seed(seed)).tolist()
        memory, context = [1, *drawn[:length]], drawn[length:]
        record = write(model, everywhere, memory)
        rows = torch.tensor([context, [0] * 4 + context[:5]])
        mask = torch.tensor([[1] * 9, [0] * 4 + [1] * 5])
        places = (mask.cumsum(1) - 1).clamp_min(0)
        with torch.no_grad():
            wanted = [
                model(input_ids=torch.tensor([[*memory, *part]])).logits[0, len(memory) :]
                for part in (context, context[:5])
            ]
            with attending(model, everywhere, [record], bias=0.0):
                found = model(input_ids=rows, attention_mask=mask, position_ids=places).logits
        for row, right in zip(found, wanted, strict=True):
            difference = (row[-len(right) :] - right).abs().max() / right.std()
            largest = max(largest, float(difference))
    return largest


def built(kind: str) -> PreTrainedModel:
    """Returns a small random model of a type that has run once.

    Raises:
        Exception: no way of setting its config gave one; the first error is raised.
    """
    first: Exception | None = None
    for way in WAYS:
        try:
            config = small(AutoConfig.for_model(kind), SMALL | way | SPECIAL.get(kind, {}))
            with torch.device("meta"):
                outline = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
            size = sum(weight.numel() for weight in outline.parameters())
            if size > LARGEST:
                raise ValueError(f"{size / 1e6:,.0f} M parameters after making small what is known to be large")
            torch.manual_seed(0)
            model = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
            sharpen(model)
            model.train(False)
            with torch.no_grad():
                model(input_ids=torch.tensor([[1, 5, 9, 4]]))
        except Exception as failure:  # noqa: BLE001  # the next way may do
            first = first or failure
        else:
            found: PreTrainedModel = model
            return found
    raise first or RuntimeError("no way of setting it")


def small(default: PreTrainedConfig, settings: dict[str, object]) -> PreTrainedConfig:
    """Returns a config like ``default`` with those settings that it has, and its parts in the same way.

    Kinds of layers that are not attention stay among its layers: without them it would be another type.
    """
    own = {key: value for key, value in settings.items() if _has(default, key)}
    kinds = list(dict.fromkeys(getattr(default, "layer_types", None) or ()))
    if not kinds or not isinstance(vars(default).get("layer_types"), list):
        own.pop("layer_types", None)
    elif set(kinds) - {"full_attention", "sliding_attention"}:
        own["layer_types"] = (kinds * 4)[:4]
    parts = {
        name: small(part, settings).to_dict()
        for name in default.sub_configs
        if isinstance(part := getattr(default, name, None), PreTrainedConfig)
    }
    for name in ("mlp_only_layers", "moe_layers", "layers_block_type", "mlp_layer_types", "no_rope_layers"):
        value = vars(default).get(name)
        if isinstance(value, list) and len(value) > 4:
            own[name] = value[:4]
    kind = cast("Callable[..., PreTrainedConfig]", type(default))
    return kind(**(own | parts))


def _has(config: PreTrainedConfig, key: str) -> bool:
    """Returns whether a setting of a config can be given; some are computed, or kept for each layer."""
    computed = getattr(type(config), key, None)
    if isinstance(computed, property) and computed.fset is None:
        return False
    return key in vars(config) or key in type(config).attribute_map


def sharpen(model: PreTrainedModel) -> None:
    """Draws every matrix anew: wide for queries and keys, to scale elsewhere."""
    for name, weight in model.named_parameters():
        if "q_norm" in name or "k_norm" in name:
            weight.data.add_(PEAKED - 1)
        if weight.dim() < 2:
            continue
        peaked = any(part in name for part in ("q_proj", "k_proj", "qkv", "query_key_value", "c_attn", "Wqkv"))
        scale = (PEAKED if peaked else 1.0) * weight.shape[-1] ** -0.5
        torch.nn.init.normal_(weight, std=1.0 if "embed" in name or "wte" in name else scale)


def findings(kinds: Sequence[str]) -> Iterator[Finding]:
    """Examines types in a process of their own, and starts another one after a type that ended or outlasted it."""
    waiting = list(kinds)
    while waiting:
        command = [sys.executable, str(Path(__file__)), "--worker", *(f"--types={kind}" for kind in waiting)]
        quiet = os.environ | {"PYTHONWARNINGS": "ignore"}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=quiet
        ) as worker:
            while waiting and worker.stdout is not None:
                ready, _, _ = select([worker.stdout], [], [], SECONDS)
                line = worker.stdout.readline() if ready else ""
                if not line:
                    reason = "its process ended" if ready else f"it took more than {SECONDS} seconds"
                    yield Finding(waiting.pop(0), "not built", None, None, (), reason)
                    break
                if line.startswith("{"):
                    fields = json.loads(line)
                    waiting.remove(fields["type"])
                    yield Finding(**fields | {"layers": tuple(fields["layers"])})
            worker.kill()


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--types", multiple=True, help="Only these; repeatable.")
@click.option("--worker", is_flag=True, hidden=True, help="Print findings as lines of JSON.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the findings go.")
def main(types: tuple[str, ...], worker: bool, json_path: Path | None) -> None:
    """Examines all types and prints the tables."""
    torch.set_num_threads(1)
    kinds = types or tuple(sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES))
    if worker:
        logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        for kind in kinds:
            print(json.dumps(asdict(examined(kind))), flush=True)
        return
    console = Console()
    found: list[Finding] = []
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=len(kinds))
        for finding in findings(kinds):
            found.append(finding)
            counts = Counter(one.verdict for one in found)
            progress.update(task, advance=1, description=f"{finding.type}: {finding.verdict}; {dict(counts)}")
    table = Table(title=f"{len(found)} decoder types", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("verdict", "types", "which, or why"):
        table.add_column(heading)
    for verdict in ("wrong", "exact", "refused", "not built"):
        some = [one for one in found if one.verdict == verdict]
        named = [one.type if verdict in ("wrong", "exact") else f"{one.type}: {one.reason[:100]}" for one in some]
        table.add_row(verdict, f"{len(some)}", (", " if verdict in ("wrong", "exact") else "\n").join(named))
    console.print(table)
    if json_path is None and not types:
        json_path = ROOT / "benchmarks" / "results" / "sweep.json"
    if json_path:
        counts = Counter(one.verdict for one in found)
        whole = {"benchmark": "sweep", "machine": machine(), "counts": counts, "types": [asdict(one) for one in found]}
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(whole, indent=2) + "\n")
    if any(one.verdict == "wrong" for one in found):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
