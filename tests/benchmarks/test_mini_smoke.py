"""``make mini SMOKE=1``: a tiny model from nothing to its figures, with the very options of the Makefile."""

import json
import re
from pathlib import Path

import pytest
from benchmarks import explicit_memory
from benchmarks.mini import train
from click.testing import CliRunner

MAKEFILE = Path(__file__).resolve().parents[2] / "Makefile"


@pytest.mark.slow
def test_a_tiny_model_is_trained_and_measured(tmp_path: Path) -> None:
    text = MAKEFILE.read_text(encoding="utf-8")
    found = re.search(r"^MINI \?= \$\(if \$\(SMOKE\),(.*),\)$", text, re.MULTILINE)
    asked = re.search(r"--questions \$\(if \$\(SMOKE\),(.*),\d+\)", text)
    assert found
    assert asked
    model, out = str(tmp_path / "mini"), tmp_path / "out.json"
    train.main([model, *found[1].split(), "--device", "cpu"])
    options = ["--model", model, "--questions", *asked[1].split(), "--json", str(out)]
    done = CliRunner().invoke(explicit_memory.main, options, catch_exceptions=False)
    assert done.exit_code == 0
    figures = json.loads(out.read_text())
    assert figures["parameters"] < 200_000
    assert figures["exact_match"]["words in the prompt"]["one hop"]["asked"] == 1
