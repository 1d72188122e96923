"""Which of many byte strings stand in some bytes; as a script, in the files of a folder.

Most places are passed over by two look-ups of two bytes, however many strings there are; what is left is compared by
six bytes of many kinds, and then in full. Strings without six of them are looked for one by one.

As a script it is given a folder, and the strings in base64 as a JSON list on standard input; it prints, per file, the
places in that list of those that the file holds. It imports nothing of ours.
"""

import base64
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

__all__ = ["Search"]

_BLOCK = 1 << 22


class Search:
    """Looks for the same strings in one run of bytes after another.

    Args:
        needles: the strings.
    """

    def __init__(self, needles: Sequence[bytes]) -> None:
        self._needles = needles
        self._short: list[int] = []
        self._first, self._second = np.zeros(65_536, bool), np.zeros(65_536, bool)
        self._begun: dict[int, list[tuple[int, int]]] = {}
        for place, needle in enumerate(needles):
            at = _telling(needle)
            part = needle[at : at + 6]
            if len(set(part)) < 4 or len(part) < 6:
                self._short.append(place)
                continue
            self._first[int.from_bytes(part[:2], "little")] = True
            self._second[int.from_bytes(part[2:4], "little")] = True
            self._begun.setdefault(int.from_bytes(part, "little"), []).append((place, at))
        self._keys = np.array(sorted(self._begun), np.uint64)

    def within(self, data: bytes) -> set[int]:
        """Returns the places of the needles that stand in some bytes."""
        hits = {place for place in self._short if self._needles[place] in data}
        if len(data) < 6 or not len(self._keys):
            return hits
        raw = np.frombuffer(data, np.uint8)
        pairs = raw[:-1].astype(np.uint16) | (raw[1:].astype(np.uint16) << np.uint16(8))
        at = np.flatnonzero(self._first[pairs[:-4]] & self._second[pairs[2:-2]])
        low, middle, high = (pairs[at + offset].astype(np.uint64) for offset in (0, 2, 4))
        key = low | (middle << np.uint64(16)) | (high << np.uint64(32))
        same = np.isin(key, self._keys)
        at, key = at[same], key[same]
        for one in np.unique(key).tolist():
            wanted = [(place, offset) for place, offset in self._begun[one] if place not in hits]
            for start in at[key == one].tolist():
                if not wanted:
                    break
                hits.update(
                    place
                    for place, offset in wanted
                    if start >= offset and data.startswith(self._needles[place], start - offset)
                )
                wanted = [(place, offset) for place, offset in wanted if place not in hits]
        return hits


def _telling(needle: bytes) -> int:
    """Returns where six bytes of many kinds begin, near the start: a run of zeros, say, stands everywhere."""
    kinds = [len(set(needle[at : at + 6])) for at in range(max(1, min(len(needle) - 5, 64)))]
    return kinds.index(max(kinds))


def _in_files(folder: Path, needles: Sequence[bytes]) -> dict[str, list[int]]:
    if not folder.exists():
        raise SystemExit(f"there is nothing at {folder}")
    search, overlap = Search(needles), max(map(len, needles), default=1) - 1
    found = {}
    for path in [folder] if folder.is_file() else sorted(one for one in folder.rglob("*") if one.is_file()):
        tail, hits = b"", set()
        try:
            file = path.open("rb")
        except FileNotFoundError:  # deleted since it was listed: a server's files come and go
            continue
        with file:
            while block := file.read(_BLOCK):
                data = tail + block
                hits |= search.within(data)
                tail = data[-overlap:] if overlap else b""
        if hits:
            found[path.name if path == folder else str(path.relative_to(folder))] = sorted(hits)
    return found


if __name__ == "__main__":
    asked = [base64.b64decode(needle) for needle in json.load(sys.stdin)]
    sys.stdout.write(json.dumps(_in_files(Path(sys.argv[1]), asked)))
