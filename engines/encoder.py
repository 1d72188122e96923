"""A sentence encoder of transformers: texts to tokens, tokens to one unit vector each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import numpy as np

from ..store.errors import EngineError, InvalidInput
from ..store.form import Vector
from .encoder_files import require_torch
from .quiet import no_progress_bars

if TYPE_CHECKING:
    import torch

__all__ = ["Encoder", "Precision", "checked"]

Precision = Literal["auto", "float32", "bfloat16"]

# Measured best on two CPU cores; the activations of larger batches fall out of the processor's cache.
_TOKENS_PER_BATCH = 2048


class Encoder:
    """A transformers encoder and its tokenizer, loaded once by whichever thread needs them first."""

    def __init__(
        self,
        find: Callable[[], Path],
        *,
        pooling: Literal["mean", "cls"],
        max_tokens: int,
        device: str,
        precision: Precision,
    ) -> None:
        """Remembers how to load; `find` returns the folder of the model and is called once, at first use.

        Raises:
            InvalidInput: an unknown precision.
        """
        if precision not in get_args(Precision):
            raise InvalidInput(f"precision={precision!r}; it must be one of {', '.join(get_args(Precision))}")
        self._precision = precision
        self._find = find
        self._pooling = pooling
        self._max_tokens = max_tokens
        self._device = device
        self._lock = Lock()
        self._loaded: tuple[Any, Any] | None = None

    def embed(self, texts: Sequence[str], dimensions: int) -> Vector:
        """Returns unit vectors, float32, shape (len(texts), dimensions), in the order of the texts."""
        texts = checked(texts)
        vectors = np.empty((len(texts), dimensions), np.float32)
        if not texts:
            return vectors
        tokenizer, model = self._load()
        # One text at a time: the tokenizer's batch call starts threads of its own, and then prints a warning
        # when the user's program forks. Tokenising is a hundredth of the time.
        tokens = [tokenizer.encode(text).ids for text in texts]
        for batch in _batches([len(ids) for ids in tokens]):
            vectors[batch] = self._forward(model, [tokens[i] for i in batch])
        return vectors

    def token_vectors(self, texts: Sequence[str]) -> list[Vector]:
        """Returns the unit vectors of each text's tokens, special ones left out, shape (tokens, dimensions) each."""
        texts = checked(texts)
        tokenizer, model = self._load()
        encoded = [tokenizer.encode(text) for text in texts]
        found: list[Vector] = [np.empty((0, 0), np.float32)] * len(texts)
        for batch in _batches([len(one.ids) for one in encoded]):
            hidden = self._hidden(model, [encoded[i].ids for i in batch])[0]
            for row, place in enumerate(batch):
                own = np.flatnonzero(np.array(encoded[place].special_tokens_mask) == 0)
                found[place] = _unit(hidden[row, own.tolist()])
        return found

    def _load(self) -> tuple[Any, Any]:
        with self._lock:
            if self._loaded is None:
                require_torch()
                folder = self._find()
                try:
                    self._loaded = _load(folder, self._max_tokens, self._device, _dtype(self._precision, self._device))
                except EngineError:
                    raise
                except Exception as error:  # tokenizers raises bare Exception, transformers a dozen kinds
                    raise EngineError(f"cannot load the embedding model in {folder}: {error}") from error
            return self._loaded

    def _forward(self, model: Any, batch: list[list[int]]) -> Vector:  # noqa: ANN401  (torch is not imported here)
        hidden, mask = self._hidden(model, batch)
        if self._pooling == "cls":
            return _unit(hidden[:, 0])
        # the sum in float32, whatever the layers computed in
        return _unit((hidden.float() * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))

    def _hidden(self, model: Any, batch: list[list[int]]) -> tuple[Any, Any]:  # noqa: ANN401
        """Returns the hidden states, shape (batch, width, dimensions), and which of them are of tokens."""
        import torch

        width = max(map(len, batch))
        ids = torch.zeros((len(batch), width), dtype=torch.long)
        mask = torch.zeros((len(batch), width), dtype=torch.long)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            mask[row, : len(tokens)] = 1
        with torch.inference_mode():
            mask = mask.to(self._device)
            return model(ids.to(self._device), mask), mask


def _unit(vectors: Any) -> Vector:  # noqa: ANN401
    import torch

    return cast(Vector, torch.nn.functional.normalize(vectors.float(), dim=-1).cpu().numpy())


def checked(texts: Sequence[str]) -> list[str]:
    """Returns the texts as a list, or raises InvalidInput where something is no text that can be encoded."""
    if isinstance(texts, str):
        raise InvalidInput("embed takes a list of texts; for one text write embed([text])")
    texts = list(texts)
    for text in texts:
        if not isinstance(text, str):
            raise InvalidInput(f"only text can be embedded, not {type(text).__name__}: {text!r:.80}")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidInput(f"the text {text[:80]!r} has a lone surrogate at {error.start}; remove it") from error
    return texts


def _dtype(precision: Precision, device: str) -> torch.dtype:
    """Returns what the layers compute in; bfloat16 by itself only where the hardware multiplies matrices in it.

    On a processor that is AMX: with it bfloat16 is about three times as fast as float32. Without it, even where
    AVX-512 knows bfloat16, it is slower than float32 (measured: half as fast), and never chosen.
    """
    import torch

    if precision == "auto":
        if torch.device(device).type == "cuda":
            able = torch.cuda.is_bf16_supported(including_emulation=False)
        else:  # older releases of torch cannot be asked
            ask: Callable[[], Mapping[str, object]] = getattr(torch.cpu, "get_capabilities", dict)
            able = torch.device(device).type == "cpu" and bool(ask().get("amx_bf16"))
        return torch.bfloat16 if able else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def _load(folder: Path, max_tokens: int, device: str, dtype: torch.dtype) -> tuple[Any, Any]:
    """Returns the tokenizer of a folder, and its model as a function of token ids and mask to hidden states.

    The tokenizer is read as it is, without transformers: that needs no guess about its class, and no network.
    """
    from tokenizers import Tokenizer

    from .bert import read_bert

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(max_tokens)
    tokenizer.no_padding()
    return tokenizer, read_bert(folder, dtype, device) or _with_transformers(folder, dtype, device)


def _with_transformers(folder: Path, dtype: torch.dtype, device: str) -> Callable[[Any, Any], Any]:
    from transformers import AutoModel

    with no_progress_bars():
        model, report = AutoModel.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=dtype,
            output_loading_info=True,
        )
    # A layer without weights is filled with random numbers. The pooler is filled so in many checkpoints, but
    # we do our own pooling and never read it.
    missing = sorted(key for key in report["missing_keys"] if not key.startswith("pooler."))
    if missing:
        raise EngineError(f"the weights in {folder} lack {len(missing)} tensors of the model, first {missing[0]}")
    model = model.to(device).eval()
    return lambda ids, mask: model(input_ids=ids, attention_mask=mask).last_hidden_state


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yields indices of texts of about the same length, shortest first, each batch within its budget."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[index] > _TOKENS_PER_BATCH:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
