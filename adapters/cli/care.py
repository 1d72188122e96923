"""Commands that keep a memory and this machine in order: doctor, rebuild."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...store.errors import EngineError, InvalidInput, MissingExtra
from .command import Command, with_session
from .plain import one_line
from .screen import labelled, progress, show, table, waiting
from .session import Session

if TYPE_CHECKING:
    from rich.table import Table

    from ...engines.attention import GateReport
    from ...store.checks import Finding

__all__ = ["doctor", "gate_told", "rebuild"]

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@click.command(
    cls=Command,
    epilog="""
    tercet doctor
    tercet doctor --fix
    tercet doctor --erase
    tercet doctor --receipt receipt.json --look-for zanzibar
    tercet doctor --model Qwen/Qwen3-0.6B
    """,
)
@click.option("--model", metavar="NAME", help="Examine a model instead: a folder, or a name on the Hugging Face hub.")
@click.option("--erase", is_flag=True, help="Also remove what is left of forgotten notes in the files.")
@click.option("--fix", is_flag=True, help="Also mend what can be mended: permissions, forms, files left over.")
@click.option("--receipt", "file", metavar="FILE", type=click.Path(dir_okay=False), help="Verify a receipt instead.")
@click.option("--look-for", metavar="WORDS", multiple=True, help="With --receipt: search all files; may be repeated.")
@with_session
def doctor(
    session: Session, model: str | None, erase: bool, fix: bool, file: str | None, look_for: tuple[str, ...]
) -> None:
    """Checks a memory and this machine, a model, or a receipt.

    Of a memory: files, database, and whether every form fits the notes. Of a model: whether it attends to memories
    exactly as to their words in its prompt. Of a receipt: whether what it says is gone is gone. Notes are never
    touched, forms are made of them. Exits with 1 if something fails.
    """
    if (model is not None) + (erase or fix) + (file is not None) > 1:
        raise click.UsageError("--erase and --fix are for a memory, --model for a model, --receipt for a receipt")
    if look_for and file is None:
        raise click.UsageError("--look-for verifies a receipt; name it with --receipt")
    if model is not None:
        _examine(session, model)
        return
    if file is not None:
        _verify(session, Path(file), look_for)
        return
    from ...store.checks import Finding, check_machine, check_store, empty_log
    from ...store.postgres_checks import check_server, empty_server

    folder = Path(session.location)
    with waiting("looking"):
        found = [*check_machine(), _embedder()]
        if "://" in session.location:
            found += check_server(session.location)
            found += [empty_server(session.location)] if erase and all(one.level != "fail" for one in found) else []
        elif not (folder / "memory.db").exists():
            found.append(Finding("memory", "warn", f"none at {folder} yet"))
        else:
            found += _mended(session, folder) if fix else check_store(folder)
            found += [empty_log(folder)] if erase and all(one.level != "fail" for one in found) else []
    _answer(session, found)


def _mended(session: Session, folder: Path) -> list[Finding]:
    """Mends what can be mended; returns what was done, and then what is found."""
    from ...store.checks import Finding, check_store
    from ...store.mending import mend_permissions

    done = list(mend_permissions(folder))
    before = check_store(folder)
    if any(one.level == "fail" and one.check in ("files", "database") for one in before):
        return [*done, *before]
    with session.open() as memory:  # this alone collects files left over, and follows the change log
        known = memory.stats().forms
        wrong = [one.check for one in before if one.level == "fail" and one.check in known]
        if wrong:
            memory.rebuild(forms=wrong)
    done += [Finding("fix", "ok", f"{name} made anew from the notes") for name in wrong]
    return [*done, *check_store(folder)]


def _verify(session: Session, file: Path, look_for: tuple[str, ...]) -> None:
    """Prints what is found about a receipt; whoever has the folder may verify those of every scope."""
    from ...sdk.receipt import Receipt
    from ...store.strict_json import loads_strict

    values = loads_strict(file.read_text(encoding="utf-8", errors="replace"))
    if not isinstance(values, dict):
        raise InvalidInput(f"{file} is no receipt of Tercet: it is not a JSON object")
    receipt = Receipt.from_dict(values)
    with replace(session, scope=receipt.scope).open() as memory, waiting("looking"):
        found = memory.verify(receipt, look_for=look_for)
    _answer(session, found)


def _examine(session: Session, name: str) -> None:
    """Prints what the injection gate finds about a model."""
    from ...engines.attention import gate
    from ...engines.local_model import LocalModel

    with waiting(f"examining {name}"):
        model = LocalModel(name)
        report = gate(model.model, model.tokenizer)
    if session.as_json:
        session.answer(report.as_dict())
    else:
        show(gate_told(report))
    if report.verdict != "exact":
        raise click.exceptions.Exit(1)


def gate_told(report: GateReport) -> Table:
    """Returns the injection gate's report for people."""
    from rich.text import Text

    exact = report.verdict == "exact"
    difference = report.max_relative_logit_diff
    kinds = Counter(report.layers)
    return labelled(
        [
            (
                "verdict",
                Text(
                    "exact: a memory acts as its words in the prompt" if exact else "refused",
                    "green" if exact else "bold red",
                ),
            ),
            ("reason", one_line(report.reason)),
            ("family", one_line(report.family)),
            ("layers", ", ".join(f"{count} × {kind}" for kind, count in kinds.items())),
            ("logits differ by", "" if difference is None else f"{difference:.1e} of their standard deviation"),
            ("greedy text", {None: "", True: "the same, token for token", False: "not the same"}[report.greedy_equal]),
        ]
    )


