"""What is left on disk of a note that was deleted, how long deleting takes, and whether scores forget it too.

    python benchmarks/forget.py [--notes 20000] [--json FILE]

Each store gets the same notes; a few of them hold words that no other note has. After the store's own delete and its
close, another process looks through every file of its folder for the texts, for middles of their words (full text
shortens common beginnings), and for bytes of their vectors in single and half precision. A second part compares the
reads of a Tercet memory that forgot with those of one that was never told: ids and scores must be equal.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / ".dev")]

from benchmarks.machine import machine  # noqa: E402
from benchmarks.stores import ERASING, Given, Notes  # noqa: E402

from tercet import Memory  # noqa: E402
from tercet.store.scanning import absent, scan  # noqa: E402

_SECRETS = 10
_BATCH = 500
_QUESTIONS = 200


def secretive(count: int) -> tuple[Notes, range]:
    """Returns notes, and the numbers of those whose words stand in no other note, spread over the whole."""
    notes = Notes(count)
    secret = range(count // _SECRETS // 2, count, count // _SECRETS)
    for place, i in enumerate(secret):
        notes.texts[i] = f"the quixotic{place}zebrafish told vermilion{place}octagon of wyvern{place}jukebox"
    return notes, secret


def needles(notes: Notes, secret: Sequence[int]) -> dict[str, list[bytes]]:
    """Returns what must not be found any more, by kind."""
    words = [word for i in secret for word in notes.texts[i].split() if any(c.isdigit() for c in word)]
    vectors = [notes.vectors[i] for i in secret]
    return {
        "texts": [notes.texts[i].encode() for i in secret],
        "words": [word[4:].encode() for word in words],
        "vectors": [v.astype(kind).tobytes()[64:128] for v in vectors for kind in ("<f4", "<f2")],
    }


def left_by(name: str, notes: Notes, secret: Sequence[int]) -> dict[str, object]:
    """Returns how many needles of each kind a store leaves in its files, and the time its delete took."""
    sought = needles(notes, secret)
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        with ERASING[name](folder, notes) as opened:
            for start in range(0, len(notes.texts), _BATCH):
                opened.write(range(start, min(start + _BATCH, len(notes.texts))))
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            before = sum(sum(map(len, scan(folder, kind).values())) for kind in sought.values())
            start_time = time.perf_counter()
            opened.forget(secret)
            seconds = time.perf_counter() - start_time
        left = {kind: len(those) - len(absent(folder, those)) for kind, those in sought.items()}
    if not before:
        raise click.ClickException(f"{name}: the scan finds nothing of what is stored, so it proves nothing")
    return {"seconds": round(seconds, 3), "megabytes": round(size / 1e6, 1), "left": left}


def differing(count: int) -> dict[str, int]:
    """Returns how many reads differ between a memory that forgot and one that was never told."""
    notes, secret = secretive(count)
    asked = [notes.texts[i] for i in range(0, count, max(1, count // _QUESTIONS))]
    answers = []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("forgot", "never told"):
            with Memory(f"{folder}/{name}", scope="bench", embedder=Given(notes), extractor=None) as memory:
                chosen = [i for i in range(count) if name == "forgot" or i not in secret]
                drafts = [{"text": notes.texts[i], "facts": notes.facts(i), "source": str(i)} for i in chosen]
                made = dict(zip(chosen, memory.write_many(drafts), strict=True))
                if name == "forgot":
                    memory.forget(*(made[i].id for i in secret))
                reads = [memory.read(question, k=10) for question in asked]
                answers.append([[(one.note.source, one.score) for one in read] for read in reads])
    return {"reads": len(asked), "different": sum(left != right for left, right in zip(*answers, strict=True))}


@click.command(help=(__doc__ or "").split("\n\n    ")[0])
@click.option("--notes", "count", default=20_000, show_default=True, type=click.IntRange(min=100))
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the figures go.")
def main(count: int, json_path: Path | None) -> None:
    """Deletes from every store that is installed and prints what is left."""
    console = Console()
    notes, secret = secretive(count)
    kinds = {kind: len(those) for kind, those in needles(notes, secret).items()}
    found: dict[str, dict[str, object]] = {}
    missing = []
    for name in track(ERASING, "deleting", console=console, transient=True):
        try:
            found[name] = left_by(name, notes, secret)
        except ImportError:
            missing.append(name)
    table = Table(title=f"{_SECRETS} of {count:,} notes deleted: what another process still finds in the files")
    table.add_column("store")
    for column in ("seconds", "megabytes", *(f"{kind} of {most}" for kind, most in kinds.items())):
        table.add_column(column, justify="right")
    for name, figures in found.items():
        left = figures["left"]
        assert isinstance(left, dict)
        table.add_row(name, str(figures["seconds"]), str(figures["megabytes"]), *map(str, left.values()))
    console.print(table)
    for name in missing:
        console.print(f"{name}: not installed (pip install -e '.[peers]')")
    same = differing(min(count, 2_000))
    console.print(f"{same['different']} of {same['reads']} reads differ from those of a memory that was never told.")
    json_path = json_path or (ROOT / "benchmarks" / "results" / "forget.json" if count == 20_000 else None)
    if json_path:
        whole = {
            "benchmark": "forget",
            "machine": machine(),
            "notes": count,
            "deleted": _SECRETS,
            "needles": kinds,
            "stores": found,
            "not_installed": missing,
            "against_never_told": same,
        }
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(whole, indent=2) + "\n")


if __name__ == "__main__":
    main()
