"""Builds faults.c and runs other Pythons behind it."""

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["KINDS", "Disk", "build", "run_behind", "why_not"]

KINDS = {"write": 1, "sync": 2, "cut": 4, "open": 8, "rename": 16, "remove": 32, "mkdir": 64, "read": 128}
_COMPILERS = ("cc", "gcc", "clang")


def why_not() -> str:
    """Returns why faults cannot be made on this machine; empty if they can."""
    if not sys.platform.startswith("linux"):
        return "a disk that fails is preloaded, which is done for Linux only"
    if not any(map(shutil.which, _COMPILERS)):
        return "no C compiler (cc, gcc or clang) to build the disk that fails"
    return ""


def build(folder: Path) -> Path:
    """Compiles the library into a folder and returns it."""
    library = folder / "faults.so"
    compiler = next(found for name in _COMPILERS if (found := shutil.which(name)))
    source = Path(__file__).with_name("faults.c")
    flags = ("-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror")
    subprocess.run([compiler, *flags, "-o", str(library), str(source), "-ldl", "-lpthread"], check=True)
    return library


def run_behind(
    library: Path, watched: Path, script: Path, arguments: Sequence[str], *, diary: Path | None = None
) -> str:
    """Runs a Python script behind the library and returns what it printed.

    Args:
        library: as `build` made it.
        watched: the folder whose files are watched.
        script: what to run.
        arguments: its arguments.
        diary: where every change is written down; None to write none.

    Raises:
        RuntimeError: the script failed; its last words are passed on.
    """
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "LD_PRELOAD": str(library),
            "TERCET_FAULTS_FOLDER": str(watched.resolve()),
            "TERCET_FAULTS_LOG": str(diary or ""),
        },
    )
    if done.returncode:
        raise RuntimeError(f"{script.name} ended with {done.returncode}: {done.stderr[-3000:]}")
    return done.stdout


class Disk:
    """The library as seen from inside a process that runs behind it."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None)
        self._library.tercet_mark.argtypes = (ctypes.c_char_p, ctypes.c_size_t)
        self._library.tercet_fail.argtypes = (ctypes.c_int, ctypes.c_long, ctypes.c_int, ctypes.c_int)
        self._library.tercet_failed.restype = self._library.tercet_stop.restype = ctypes.c_long

    def mark(self, words: str) -> None:
        """Writes words into the diary, at this place."""
        data = words.encode()
        self._library.tercet_mark(data, len(data))

    def fail(self, at: int, *, error: int, onwards: bool, kinds: int = 0xFF) -> None:
        """Lets the call of these kinds fail that is the ``at``-th from now, and with ``onwards`` all after it."""
        self._library.tercet_fail(kinds, at, error, onwards)

    def failed(self) -> int:
        """Returns how many calls have failed since."""
        return int(self._library.tercet_failed())

    def stop(self) -> int:
        """Ends the failing; returns how many calls there were."""
        return int(self._library.tercet_stop())
