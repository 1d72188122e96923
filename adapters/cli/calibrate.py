"""The command calibrate: which KV heads of a model keep memories."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .command import Command
from .plain import safe_json
from .screen import labelled, progress, show, waiting

if TYPE_CHECKING:
    from rich.table import Table

    from ...engines.attention.calibration import Calibration

__all__ = ["calibrate"]


@click.command(
    cls=Command,
    epilog="""
    tercet calibrate --model Qwen/Qwen3-0.6B
    tercet calibrate --model ./my-model --text notes.txt --pairs 400
    """,
)
@click.option("--model", metavar="NAME", required=True, help="A folder, or a name on the Hugging Face hub.")
@click.option(
    "--pairs",
    metavar="N",
    type=click.IntRange(min=8),
    default=200,
    show_default=True,
    help="Memories with questions to measure with.",
)
@click.option(
    "--text",
    "texts",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    multiple=True,
    help="Cut memories from this text instead of the model's own; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text for people.")
def calibrate(model: str, pairs: int, texts: tuple[str, ...], as_json: bool) -> None:
    """Finds the KV heads of a model that read memories.

    The others then keep none, so that memories are smaller. Memories of random tokens and of text that the model
    writes itself are asked for what they hold; heads are left out as long as 99.5 % of what memory gains remains, and
    the model says nearly the same. What was found is kept for this user, and used wherever this very model attends to
    memories; records made before are made anew. Delete the file to go back to all heads.
    """
    from ...engines.attention.calibrate import calibrate as find
    from ...engines.attention.calibration import keep_calibration
    from ...engines.local_model import LocalModel

    with waiting(f"examining {model}"):
        engine = LocalModel(model).attention
    given = [Path(name).read_text(encoding="utf-8", errors="replace") for name in texts]
    with progress("trying sets of heads", None) as advance:
        found = find(engine, pairs=pairs, texts=given, on_progress=advance)
    file = keep_calibration(found)
    if as_json:
        click.echo(safe_json(asdict(found) | {"file": str(file)}))
    else:
        show(_told(found, file))


def _told(found: Calibration, file: Path) -> Table:
    """Returns a calibration for people."""
    layers = [f"{number}: {', '.join(map(str, heads))}" for number, heads in enumerate(found.heads) if heads]
    return labelled(
        [
            ("KV heads", f"{found.count} of {found.heads_of} keep memories"),
            ("by layer", "; ".join(layers)),
            ("gain of memory", f"{found.gain:.3f} nats a token with all heads ({found.held_out} pairs held out)"),
            ("of it kept", f"{found.gain_kept:.1%}"),
            (
                "differs by",
                f"{found.divergence:.1e} nats a token from all heads (KL); no memory by {found.divergence_none:.1e}",
            ),
            ("bytes", f"{found.bytes_kept:,} instead of {found.bytes_all:,} for 128 tokens in 8 bits"),
            ("kept in", str(file)),
        ]
    )
