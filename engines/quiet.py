"""Loading weights without drawing on the terminal of the program that uses us."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["no_progress_bars"]


@contextmanager
def no_progress_bars() -> Iterator[None]:
    """Keeps transformers from drawing progress bars on stderr inside the block.

    `from_pretrained` always draws one and has no argument against it; the only public switch is process-wide.
    So it is turned off for the length of the block and turned on again only by the block that turned it off.
    A user who asks for bars in the environment (``HF_HUB_DISABLE_PROGRESS_BARS=0``) keeps them. A load that
    another thread runs at the same moment may lose its bar, and nothing else.
    """
    from huggingface_hub import constants
    from transformers.utils import logging

    if constants.HF_HUB_DISABLE_PROGRESS_BARS is not None or not logging.is_progress_bar_enabled():
        yield
        return
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.enable_progress_bar()  # type: ignore[no-untyped-call]
