from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import numpy as np
from benchmarks.latency import FORMS, Random, Writer, main
from click.testing import CliRunner


def test_the_same_seed_writes_the_same_and_others_speak_the_same_language() -> None:
    assert list(Writer(seed=1).notes(5)) == list(Writer(seed=1).notes(5))
    said, asked = set(), set()
    for draft in Writer(seed=1).notes(500):
        said.update(draft["text"].lower().replace(".", "").split())
    for question in islice(iter(Writer(seed=2).question, None), 50):
        asked.update(question.lower().replace("?", "").split()[5:])
    assert len(asked & said) > len(asked) / 2


def test_vectors_are_drawn_by_the_text() -> None:
    first, again = Random().embed(["a", "b"]), Random().embed(["b", "a"])
    np.testing.assert_array_equal(first, again[::-1])
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, rtol=1e-5)


def test_it_times_every_arm(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    result = CliRunner().invoke(main, ["--notes", "40", "--reads", "4", "--json", str(out)])
    assert result.exit_code == 0, result.output
    found = json.loads(out.read_text())
    assert {row["arm"] for row in found["reads"]} == {*FORMS, "FTS5 alone", "faiss flat alone"}
    assert all(0 < row["p50_ms"] <= row["p95_ms"] for row in found["reads"])
    (filled,) = found["writes"]
    assert filled["notes"] == 40
    assert filled["bytes_per_note"] > 100
