"""A cross-encoder: a model that reads question and text together and says how well they fit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from ..store.errors import EngineError, InvalidInput
from .encoder import checked
from .encoder_files import model_folder, require_torch
from .quiet import no_progress_bars

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["CrossEncoder"]

_TOKENS_PER_BATCH = 4_096


class CrossEncoder:
    """Any sequence-classification model of transformers with one score, or with two classes: no and yes.

    Weights are read from safetensors only, and a model's own code is never run.

    Args:
        model: a folder, or a name on the Hugging Face hub, for example ``"cross-encoder/ms-marco-MiniLM-L6-v2"``.
        max_tokens: where question and text together are cut; the text loses first.
        device: where torch runs it, for example ``"cuda"``.
        download: whether a hub model that is not on this machine yet may be downloaded.
        weight: how much its word counts beside the score of the forms.

    Raises:
        MissingExtra: torch or transformers is not installed.
        EngineError: there is no such model here.
        InvalidInput: ``max_tokens`` or ``weight`` out of range.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        max_tokens: int = 256,
        device: str = "cpu",
        download: bool = False,
        weight: float = 1.0,
    ) -> None:
        if max_tokens < 8 or not weight >= 0:
            raise InvalidInput(f"max_tokens={max_tokens}, weight={weight}; give at least 8 tokens and a weight from 0")
        require_torch()
        self._folder = model_folder(model, download=download)
        self.weight = weight
        self._max_tokens = max_tokens
        self._device = device
        self._loading = Lock()
        self._loaded: tuple[PreTrainedTokenizerBase, PreTrainedModel] | None = None

    def rank(self, question: str, texts: Sequence[str]) -> list[float]:
        """Returns how well each text fits the question: the model's score, or its logit of yes over no.

        Raises:
            EngineError: the model cannot be loaded, fails, or has other outputs than one score or two classes.
            InvalidInput: a value that is no text, or ``max_tokens`` is more than the model can read.
        """
        import torch

        (question,), texts = checked([question]), checked(texts)
        tokenizer, model = self._load()
        most = getattr(model.config, "max_position_embeddings", None)
        if most is not None and self._max_tokens > most:
            raise InvalidInput(f"max_tokens={self._max_tokens}; the model reads {most} tokens: give at most so many")
        question = self._cut(tokenizer, question)
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        scores = [0.0] * len(texts)
        step = max(1, _TOKENS_PER_BATCH // self._max_tokens)
        for start in range(0, len(order), step):
            part = order[start : start + step]
            given: Any = tokenizer(
                [question] * len(part),
                [texts[place] for place in part],
                truncation="only_second",
                max_length=self._max_tokens,
                padding=True,
                return_tensors="pt",
            )
            try:
                with torch.inference_mode():
                    logits = model(**given.to(self._device)).logits.float()
            except Exception as error:
                raise EngineError(f"the cross-encoder in {self._folder} failed: {error}") from error
            found = logits[:, 0] if logits.shape[-1] == 1 else logits[:, 1] - logits[:, 0]
            for place, score in zip(part, found.tolist(), strict=True):
                scores[place] = score
        return scores

    def _cut(self, tokenizer: PreTrainedTokenizerBase, question: str) -> str:
        """Returns a question without what leaves no room for at least one token of a text."""
        room = self._max_tokens - tokenizer.num_special_tokens_to_add(pair=True) - 1
        tokens = tokenizer(question, add_special_tokens=False, verbose=False)["input_ids"]
        kept = room
        while len(tokens) > room and kept > 0:  # what is decoded may be spelt in more tokens than it had
            question = str(tokenizer.decode(tokens[:kept]))
            tokens = tokenizer(question, add_special_tokens=False, verbose=False)["input_ids"]
            kept -= 1
        return question

    def _load(self) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        with self._loading:
            if self._loaded is None:
                options = {"local_files_only": True, "trust_remote_code": False}
                try:
                    with no_progress_bars():
                        tokenizer = AutoTokenizer.from_pretrained(self._folder, **options)
                        model, report = AutoModelForSequenceClassification.from_pretrained(
                            self._folder, use_safetensors=True, output_loading_info=True, **options
                        )
                except (OSError, ValueError, RuntimeError, LookupError, ImportError) as error:
                    raise EngineError(f"cannot load the cross-encoder in {self._folder}: {error}") from error
                if missing := sorted(report["missing_keys"]):
                    raise EngineError(
                        f"the weights in {self._folder} lack {len(missing)} tensors of a cross-encoder, first "
                        f"{missing[0]}; an embedding model is none"
                    )
                if model.config.num_labels not in (1, 2):
                    raise EngineError(
                        f"the model in {self._folder} has {model.config.num_labels} classes; a cross-encoder has one "
                        "score, or two classes"
                    )
                tokenizer.padding_side = "right"  # many pool the first token, whose position is 0
                if tokenizer.pad_token is None:
                    if tokenizer.eos_token is None:
                        raise EngineError(
                            f"the tokenizer in {self._folder} has neither a pad nor an eos token; set one"
                        )
                    tokenizer.pad_token = tokenizer.eos_token
                if model.config.pad_token_id is None:  # where a decoder looks for the last token of a text
                    model.config.pad_token_id = tokenizer.pad_token_id
                self._loaded = tokenizer, model.to(self._device).eval()
            return self._loaded
