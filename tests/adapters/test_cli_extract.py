"""`tercet extract`: what it would cost, what came of it, what was refused."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

sys.path.append(str(Path(__file__).parents[1] / "engines"))

from chat_server import ChatServer, Turn  # type: ignore[import-not-found]

FACT = {"note": "1", "subject": "Zed", "relation": "lives in", "object": "Faro", "span": "Zed moved to Faro"}


def answers(turns: list[Turn]) -> str:
    return json.dumps({"facts": [FACT, FACT | {"span": "\x1b[31mnever"}]})


def test_a_dry_run_asks_nothing_and_a_run_says_what_was_kept_and_refused(cli: Callable[..., Result]) -> None:
    cli("write", "Zed moved to Faro.")
    with ChatServer(model=answers) as server:
        asked = ("extract", "--endpoint", server.url, "--model", "qwen3", "--price-in", "1000")
        dry = cli(*asked, "--dry-run")
        assert dry.exit_code == 0
        assert "1 notes in 1 requests" in dry.stdout
        assert "price" in dry.stdout
        cost = json.loads(cli(*asked, "--dry-run", "--json").stdout)
        assert (cost["notes"], cost["requests"]) == (1, 1)
        assert cost["price"] == cost["tokens_in"] / 1000
        assert server.requests == []
        done = cli(*asked)
        assert done.exit_code == 0
        assert "1 of 1 notes" in done.stdout
        assert "does not say" in done.stdout
        assert "\x1b" not in done.stdout
        assert json.loads(cli(*asked, "--json").stdout)["notes"] == 0
    assert "Zed lives in Faro" in " ".join(cli("facts", "--subject", "Zed").stdout.split())
    id = json.loads(cli("list", "--json").stdout)[0]["id"]
    assert "Zed moved to Faro" in cli("show", id).stdout
    shown = json.loads(cli("show", id, "--json").stdout)
    assert [one["span"] for one in shown["extracted"]] == ["Zed moved to Faro"]


def test_without_a_memory_or_a_server_it_fails_in_one_line(cli: Callable[..., Result]) -> None:
    cli("write", "Zed moved to Faro.")
    done = cli("extract", "--endpoint", "http://127.0.0.1:9/v1", "--model", "qwen3")
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
