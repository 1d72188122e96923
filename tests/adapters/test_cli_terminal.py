"""What a person sees: colours, bars and questions only where there is a terminal."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from pathlib import Path

import pytest

import tercet

pty = pytest.importorskip("pty", reason="needs a pseudo-terminal")
CODE = "from tercet.adapters.cli import main; main(prog_name='tercet')"


def seen(tmp_path: Path, *arguments: str, answer: bytes = b"", width: int = 80, **settings: str) -> tuple[str, int]:
    """Runs the program on a terminal of its own; answers its first question."""
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(tercet.__file__).parent.parent), *sys.path]),
        "TERCET_MEMORY": str(tmp_path / "m"),
        "TERCET_VECTORS": "0",
        "TERM": "xterm-256color",
        "COLUMNS": str(width),
        **settings,
    }
    for name in ("NO_COLOR", "FORCE_COLOR"):
        if name not in settings:
            env.pop(name, None)
    child, terminal = pty.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # what a shell runs in the background ignores it, children too
        os.execve(sys.executable, [sys.executable, "-c", CODE, *arguments], env)
    output = b""
    with contextlib.suppress(OSError):  # Linux ends a terminal's output with an error
        while select.select([terminal], [], [], 60)[0]:
            piece = os.read(terminal, 65536)
            if not piece:
                break
            output += piece
            if answer and b"[y/N]" in output:
                time.sleep(0.5)  # a person is not faster; Python loses an interrupt just before it starts to read
                os.write(terminal, answer)
                answer = b""
    os.close(terminal)
    return output.decode(), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_colours_and_bars_are_for_terminals(tmp_path: Path) -> None:
    lines = tmp_path / "notes.txt"
    lines.write_text('[{"conversation": {"session_1": [{"speaker": "A", "dia_id": "1", "text": "Near the river."}]}}]')
    output, code = seen(tmp_path, "import", str(lines))
    assert code == 0
    assert "1/1" in output  # the bar's count
    output, code = seen(tmp_path, "read", "river")
    assert code == 0
    assert "\x1b[2m" in output
    assert "\x1b[2m" not in seen(tmp_path, "read", "river", NO_COLOR="1", TERM="dumb")[0]


def test_it_asks_before_it_forgets(tmp_path: Path) -> None:
    seen(tmp_path, "write", "keep me")
    id = seen(tmp_path, "list")[0].splitlines()[-1].split()[0]
    output, code = seen(tmp_path, "forget", id, answer=b"n\n")
    assert code == 1
    assert "keep me" in output
    assert "nothing was changed" in output
    assert seen(tmp_path, "forget", id, answer=b"\x03")[1] == 130
    assert seen(tmp_path, "show", id)[1] == 0
    assert seen(tmp_path, "forget", id, answer=b"y\n")[1] == 0
    assert seen(tmp_path, "show", id)[1] == 1


def test_long_texts_fold_at_the_width_of_the_terminal(tmp_path: Path) -> None:
    seen(tmp_path, "write", "words that go on and on " * 20)
    output, _ = seen(tmp_path, "read", "words", width=60)
    shown = [line for line in output.replace("\r", "").splitlines() if "words that" in line]
    assert len(shown) > 5
    assert all(len(line) <= 60 for line in shown)


def test_an_export_shown_on_a_terminal_cannot_drive_it(tmp_path: Path) -> None:
    seen(tmp_path, "write", "a\u202eb\u009b31mc")
    output, _ = seen(tmp_path, "export")
    assert "a\\u202eb\\u009b31mc" in output
