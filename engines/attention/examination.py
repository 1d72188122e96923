"""The injection gate: a model attends to memories exactly, or it is refused with the reason.

The gate knows no model class. It encodes random tokens once as a prompt and once as a memory, and compares what
the model says next. What it changes on the model lasts no longer than its blocks; random numbers are its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.generation.utils import GenerateDecoderOnlyOutput

from ...store.errors import UnsupportedModel
from ...store.form import Record
from .attend import attending
from .capture import Layer, write
from .function import Listener, listening
from .merge import matmul_attention
from .probe import check_kind, describe, probe
from .report import GateReport

__all__ = ["Examination", "examine", "gate"]

_TOLERANCE = 1e-4  # of the logits' standard deviation, in float32
_EFFECT = 2  # a memory must move the logits by this many tolerances
_PREFIX, _CONTEXT, _ANSWER = 24, 12, 64  # tokens
_UNLIMITED = 1_000_000

# What an unforeseen architecture raises when it is called in the common way.
_UNFORESEEN = (TypeError, ValueError, RuntimeError, LookupError, AttributeError)


@dataclass(frozen=True, slots=True)
class Examination:
    """A report and, for a model that passed, its layers."""

    report: GateReport
    layers: tuple[Layer, ...]


@dataclass(frozen=True, slots=True)
class _Sample:
    """Random tokens: a prefix that begins with the tokenizer's first token if it has one, and a context after it."""

    prefix: list[int]
    context: list[int]
    answer: int


@dataclass(frozen=True, slots=True)
class _Answer:
    """Generated tokens, and the logits that each was chosen by, float32, shape (vocabulary,)."""

    tokens: list[int]
    logits: list[Tensor]


_passed: WeakKeyDictionary[PreTrainedModel, Examination] = WeakKeyDictionary()
_lock = threading.RLock()


