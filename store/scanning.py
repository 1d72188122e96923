"""Looking for bytes in the files of a store, in another process: opening SQLite's in this one would drop its locks."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .errors import StoreError

__all__ = ["absent", "scan"]

_SEARCH = Path(__file__).with_name("searching.py")


def scan(folder: Path, needles: Sequence[bytes]) -> dict[str, list[bytes]]:
    """Returns, found by another process, the needles that each file below a folder holds; others are left out.

    Raises:
        StoreError: the scanning process failed, or could not be started; its message is passed on.
    """
    return {name: [needles[place] for place in places] for name, places in _marked(folder, needles).items()}


def absent(folder: Path, needles: Sequence[bytes]) -> list[bytes]:
    """Returns the needles that no file below a folder holds, looked for as `scan` does."""
    held = {needle for those in scan(folder, needles).values() for needle in those}
    return [needle for needle in needles if needle not in held]


def _marked(folder: Path, needles: Sequence[bytes]) -> dict[str, list[int]]:
    """Returns, per file, the places of the needles that it holds."""
    asked = json.dumps([base64.b64encode(needle).decode() for needle in needles])
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(_SEARCH), str(folder)],
            input=asked,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise StoreError(f"the scan for erased bytes could not be started: {error}") from error
    if done.returncode:
        raise StoreError(f"the scan for erased bytes failed: {done.stderr.strip()[-300:]}")
    found: dict[str, list[int]] = json.loads(done.stdout)
    return found
