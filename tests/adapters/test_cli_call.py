"""The command that carries out a call."""

import json
from pathlib import Path

from click.testing import CliRunner, Result

from tercet.adapters.cli import main


def run(folder: Path, *arguments: str, text: str | None = None) -> Result:
    place = ["--memory", str(folder / "a.tercet"), "--no-vectors"]
    return CliRunner().invoke(main, [arguments[0], *place, *arguments[1:]], input=text)


def test_a_call_reads_and_writes(tmp_path: Path) -> None:
    written = run(tmp_path, "call", "MEM_WRITE(Ada >> likes >> green tea)")
    assert (written.exit_code, "written" in written.stderr) == (0, True)
    read = run(tmp_path, "call", "-", text="MEM_READ(Ada >> likes >> ?)\n")
    assert (read.exit_code, read.stdout) == (0, "green tea\n")
    values = json.loads(run(tmp_path, "call", "MEM_READ(Ada >> likex >> ?)", "--json").stdout)
    assert values["status"] == "found"
    assert values["used"] == "MEM_READ(Ada >> likes >> ?)"
    assert "read as MEM_READ(Ada >> likes >> ?)" in run(tmp_path, "call", "MEM_READ(Ada >> likex >> ?)").stderr


def test_what_is_no_call_is_one_line(tmp_path: Path) -> None:
    done = run(tmp_path, "call", "Ada likes tea")
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "is no call; write MEM_READ(" in done.stderr
    assert run(tmp_path, "call", "MEM_READ(a >> b >> ?)").exit_code == 1, "a read makes no memory"


def test_values_are_printed_harmless(tmp_path: Path) -> None:
    run(tmp_path, "call", r"MEM_WRITE(Ada >> likes >> \u00001b\[31mred)")
    read = run(tmp_path, "call", "MEM_READ(Ada >> likes >> ?)")
    assert read.exit_code == 0
    assert "\x1b" not in read.stdout


def test_a_refusal_says_why(tmp_path: Path) -> None:
    done = run(tmp_path, "call", f"MEM_WRITE(Ada >> likes >> {'x' * 2000})")
    assert (done.exit_code, "refused: its object has 2,000 characters" in done.stderr) == (0, True)
