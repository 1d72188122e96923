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

# Reads every file of the folder piece by piece and counts each needle; runs without any of our code.
_SCAN = """
import base64, json, pathlib, sys
folder, needles = pathlib.Path(sys.argv[1]), [base64.b64decode(n) for n in json.load(sys.stdin)]
overlap = max(map(len, needles), default=1) - 1
found = {}
for path in [folder] if folder.is_file() else sorted(p for p in folder.rglob("*") if p.is_file()):
    tail = b""
    try:
        file = path.open("rb")
    except FileNotFoundError:  # deleted since it was listed: a server's files come and go
        continue
    with file:
        while block := file.read(1 << 22):
            data = tail + block
            for place, needle in enumerate(needles):
                hits = data.count(needle) - tail.count(needle)
                if hits:
                    name = path.name if path == folder else str(path.relative_to(folder))
                    found.setdefault(name, [0] * len(needles))[place] += hits
            tail = data[-overlap:] if overlap else b""
print(json.dumps(found))
"""


def scan(folder: Path, needles: Sequence[bytes]) -> dict[str, int]:
    """Counts, in another process, how many of the needles each file below a folder holds; others are left out.

    Raises:
        StoreError: the scanning process failed, or could not be started; its message is passed on.
    """
    return {name: sum(1 for count in hits if count) for name, hits in _counted(folder, needles).items()}


def absent(folder: Path, needles: Sequence[bytes]) -> list[bytes]:
    """Returns the needles that no file below a folder holds, looked for as `scan` does."""
    counts = _counted(folder, needles).values()
    return [needle for place, needle in enumerate(needles) if not any(hits[place] for hits in counts)]


def _counted(folder: Path, needles: Sequence[bytes]) -> dict[str, list[int]]:
    asked = json.dumps([base64.b64encode(needle).decode() for needle in needles])
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _SCAN, str(folder)],
            input=asked,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise StoreError(f"the scan for erased bytes could not be started: {error}") from error
    if done.returncode:
        raise StoreError(f"the scan for erased bytes failed: {done.stderr.strip()[-300:]}")
    counts: dict[str, list[int]] = json.loads(done.stdout)
    return counts
