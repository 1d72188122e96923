"""`tercet summarise`: which sessions, and what was said of them."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

sys.path.append(str(Path(__file__).parents[1] / "engines"))

from chat_server import ChatServer  # type: ignore[import-not-found]


def test_a_session_is_summed_up_once(cli: Callable[..., Result]) -> None:
    lines = "\n".join(f"turn {n}" for n in range(7))
    cli("write", "--lines", "--thread", "chat", "--happened", "2024-03-09", stdin=lines)
    with ChatServer(model=lambda turns: "Ada took \x1b[31mseven turns.") as server:
        asked = ("summarise", "--endpoint", server.url, "--model", "qwen3")
        dry = cli(*asked, "--dry-run")
        assert "chat" in dry.stdout
        assert json.loads(cli(*asked, "--dry-run", "--json").stdout)[0]["turns"] == 7
        assert server.requests == []
        done = cli(*asked)
        assert done.exit_code == 0
        assert "seven turns." in done.stdout
        assert "\x1b" not in done.stdout
        assert json.loads(cli(*asked, "--json").stdout) == []
        assert "no session needs a summary" in cli(*asked).stderr
    summary = json.loads(cli("list", "--origin", "model", "--json").stdout)[0]
    assert len(summary["derived_from"]) == 7
