"""The command why: what an answer used, for people, as JSON, as a page and as a picture."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result

torch.set_num_threads(1)  # a model this small gains nothing from threads, and loses much on a busy machine

Run = Callable[..., Result]
STORIES = str(Path(__file__).parents[2] / "adapters" / "cli" / "demo" / "stories260K")


@pytest.fixture
def told(cli: Run) -> Run:
    cli("write", "Mia lives in Lisbon.", "--speaker", "Ada")
    cli("write", "Mia works in Porto.", "--speaker", "Ada")
    cli("write", "The cellar is green.")
    return cli


def test_it_shows_the_answer_and_what_each_memory_got_and_did(told: Run) -> None:
    result = told("why", "Where does Mia live?", "-k", "2")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    head = next(line for line in lines if "attention" in line)
    assert head.split() == ["attention", "effect", "date", "speaker", "memory"]
    assert "Memories by layers: percent of the attention" in result.stdout
    assert lines[-1].split()[0] == "prompt"
    assert "cellar" not in result.stdout
    assert "nats of log-likelihood" in result.stderr


def test_json_has_every_figure(told: Run) -> None:
    values = json.loads(told("why", "Where does Mia live?", "--json", "-k", "2").stdout)
    assert (values["question"], values["model"], values["layers"]) == ("Where does Mia live?", "mini", [0, 1, 2, 3, 4])
    assert len(values["memories"]) == 2
    for one in values["memories"]:
        assert len(one["by_layer"]) == len(one["by_head"]) == 5
        assert one["attention"] == pytest.approx(sum(one["by_layer"]) / 5, abs=1e-5)
        assert one["by_layer"][0] == pytest.approx(sum(one["by_head"][0]) / 4, abs=1e-5)
        assert isinstance(one["effect"], float)
    assert values["likelihood"] < 0
    assert values["tokens"] > 0


def test_it_writes_nothing(told: Run) -> None:
    before = told("stats", "--json").stdout
    told("why", "Where does Mia live?")
    after = told("stats", "--json").stdout
    assert json.loads(after)["change"] == json.loads(before)["change"]
    assert json.loads(after)["notes"] == json.loads(before)["notes"]


def test_what_was_forgotten_is_in_no_picture(told: Run, tmp_path: Path) -> None:
    told("why", "Where does Mia live?")
    id = next(note["id"] for note in json.loads(told("list", "--json").stdout) if "Lisbon" in note["text"])
    told("forget", id, "--yes")
    shown = told("why", "Where does Mia live?", "--output", "used.html")
    values = json.loads(told("why", "Where does Mia live?", "--json").stdout)
    page = (tmp_path / "used.html").read_text()
    assert "Mia works in Porto." in page
    assert "Mia lives in Lisbon." not in page + shown.stdout
    assert id not in page + shown.stdout
    assert id not in json.dumps(values["memories"])


def test_a_page_and_a_picture_are_files_of_their_owner(told: Run, tmp_path: Path) -> None:
    page = told("why", "Where does Mia live?", "--output", "used.html")
    assert "open it in a browser" in page.stderr
    assert "Mia lives in Lisbon." in (tmp_path / "used.html").read_text()
    told("why", "Where does Mia live?", "--heads", "1", "--output", "used.png")
    assert (tmp_path / "used.png").read_bytes().startswith(b"\x89PNG")
    for name in ("used.html", "used.png"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    refused = told("why", "Where does Mia live?", "--output", "used.html")
    assert refused.exit_code == 2
    assert "--yes" in refused.stderr
    assert told("why", "Where does Mia live?", "--output", "used.html", "--yes").exit_code == 0


def test_one_memory_is_shown_head_by_head(told: Run) -> None:
    shown = told("why", "Where does Mia live?", "--heads", "2").stdout
    assert "Memory 2: heads by layers" in shown
    assert [line.split()[0] for line in shown.splitlines()[-5:]] == ["head", "0", "1", "2", "3"]


def test_bad_input_is_told(told: Run, tmp_path: Path) -> None:
    none = told("why", "Where does Mia live?", "-k", "2", "--heads", "3")
    assert (none.exit_code, none.stderr.splitlines()[-1]) == (
        1,
        "error: there is no memory 3; 2 were recalled, numbered from 1",
    )
    odd = told("why", "Where does Mia live?", "--output", "used.gif")
    assert odd.exit_code == 2
    assert ".html or .png" in odd.stderr
    assert told("why", "", "-k", "2").exit_code == 1
    assert told("why", "Where?", "-k", "0").exit_code == 1
    missing = told("why", "Where does Mia live?", "--model", "./no/such/model")
    assert missing.stderr.splitlines()[-1].startswith("error: there is no folder no/such/model")
    assert not list(tmp_path.glob("used*"))


def test_nothing_recalled_is_nothing_used(told: Run, tmp_path: Path) -> None:
    shown = told("why", "xylophone quartz", "--output", "used.html")
    assert "nothing was recalled" in shown.stderr
    assert "Nothing was recalled" in (tmp_path / "used.html").read_text()
    values = json.loads(told("why", "xylophone quartz", "--json").stdout)
    assert (values["memories"], values["together"]) == ([], None)
    assert told("why", "xylophone quartz", "--output", "used.png").exit_code == 2


def test_another_model_can_be_asked_from_standard_input(told: Run) -> None:
    values = json.loads(told("why", "-", "--model", STORIES, "--json", "--max-tokens", "4", stdin="Mia\n").stdout)
    assert (values["question"], values["model"], values["tokens"]) == ("Mia", "stories260K", 4)


def test_a_chat_tells_effects_when_asked_why(told: Run) -> None:
    shown = told("chat", stdin="Where does Mia live?\n/why\n")
    assert "effect" in next(line for line in shown.stdout.splitlines() if "attention" in line)
    assert "nats of log-likelihood" in shown.stderr
    lines = told("chat", "--json", stdin="Where does Mia live?\n/why\n").stdout.splitlines()
    answer, why = map(json.loads, lines)
    assert "effects" not in answer, "only on request"
    assert len(why["effects"]) == len(why["attention"]) > 0
