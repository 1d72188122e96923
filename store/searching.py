"""Which of many byte strings stand in some bytes; as a script, in the files of a folder.

Most places are passed over by one look-up of two bytes, however many strings there are; what is left is compared by
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
_HERE, _BEFORE = 1, 2  # marks of a pair that is the first of a string's two
_SECOND = 2  # how far the marks of the second are shifted


class Search:
    """Looks for the same strings in one run of bytes after another.

    Six telling bytes of each string are looked for. The bytes are read as pairs, at even places only: a string that
    begins at such a place shows its first and its third byte's pair there, one that begins just before it its second
    and its fourth byte's.

    Args:
        needles: the strings.
    """

    def __init__(self, needles: Sequence[bytes]) -> None:
        self._needles = needles
        self._short: list[int] = []
        self._marks = np.zeros(65_536, np.uint8)
        self._begun: dict[int, list[tuple[int, int]]] = {}
        for place, needle in enumerate(needles):
            at = _telling(needle)
            part = needle[at : at + 6]
            if len(set(part)) < 4 or len(part) < 6:
                self._short.append(place)
                continue
            for shift, mark in ((0, _HERE), (1, _BEFORE)):
                self._marks[int.from_bytes(part[shift : shift + 2], "little")] |= mark
                self._marks[int.from_bytes(part[shift + 2 : shift + 4], "little")] |= mark << _SECOND
            self._begun.setdefault(int.from_bytes(part, "little"), []).append((place, at))
        self._keys = np.array(sorted(self._begun), np.uint64)

    def within(self, data: bytes) -> set[int]:
        """Returns the places of the needles that stand in some bytes."""
        hits = {place for place in self._short if self._needles[place] in data}
        if len(data) < 6 or not len(self._keys):
            return hits
        marks = self._marks[np.frombuffer(data, "<u2", len(data) // 2)]
        marks = marks[:-1] & (marks[1:] >> _SECOND)
        even = np.flatnonzero(marks)
        marks = marks[even]
        starts = np.concatenate((even[marks & _HERE > 0] * 2, even[marks & _BEFORE > 0] * 2 - 1))
        starts = starts[(starts >= 0) & (starts <= len(data) - 6)]
        raw = np.frombuffer(data, np.uint8)
        key = np.zeros(len(starts), np.uint64)
        for byte in range(6):
            key |= raw[starts + byte].astype(np.uint64) << np.uint64(8 * byte)
        nearest = np.searchsorted(self._keys, key).clip(max=len(self._keys) - 1)
        same = self._keys[nearest] == key
        starts, key = starts[same], key[same]
        for one in np.unique(key).tolist():
            wanted = [(place, offset) for place, offset in self._begun[one] if place not in hits]
            for start in starts[key == one].tolist():
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
