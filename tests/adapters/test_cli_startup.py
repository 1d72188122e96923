"""The program starts quickly, and ends the way programs end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import tercet

Run = Callable[..., Result]
ROOT = str(Path(tercet.__file__).parent)
HEAVY = ("torch", "transformers", "faiss", "networkx", "sqlalchemy", "scipy", "numpy", "pydantic", "rich")

# The package itself is stubbed, so that only what the command line loads is counted.
LIGHT = f"""
import sys, types
package = types.ModuleType("tercet")
package.__path__, package.__version__ = [{ROOT!r}], "1"
sys.modules["tercet"] = package
from tercet.adapters.cli import main
try:
    main(sys.argv[1:], prog_name="tercet")
finally:
    print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""


def program(
    tmp_path: Path, *arguments: str, script: str | None = None, encoding: str = "utf-8", **settings: str
) -> subprocess.Popen[str]:
    code = script or "from tercet.adapters.cli import main; main(prog_name='tercet')"
    path = os.pathsep.join([str(Path(ROOT).parent), *sys.path])
    env = {**os.environ, "PYTHONPATH": path, "TERCET_MEMORY": str(tmp_path / "m"), "TERCET_VECTORS": "0", **settings}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding=encoding,
        env=env,
    )


@pytest.mark.parametrize("arguments", [("--help",), ("write", "--help"), ("chat", "--help"), ("demo", "--help")])
def test_help_loads_nothing_heavy(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    out, err = program(tmp_path, *arguments, script=LIGHT).communicate()
    assert out.startswith("Usage: tercet")
    assert err == "[]\n"


def test_storing_and_listing_load_no_model(tmp_path: Path) -> None:
    for arguments in (("write", "a note"), ("list",), ("facts",)):
        _, err = program(tmp_path, *arguments, script=LIGHT).communicate()
        loaded = err.splitlines()[-1]
        assert "torch" not in loaded
        assert "transformers" not in loaded
        assert "networkx" not in loaded


def test_the_version_is_that_of_the_package(cli: Run) -> None:
    assert cli("--version").stdout == f"tercet {tercet.__version__}\n"


def test_without_a_command_it_shows_help(cli: Run) -> None:
    assert "Usage: tercet" in cli().output


def test_a_reader_that_goes_away_is_no_error_to_tell_of(tmp_path: Path) -> None:
    program(tmp_path, "write", "--lines").communicate("".join(f"note {n} {'x' * 200}\n" for n in range(2_000)))
    with program(tmp_path, "export") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_an_interrupted_import_exits_130_and_leaves_nothing(tmp_path: Path) -> None:
    # interrupts itself once the notes are being prepared, as Ctrl-C would
    script = (
        "import os, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored in what a shell runs in the background
        "from tercet.store.store import Store\n"
        "add = Store.add\n"
        "def interrupted(self, drafts):\n"
        "    add(self, drafts)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return add(self, [])\n"
        "Store.add = interrupted\n"
        "from tercet.adapters.cli import main; main(prog_name='tercet')"
    )
    program(tmp_path, "write", "already here").communicate()
    process = program(tmp_path, "write", "--lines", script=script)
    _, err = process.communicate("".join(f"note {n}\n" for n in range(500)))
    assert (process.returncode, err.strip()) == (130, "")
    out, _ = program(tmp_path, "list", "--json").communicate()
    assert [note["text"] for note in json.loads(out)] == ["already here"]
    out, _ = program(tmp_path, "doctor", "--json").communicate()
    assert all(finding["level"] != "fail" for finding in json.loads(out))


def test_a_terminal_without_unicode_gets_escapes(tmp_path: Path) -> None:
    program(tmp_path, "write", "Grüße → 日本").communicate()
    process = program(tmp_path, "list", encoding="latin-1", PYTHONIOENCODING="latin-1", PYTHONUTF8="0")
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert "Grüße \\u2192 \\u65e5\\u672c" in out


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    process = program(tmp_path, "write", "x", "--memory", str(tmp_path / "file" / "m"))
    _, err = process.communicate()
    assert process.returncode == 1
    assert err.startswith("error: ")
    assert err.count("\n") == 1
