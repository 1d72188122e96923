"""The program as a person would run it, in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tercet.adapters.cli import main


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs ``tercet`` with these arguments on a memory of this test's own, without vectors unless asked for."""
    for name in ("TERCET_SCOPE", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERCET_MEMORY", str(tmp_path / "memory.tercet"))
    monkeypatch.setenv("TERCET_VECTORS", "0")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
        return CliRunner().invoke(main, list(arguments), input=stdin, catch_exceptions=False, prog_name="tercet")

    return run