def _answer(session: Session, found: list[Finding]) -> None:
    from rich.text import Text

    if session.as_json:
        session.answer([asdict(one) for one in found])
    else:
        rows = [(Text(one.level, _COLOURS[one.level]), one.check, one_line(one.detail)) for one in found]
        show(table("", "check", "found", rows=rows))
    if any(one.level == "fail" for one in found):
        raise click.exceptions.Exit(1)


def _embedder() -> Finding:
    from ...engines.encoder_files import minilm_folder, require_torch
    from ...store.checks import Finding

    try:
        require_torch()
        minilm_folder()
    except MissingExtra as error:
        return Finding("embedder", "warn", f"{error}; until then use --no-vectors")
    except EngineError as error:
        return Finding("embedder", "fail", str(error))
    return Finding("embedder", "ok", "all-MiniLM-L6-v2, its files are the official ones")


@click.command(
    cls=Command,
    epilog="""
    tercet rebuild
    tercet rebuild --form words --form graph
    tercet rebuild --embed-with BAAI/bge-small-en-v1.5
    """,
)
@click.option(
    "--form",
    "forms",
    type=click.Choice(["words", "vectors", "triplets", "graph"]),
    multiple=True,
    help="Only this form; may be repeated.",
)
@click.option(
    "--embed-with",
    "model",
    metavar="NAME",
    help="Make the vectors with another sentence model, a folder or hub name; the old ones serve until all are made.",
)
@with_session
def rebuild(session: Session, forms: tuple[str, ...], model: str | None) -> None:
    """Makes forms anew from the words, all or nothing.

    A form belongs to the whole store, so this is not limited to a scope.
    """
    if model is not None:
        if forms or not session.vectors:
            raise click.UsageError("--embed-with makes vectors, and only those; leave --form and --no-vectors out")
        _embed_anew(session, model)
        return
    from ...sdk.reading import FORMS

    chosen = [form for form in forms or FORMS if session.vectors or form != "vectors"]
    if "vectors" in forms and not session.vectors:
        raise click.UsageError("--form vectors needs vectors; leave --no-vectors out")
    with session.open() as memory:
        held = memory.stats().forms
        total = held["words"].count if "vectors" in chosen else None
        with progress("rebuilding", total) as advance:
            memory.rebuild(forms=chosen, on_progress=advance)
        made = memory.stats().forms
    if session.as_json:
        session.answer({form: made[form].count for form in chosen})
    else:
        show(labelled([(form, f"{made[form].count:,} items") for form in chosen]))


def _embed_anew(session: Session, model: str) -> None:
    """Moves a memory to another embedder, which later commands name with --embedder."""
    from ...engines import HubEmbedder

    embedder = HubEmbedder(model)
    with session.open() as memory:
        with progress("embedding", memory.stats().forms["words"].count) as advance:
            memory.embed_with(embedder, on_progress=advance)
        count = memory.stats().forms["vectors"].count
    if session.as_json:
        session.answer({"embedder": embedder.name, "vectors": count})
    else:
        show(labelled([("vectors", f"{count:,} by {embedder.name}"), ("from now on", f"--embedder {model}")]))
