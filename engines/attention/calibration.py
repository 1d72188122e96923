"""Which KV heads of a model read memories: a small file per model, found again by the model's fingerprint."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from ...store.errors import EngineError
from .recipe import Heads

__all__ = ["Calibration", "any_calibration", "calibrated", "calibration_file", "keep_calibration"]

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was found for one model.

    Attributes:
        fingerprint: of the model.
        family: the model's type.
        heads: per layer the KV heads that keep memories.
        heads_of: how many KV heads there are in all layers that read memories.
        pairs: memories with questions that were used to choose.
        held_out: others, that the figures below are of.
        gain: by how many nats per token all heads together bring an answer's surprisal down.
        gain_kept: the share of it that the chosen heads bring.
        divergence: KL of the next token with the chosen heads from that with all of them, nats per token.
        divergence_none: the same with no memory at all, for comparison.
        bytes_all: of a memory of 128 tokens in 8 bits, all heads.
        bytes_kept: the same, the chosen heads.
    """

    fingerprint: str
    family: str
    heads: Heads
    heads_of: int
    pairs: int
    held_out: int
    gain: float
    gain_kept: float
    divergence: float
    divergence_none: float
    bytes_all: int
    bytes_kept: int

    @property
    def count(self) -> int:
        """Returns how many KV heads were chosen."""
        return sum(map(len, self.heads))


def calibration_file(fingerprint: str) -> Path:
    """Returns where the calibration of a model is kept: in the user's data folder, ``$XDG_DATA_HOME/tercet``."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "tercet" / "heads" / f"{fingerprint}.json"


def any_calibration() -> bool:
    """Returns whether this user has calibrated any model; to be asked first, because a fingerprint takes longer."""
    try:
        return calibration_file("any").parent.is_dir()
    except (OSError, RuntimeError):  # a service without a home, or whose home it may not enter, has calibrated nothing
        return False


def keep_calibration(found: Calibration) -> Path:
    """Writes a calibration where `calibrated` finds it, and returns the file.

    Raises:
        EngineError: there is no data folder for this user, or nothing can be written there.
    """
    try:
        path = calibration_file(found.fingerprint)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        whole = path.with_suffix(f".{secrets.token_hex(4)}.new")
        whole.write_text(json.dumps({"format": _FORMAT} | asdict(found)) + "\n", encoding="utf-8")
        whole.replace(path)
    except (OSError, RuntimeError) as failure:
        raise EngineError(f"cannot keep the calibration: {failure}; name a data folder in XDG_DATA_HOME") from failure
    return path


def calibrated(fingerprint: str) -> Calibration | None:
    """Returns the calibration of a model, or None if there is none.

    Raises:
        EngineError: the file is damaged, or of another format.
    """
    path = calibration_file(fingerprint)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values.pop("format") != _FORMAT or values["fingerprint"] != fingerprint:
            raise ValueError("another format or model")
        heads = tuple(tuple(int(head) for head in layer) for layer in values.pop("heads"))
        return Calibration(heads=heads, **values)
    except FileNotFoundError:
        return None
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as failure:
        raise EngineError(
            f"{path} is no calibration that this version reads ({failure}); delete it, or run tercet calibrate again"
        ) from failure
