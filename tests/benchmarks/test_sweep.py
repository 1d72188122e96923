from __future__ import annotations

import json
from pathlib import Path

from benchmarks.sweep import built, examined, findings, main
from click.testing import CliRunner
from transformers import AutoConfig


def test_a_type_is_exact_refused_with_its_reason_or_not_built_with_its_error() -> None:
    exact, refused, neither = (examined(kind) for kind in ("llama", "gpt2", "reformer"))
    assert (exact.verdict, exact.reason) == ("exact", "")
    assert exact.again is not None
    assert exact.again <= 1e-4
    assert refused.verdict == "refused"
    assert "absolute" in refused.reason
    assert neither.verdict == "not built"
    assert neither.reason


def test_kinds_of_layers_that_are_no_attention_stay() -> None:
    assert set(AutoConfig.for_model("minimax").layer_types) == {"full_attention", "linear_attention"}
    assert set(built("minimax").config.layer_types) == {"full_attention", "linear_attention"}


def test_a_process_that_ends_is_told_and_the_next_type_goes_on() -> None:
    found = list(findings(["no such type", "llama"]))
    assert [(one.type, one.verdict) for one in found] == [("no such type", "not built"), ("llama", "exact")]


def test_the_findings_are_counted(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    result = CliRunner().invoke(main, ["--types", "llama", "--types", "bloom", "--json", str(out)])
    assert result.exit_code == 0, result.output
    assert json.loads(out.read_text())["counts"] == {"exact": 1, "refused": 1}
    assert "never called" in " ".join(result.output.split())
