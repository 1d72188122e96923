"""Files that a command writes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click

from .asking import sure

__all__ = ["replacing"]


@contextmanager
def replacing(file: str, *, yes: bool) -> Iterator[IO[bytes]]:
    """Yields a stream whose content takes the place of a file when the block ends well, and never in part.

    The file is readable by its owner only: it holds memories.

    Raises:
        click.UsageError: the path is a folder or a device, or replacing a file was not agreed to.
    """
    path = Path(os.path.realpath(file))
    if path.exists():
        if not path.is_file():
            raise click.UsageError(f"{file} is no regular file")
        if not yes:
            sure(f"{file} exists already; replace it?")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
