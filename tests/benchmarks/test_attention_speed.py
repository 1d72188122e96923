from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path

import torch
from benchmarks.attention import Bench, arms, main
from click.testing import CliRunner


def test_each_arm_gives_every_row_the_same_question_and_leaves_its_cache_as_it_was() -> None:
    bench = Bench("llama100m", device="cpu", clock=time.perf_counter, layers=4)
    with closing(bench.shelf):
        found = arms(bench, memories=2, batch=2, length=1)
        names = [arm.name for arm in found]
        assert names[:4] == ["no memory", "words in the prompt", "words, prefix cache", "attention, full"]
        prefixed = found[2]
        sizes = []
        for _ in range(2):
            bench.timed(prefixed, length=1)
            with prefixed.open(()) as (_, cache):
                sizes.append(cache.get_seq_length())
                bench.model(torch.ones(2, 32, dtype=torch.long), past_key_values=cache)
    assert sizes == [1 + 2 * 128] * 2


def test_it_times_every_arm_against_no_memory(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    wanted = ["--layers", "4", "--memories", "2", "--rounds", "1", "--length", "2", "--json", str(out)]
    result = CliRunner().invoke(main, wanted)
    assert result.exit_code == 0, result.output
    found = json.loads(out.read_text())
    assert found["gate"]["verdict"] == "exact"
    none, *others = found["rows"]
    assert none["arm"] == "no memory"
    assert none["ttft_ratio"] == none["decode_ratio"] == 1
    assert len(others) == 7
    for row in others:
        assert row["ttft_ms"][1] > 0
        assert (row["load_ms"][1] > 0.1) == row["arm"].startswith("attention")
        assert (row["place_ms"][1] > 0.5) == row["arm"].startswith("attention")
