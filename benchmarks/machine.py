"""What the figures of a benchmark were measured on: the processor and the versions, nothing that names the computer."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["machine"]

_PACKAGES = ("bm25s", "faiss-cpu", "numpy", "scipy", "sqlalchemy", "torch", "transformers")


def machine() -> dict[str, object]:
    """Returns ``{"cpu", "cores", "versions"}``; a package that is not installed has no version."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {"cpu": _cpu(), "cores": os.cpu_count(), "versions": versions}


def _cpu() -> str:
    info = Path("/proc/cpuinfo")  # Linux; elsewhere platform knows
    for line in info.read_text().splitlines() if info.exists() else ():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()
