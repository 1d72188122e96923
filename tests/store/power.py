"""What a disk may hold after a power cut, told from the diary of every change that was made to it.

The model, which is harsher than any one file system:

- what was synced is there;
- a change to a file that was not synced since (a write, a cut to a size) is there, or is not, or, for a write, is there
  in some of its sectors of 512 bytes only; each by itself, so that later changes may be there without earlier ones;
- a name that was made, removed or renamed is so for certain only once its folder was synced; in half of the images
  as on ext4, where syncing a new file keeps its name too, and names change in order;
- the index of the write-ahead log, which is memory shared between processes, is gone.
"""

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Entry", "Image", "Replay", "entries"]

_HEAD = struct.Struct("=c7xQqII")
_SECTOR = 512
_LOST = ("-shm", "writer.lock")  # shared memory, and a file that never holds anything
_SURVIVES = (0.0, 0.5, 0.9, 1.0)  # a change that was not synced is there with one of these chances


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of the diary; faults.c says what its kinds mean."""

    kind: str
    inode: int
    offset: int
    name: str
    data: bytes


def entries(diary: Path) -> Iterator[Entry]:
    """Yields every change, in the order it was made."""
    with diary.open("rb") as file:
        while head := file.read(_HEAD.size):
            kind, inode, offset, name, data = _HEAD.unpack(head)
            yield Entry(kind.decode(), inode, offset, file.read(name).decode(), file.read(data))


@dataclass(slots=True)
class _File:
    synced: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)  # (offset, data); None: cut there

    def sync(self) -> None:
        for offset, data in self.pending:
            _apply(self.synced, offset, data)
        self.pending.clear()


@dataclass(slots=True)
class _Naming:
    """One change of names in a folder: what a name means from now on; two names at once for a rename."""

    means: dict[str, "_File | _Folder | None"]
    with_file: bool = False  # the file it names was synced since, which on ext4 keeps the name, too


@dataclass(slots=True)
class _Folder:
    now: "dict[str, _File | _Folder]" = field(default_factory=dict)
    synced: "dict[str, _File | _Folder]" = field(default_factory=dict)
    pending: list[_Naming] = field(default_factory=list)

    def name(self, means: "dict[str, _File | _Folder | None]") -> None:
        self.pending.append(_Naming(means))
        _rename(self.now, means)

    def sync(self) -> None:
        self.synced = dict(self.now)
        self.pending.clear()


@dataclass(frozen=True, slots=True)
class Image:
    """How to make one image: the chance that what was not synced survives, and the file system's manners."""

    seed: int
    survives: float
    like_ext4: bool

    @classmethod
    def drawn(cls, seed: int) -> "Image":
        """Draws one by a seed."""
        choose = random.Random(seed)
        return cls(seed, choose.choice(_SURVIVES), choose.random() < 0.5)


class Replay:
    """A disk that follows a diary, and can be cut from power at any moment.

    Args:
        honest: False for a disk that says it has synced and has not.
    """

    def __init__(self, *, honest: bool = True) -> None:
        self._honest = honest
        self._root = _Folder()
        self._nodes: dict[int, _File | _Folder] = {}

    def follow(self, entry: Entry) -> None:
        """Does one change of the diary."""
        kind = entry.kind
        if kind == "d" and not entry.name:
            self._nodes.setdefault(entry.inode, self._root)
        elif kind in "cd":
            made: _File | _Folder = _File() if kind == "c" else _Folder()
            self._nodes[entry.inode] = made
            folder, name = self._place(entry.name)
            folder.name({name: made})
        elif kind == "u":
            folder, name = self._place(entry.name)
            folder.name({name: None})
        elif kind == "r":
            folder, old = self._place(entry.name)
            other, new = self._place(entry.data.decode())
            if folder is not other:
                raise ValueError(f"renamed from one folder to another: {entry}")
            folder.name({old: None, new: folder.now[old]})
        elif kind in "wt":
            node = self._nodes[entry.inode]
            if not isinstance(node, _File):
                raise ValueError(f"written to a folder: {entry}")
            node.pending.append((entry.offset, entry.data if kind == "w" else None))
        elif kind == "s" and self._honest:
            self._sync(self._nodes[entry.inode])

    def image(self, how: Image, target: Path) -> None:
        """Writes what the disk may hold if the power is cut now into a new folder."""
        self._write(self._root, target, how, random.Random(how.seed))

    def _sync(self, node: "_File | _Folder") -> None:
        node.sync()
        if isinstance(node, _File):
            for folder in (f for f in (self._root, *self._nodes.values()) if isinstance(f, _Folder)):
                for naming in folder.pending:
                    naming.with_file |= any(meant is node for meant in naming.means.values())

    def _place(self, name: str) -> tuple[_Folder, str]:
        folder, (*above, last) = self._root, name.split("/")
        for part in above:
            inner = folder.now[part]
            if not isinstance(inner, _Folder):
                raise ValueError(f"{name} lies below a file")
            folder = inner
        return folder, last

    def _write(self, folder: _Folder, target: Path, how: Image, choose: random.Random) -> None:
        target.mkdir(parents=True)
        for name, node in sorted(_names(folder, how, choose).items()):
            if isinstance(node, _Folder):
                self._write(node, target / name, how, choose)
            elif not name.endswith(_LOST):
                (target / name).write_bytes(_content(node, how.survives, choose))


def _names(folder: _Folder, how: Image, choose: random.Random) -> "dict[str, _File | _Folder]":
    kept = dict(folder.synced)
    if how.like_ext4:
        certain = max((at for at, naming in enumerate(folder.pending, 1) if _holds(naming)), default=0)
        most = next((at for at in range(certain, len(folder.pending)) if choose.random() >= how.survives), None)
        chosen = folder.pending[:most]
    else:
        chosen = [naming for naming in folder.pending if choose.random() < how.survives]
    for naming in chosen:
        _rename(kept, naming.means)
    return kept


def _holds(naming: _Naming) -> bool:
    """Whether ext4 is certain to keep a name: its file was synced, or what lies below its folder was."""
    return naming.with_file or any(isinstance(node, _Folder) and _synced_below(node) for node in naming.means.values())


def _synced_below(folder: _Folder) -> bool:
    inner = (node for node in folder.now.values() if isinstance(node, _Folder))
    return bool(folder.synced) or any(map(_holds, folder.pending)) or any(map(_synced_below, inner))


def _rename(names: "dict[str, _File | _Folder]", means: "dict[str, _File | _Folder | None]") -> None:
    for name, node in means.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


def _content(file: _File, survives: float, choose: random.Random) -> bytes:
    content = bytearray(file.synced)
    for offset, data in file.pending:
        if choose.random() < survives:
            _apply(content, offset, data)
        elif data is not None and choose.random() < 0.3:
            for start, stop in _sectors(offset, len(data)):
                if choose.random() < 0.5:
                    _apply(content, offset + start, data[start:stop])
    return bytes(content)


def _sectors(offset: int, length: int) -> Iterator[tuple[int, int]]:
    """Yields where the sectors of the disk cut a write at an offset."""
    start = 0
    while start < length:
        stop = min(length, start + _SECTOR - (offset + start) % _SECTOR)
        yield start, stop
        start = stop


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
        content.extend(bytes(offset - len(content)))
    else:
        content.extend(bytes(max(0, offset - len(content))))
        content[offset : offset + len(data)] = data
