"""`tercet calibrate`: what it finds is kept, told, and used wherever the model attends."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tercet.adapters.cli.chat import STORIES
from tercet.engines import LocalModel
from tercet.engines.attention.calibration import calibrated

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data"


def test_what_is_found_is_used_by_the_model_and_by_no_other(cli: Run, data_home: Path) -> None:
    before = LocalModel(STORIES).attention
    assert before.recipe.heads is None
    result = cli("calibrate", "--model", str(STORIES), "--pairs", "24", "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert Path(told["file"]).parent == data_home / "tercet" / "heads"
    assert told["heads_of"] == 20
    assert 0 < told["bytes_kept"] < told["bytes_all"]
    after = LocalModel(STORIES).attention
    assert after.recipe.heads == tuple(map(tuple, told["heads"]))
    assert after.fingerprint != before.fingerprint
    assert after.model_fingerprint == before.model_fingerprint == told["fingerprint"]
    assert calibrated("another model") is None


def test_people_are_told_what_it_costs_and_a_text_may_be_given(cli: Run, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("Lily has a red ball. Tom found a big blue car in the park. The cat sat on the mat. " * 20)
    result = cli("calibrate", "--model", str(STORIES), "--pairs", "16", "--text", str(text))
    assert result.exit_code == 0, result.stderr
    assert "of 20 keep memories" in result.stdout
    assert "nats a token with all heads (4 pairs held out)" in result.stdout
    assert "for 128 tokens in 8 bits" in result.stdout


def test_a_text_that_is_too_short_is_an_error(cli: Run, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("Lily.")
    result = cli("calibrate", "--model", str(STORIES), "--text", str(text))
    assert result.exit_code == 1
    assert "the texts have" in result.stderr
