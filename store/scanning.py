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

# Reads every file of the folder piece by piece and marks each needle that is in it; runs without any of our code.
# Most places of a file are passed over by two look-ups of two bytes, however many needles there are; what is left is
# compared by six bytes of many kinds, and then in full. Needles without six of them are looked for one by one.
_SCAN = """
import base64, json, pathlib, sys
import numpy as np
folder, needles = pathlib.Path(sys.argv[1]), [base64.b64decode(n) for n in json.load(sys.stdin)]
overlap = max(map(len, needles), default=1) - 1
first, second, begun = np.zeros(65536, bool), np.zeros(65536, bool), {}
short = []
for place, needle in enumerate(needles):
    at = max(range(max(1, min(len(needle) - 5, 64))), key=lambda at: len(set(needle[at:at + 6])))
    part = needle[at:at + 6]
    if len(set(part)) < 4:
        short.append(place)
        continue
    first[int.from_bytes(part[:2], "little")] = second[int.from_bytes(part[2:4], "little")] = True
    begun.setdefault(int.from_bytes(part, "little"), []).append((place, at))
keys = np.array(sorted(begun), np.uint64)

def marked(data):
    hits = {place for place in short if needles[place] in data}
    raw = np.frombuffer(data, np.uint8)
    if len(raw) < 6 or not len(keys):
        return hits
    pairs = raw[:-1].astype(np.uint16) | (raw[1:].astype(np.uint16) << 8)
    at = np.flatnonzero(first[pairs[:-4]] & second[pairs[2:-2]])
    wide = pairs.astype(np.uint64)
    key = wide[at] | (wide[at + 2] << np.uint64(16)) | (wide[at + 4] << np.uint64(32))
    same = np.isin(key, keys)
    for start, found in zip(at[same].tolist(), key[same].tolist()):
        hits.update(
            place for place, at in begun[found]
            if place not in hits and start >= at and data.startswith(needles[place], start - at)
        )
    return hits

found = {}
for path in [folder] if folder.is_file() else sorted(p for p in folder.rglob("*") if p.is_file()):
    tail, hits = b"", set()
    try:
        file = path.open("rb")
    except FileNotFoundError:  # deleted since it was listed: a server's files come and go
        continue
    with file:
        while block := file.read(1 << 22):
            data = tail + block
            hits |= marked(data)
            tail = data[-overlap:] if overlap else b""
    if hits:
        found[path.name if path == folder else str(path.relative_to(folder))] = sorted(hits)
print(json.dumps(found))
"""


def scan(folder: Path, needles: Sequence[bytes]) -> dict[str, int]:
    """Counts, in another process, how many of the needles each file below a folder holds; others are left out.

    Raises:
        StoreError: the scanning process failed, or could not be started; its message is passed on.
    """
    return {name: len(places) for name, places in _marked(folder, needles).items()}


def absent(folder: Path, needles: Sequence[bytes]) -> list[bytes]:
    """Returns the needles that no file below a folder holds, looked for as `scan` does."""
    held = {place for places in _marked(folder, needles).values() for place in places}
    return [needle for place, needle in enumerate(needles) if place not in held]


def _marked(folder: Path, needles: Sequence[bytes]) -> dict[str, list[int]]:
    """Returns, per file, the places of the needles that it holds."""
    asked = json.dumps([base64.b64encode(needle).decode() for needle in needles])
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", _SCAN, str(folder)],
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
