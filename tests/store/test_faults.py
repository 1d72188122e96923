"""A disk that fails at any call: a clear error, the truth about what was done, and nothing half-written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import power_sweep  # type: ignore[import-not-found]
import pytest
from factories import HashEncoder, Memories  # type: ignore[import-not-found]
from power_shim import build, run_behind, why_not  # type: ignore[import-not-found]

from tercet.store import files, scanning, scrub
from tercet.store.errors import StoreError
from tercet.store.sqlite import SQLite

Sweep = Callable[[str, int], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """Does an operation with every so many-th call failing: ``sweep(operation, stride)``."""
    if reason := why_not():
        pytest.skip(reason)
    library = build(tmp_path_factory.mktemp("library"))

    def run(operation: str, stride: int) -> list[dict[str, Any]]:
        watched = tmp_path_factory.mktemp("watched").resolve()
        arguments = (str(watched), str(stride), operation)
        return [json.loads(line) for line in run_behind(library, watched, _SCRIPT, arguments).splitlines()]

    return run


_SCRIPT = Path(power_sweep.__file__)


@pytest.mark.parametrize(
    ("operation", "stride"),
    [
        ("write", 19),
        ("write, log full", 37),
        ("revise", 37),
        ("forget", 23),
        ("erase", 97),
        ("encode", 23),
        ("create", 61),
        ("open", 5),
        ("read", 9),
    ],
)
def test_a_call_that_fails_leaves_the_old_state_or_the_new_one(sweep: Sweep, operation: str, stride: int) -> None:
    runs = sweep(operation, stride)
    assert [run for run in runs if run["wrong"]] == []
    assert {run["disk"] for run in runs} >= {"one error", "dead"}
    assert any(run["told"] != "ok" for run in runs)
    for run in runs:
        if run["disk"] == "full" and run["told"] != "ok":
            assert "full" in run["told"] or "No space left" in run["told"], run


@pytest.mark.slow
@pytest.mark.parametrize("operation", power_sweep.OPERATIONS)
def test_more_calls_that_fail_leave_the_old_state_or_the_new_one(sweep: Sweep, operation: str) -> None:
    """Every thirteenth; benchmarks/crash.py takes every one."""
    runs = sweep(operation, 13)
    assert runs
    assert [run for run in runs if run["wrong"]] == []


def test_explicit_memories_that_cannot_be_kept_leave_no_files(
    memory: Memories, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = memory()
    notes = ada.write_many(["one", "two", "three"])
    whole = files._write_synced
    written: list[Path] = []

    def full(path: Path, data: bytes) -> None:
        if len(written) == 2:
            path.write_bytes(data[:9])
            raise OSError(28, "No space left on device")
        whole(path, data)
        written.append(path)

    monkeypatch.setattr(files, "_write_synced", full)
    form = ada._store.keys_values(HashEncoder())
    with pytest.raises(StoreError, match="No space left on device; no explicit memory was kept"):
        form.records(notes)
    assert form.count() == 0
    assert list((memory.home / "memory" / "records").iterdir()) == []


def test_a_file_that_no_row_names_goes_at_the_next_opening(memory: Memories) -> None:
    with memory() as ada:
        note = ada.write("words that are forgotten")
        form = ada._store.keys_values(HashEncoder())
        form.records([note])
        (left,) = form.files([note.num])
        data = left.read_bytes()
        ada.forget(note.id)
    left.write_bytes(data)  # as a kill between the commit and the deleting leaves it
    memory().close()
    assert not left.exists()


@pytest.mark.parametrize("step", ["rewrite", "checkpoint"])
def test_a_receipt_tells_what_could_not_be_erased(memory: Memories, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    ada = memory()
    note = ada.write("Zanzibarian pomegranates")

    def broken(self: SQLite, **_: object) -> None:
        raise StoreError("the disk is broken")

    monkeypatch.setattr(SQLite, step, broken)
    if step == "rewrite":  # which is done where bytes are found
        monkeypatch.setattr(scrub, "scan", lambda folder, needles: {"memory.db": needles[:1]})
    receipt = ada.forget(note.id, erase=True)
    assert not receipt.erased
    assert "the disk is broken" in " ".join([*receipt.uncovered, *(one.proof for one in receipt.steps)])
    assert ada.notes() == []


def test_a_scan_that_fails_proves_nothing(memory: Memories, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ada = memory()
    (tmp_path / "search.py").write_text("raise SystemExit('out of luck')")
    note = ada.write("Zanzibarian pomegranates")
    monkeypatch.setattr(scanning, "_SEARCH", tmp_path / "search.py")
    receipt = ada.forget(note.id, erase=True)
    assert not receipt.erased
    assert "out of luck" in " ".join(receipt.uncovered)