def gate(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> GateReport:
    """Examines whether ``model`` attends to injected memories exactly as to their words in the prompt.

    In float32 the logits may differ by 1e-4 of their standard deviation; in half precision by twice as much as
    two kernels of the same attention differ on the prompt itself. Greedy generation must give the same tokens, up
    to the first tie that is closer than that.

    Returns:
        The report; a model that cannot be supported is refused in it, with the reason, and never raises.
    """
    return examine(model, tokenizer).report


def examine(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Examination:
    """Returns what `gate` found, and the layers; a pass is remembered as long as the model object lives."""
    with _lock:
        known = _passed.get(model)
        if known is not None and not model.training:
            return known
        examination = _examine(model, tokenizer)
        if examination.report.verdict == "exact":
            _passed[model] = examination
        return examination


def _examine(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Examination:
    report = GateReport(str(model.config.model_type), (), None, None, "refused", "")
    try:
        check_kind(model)
        sample = _sample(model, tokenizer)
        layers = probe(model, sample.prefix)
        report = replace(report, layers=describe(layers))
        report = _compare(model, layers, sample, report)
    except UnsupportedModel as refusal:
        return Examination(replace(report, reason=str(refusal)), ())
    except torch.OutOfMemoryError:
        raise
    except _UNFORESEEN as failure:
        reason = f"examining it failed with {type(failure).__name__}: {failure}"
        return Examination(replace(report, reason=reason), ())
    return Examination(report, layers if report.verdict == "exact" else ())


def _compare(model: PreTrainedModel, layers: Sequence[Layer], sample: _Sample, report: GateReport) -> GateReport:
    """Returns the report with its measurements and verdict."""
    words = sample.prefix + sample.context
    prompt = _logits(model, words)[len(sample.prefix) :]
    unit = float(prompt.std())
    wanted = _greedy(model, words, sample.answer)
    tolerance = _tolerance(model, sample, wanted, unit)
    record = write(model, layers, sample.prefix)
    # Here sliding layers read the memory too, as far as their windows reach: only so is the prompt the same.
    everywhere = [replace(layer, remembers=True) for layer in layers]
    with attending(model, everywhere, [record], bias=0.0):
        injected = _logits(model, sample.context)
        found = _greedy(model, sample.context, sample.answer)
    equal, drift = _equal(found, wanted, close=tolerance * unit)
    difference = max(float((injected - prompt).abs().max()), drift) / unit
    report = replace(report, max_relative_logit_diff=difference, greedy_equal=equal)
    if not difference <= tolerance:  # also if it is not a number
        return replace(
            report,
            reason=f"with a memory injected its logits differ by {difference:.1e} standard deviations from "
            f"those with the same tokens in the prompt ({tolerance:.1e} is allowed): something else than keys "
            "and values depends on what it has read",
        )
    if not equal:
        return replace(
            report, reason="greedy generation with a memory injected leaves that with its words in the prompt"
        )
    effect = _effect(model, layers, record, sample) / unit
    if effect <= _EFFECT * tolerance:
        return replace(
            report,
            reason=f"memory has no effect: removing it moves its logits by {effect:.1e} standard deviations, "
            f"and {tolerance:.1e} may be rounding in {str(model.dtype).removeprefix('torch.')}",
        )
    return replace(report, verdict="exact")


def _sample(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> _Sample:
    config = model.config.get_text_config()
    limit = getattr(config, "max_position_embeddings", None) or _UNLIMITED
    first = [] if tokenizer.bos_token_id is None else [int(tokenizer.bos_token_id)]
    special = set(tokenizer.all_special_ids)
    ordinary = [token for token in range(min(config.vocab_size, 50_000)) if token not in special]
    prefix, context = min(_PREFIX, limit // 4), min(_CONTEXT, limit // 8)
    drawn = np.random.default_rng(0).choice(ordinary, prefix + context).tolist()
    tokens = first + drawn[len(first) :]
    return _Sample(tokens[:prefix], tokens[prefix:], min(_ANSWER, limit - prefix - context))


def _logits(model: PreTrainedModel, tokens: Sequence[int], *, start: int = 0) -> Tensor:
    """Returns the logits of every position, counted from ``start``, float32, shape (tokens, vocabulary)."""
    ids = torch.tensor([tokens], device=model.device)
    places = torch.arange(start, start + len(tokens), device=model.device)[None]
    with torch.no_grad():
        output = model(input_ids=ids, attention_mask=torch.ones_like(ids), position_ids=places, use_cache=False)
    return cast("Tensor", output.logits)[0].float()


def _tolerance(model: PreTrainedModel, sample: _Sample, answer: _Answer, unit: float) -> float:
    """Returns by how many standard deviations logits may differ.

    In half precision that is twice what rounding alone does to them: between two kernels, between reading a text
    at once and step by step, and between two places of the same text.
    """
    if model.dtype in (torch.float32, torch.float64):
        return _TOLERANCE
    words = sample.prefix + sample.context
    text = words + answer.tokens
    own = _logits(model, text)
    listeners: dict[torch.nn.Module, Listener | None] = dict.fromkeys(model.modules(), matmul_attention)
    with listening(model, listeners):
        kernels = own - _logits(model, text)
    steps = own[len(words) - 1 : -1] - torch.stack(answer.logits)
    places = own - _logits(model, text, start=len(sample.prefix))
    return max(_TOLERANCE, 2 * max(float(noise.abs().max()) for noise in (kernels, steps, places)) / unit)


def _greedy(model: PreTrainedModel, tokens: Sequence[int], length: int) -> _Answer:
    """Returns a greedy answer of exactly ``length`` tokens."""
    # Stated one by one, because what is left open is taken from the model's own generation config; and a
    # repetition penalty, for one, would see the words of a prompt, but not those of a memory.
    own = model.generation_config.max_new_tokens
    settings = GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=None if own is None else length,
        max_length=len(tokens) + length if own is None else None,
        min_new_tokens=length,
        do_sample=False,
        num_beams=1,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        pad_token_id=0,
        output_logits=True,
        return_dict_in_generate=True,
    )
    generate = cast("Callable[..., GenerateDecoderOnlyOutput]", model.generate)
    ids = torch.tensor([tokens], device=model.device)
    with torch.no_grad():
        output = generate(input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=settings)
    logits = [step[0].float() for step in output.logits or ()]
    return _Answer(output.sequences[0, len(tokens) :].tolist(), logits)


def _equal(found: _Answer, wanted: _Answer, *, close: float) -> tuple[bool, float]:
    """Compares two answers; a first difference between tokens closer than ``close`` is a tie, not an error.

    Returns:
        whether they are equal, and the largest difference of the logits as far as they are.
    """
    largest = 0.0
    steps = zip(found.tokens, wanted.tokens, found.logits, wanted.logits, strict=True)
    for mine, own, my_logits, own_logits in steps:
        largest = max(largest, float((my_logits - own_logits).abs().max()))
        if mine != own:
            return float(own_logits[own] - own_logits[mine]) <= close, largest
    return True, largest


def _effect(model: PreTrainedModel, layers: Sequence[Layer], record: Record, sample: _Sample) -> float:
    """Returns by how much a memory, read as it is in use, moves the logits."""
    with attending(model, layers, [record], bias="log_n"):
        remembering = _logits(model, sample.context)
    return float((remembering - _logits(model, sample.context)).abs().max())
