from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks.attention_price import crowd, excerpts, large, main, price, remembered, repair, said, surprisal
from click.testing import CliRunner

from tercet.adapters.cli.chat import STORIES
from tercet.engines import LocalModel
from tercet.engines.attention import SMALL, AttentionEngine, Recipe

TEXT = "Lily has a red ball. Tom found a big blue car in the park. The cat sat on the mat and saw a bird. " * 60


@pytest.fixture(scope="module")
def engine() -> AttentionEngine:
    local = LocalModel(STORIES)
    return AttentionEngine(local.model, local.tokenizer)


def test_excerpts_have_their_length_and_differ(engine: AttentionEngine) -> None:
    found = excerpts(engine, [TEXT], 4, length=192)
    assert [len(tokens) for tokens in found] == [192] * 4
    assert len({tuple(tokens) for tokens in found}) > 1
    assert excerpts(engine, [TEXT], 4, length=192) == found


def test_a_price_is_the_distance_from_full_injection(engine: AttentionEngine) -> None:
    texts = excerpts(engine, [TEXT], 2, length=192)
    rows = {row.scheme: row for row in price(engine, texts, {"8": SMALL, "few": Recipe(tokens=8)}, quiet=True)}
    assert rows["full"].kl == 0
    assert 0 < rows["8"].kl < rows["few"].kl
    assert rows["few"].kl > 1e-3
    assert rows["no memory"].nll > rows["full"].nll  # the text repeats itself
    assert rows["few"].nbytes < rows["8"].nbytes < rows["full"].nbytes


def test_a_memory_in_its_thread_after_its_thread_is_the_prompt(engine: AttentionEngine) -> None:
    texts = excerpts(engine, [TEXT], 2, length=224)
    rows = {row.way: row for row in repair(engine, texts, quiet=True)}
    prompt = np.mean([surprisal(said(engine, text, []), text[161:]) for text in texts])
    assert rows["all as words in the prompt"].nll == pytest.approx(prompt, abs=1e-6)
    assert rows["with the thread: after it, in its thread"].nll == pytest.approx(prompt, abs=1e-4)
    assert rows["with the thread: after it, alone"].nll != pytest.approx(prompt, abs=1e-3)
    own = np.mean([surprisal(said(engine, text[160:], []), text[161:]) for text in texts])
    assert rows["no memory"].nll == pytest.approx(own, abs=1e-4)  # one first token, wherever it stands
    assert rows["alone"].gain == pytest.approx(rows["no memory"].nll - rows["alone"].nll, abs=1e-9)
    assert rows["no memory"].gain == 0


def test_a_crowd_is_told_with_and_without_the_right_one(engine: AttentionEngine) -> None:
    texts = excerpts(engine, [TEXT], 5, length=192)
    rows = {row.way: row.nll for row in crowd(engine, texts, quiet=True)}
    alone = np.mean([surprisal(said(engine, t[128:], [remembered(engine, t[:128])]), t[160:]) for t in texts])
    assert rows["1, with the right one, beta 0"] == pytest.approx(alone, abs=1e-6)
    assert {"4, none of them right, beta 1", "4, with the right one, beta 0.5"} <= set(rows)
    assert not any(way.startswith("16") for way in rows)


def test_memories_of_a_large_model_are_as_small_as_promised() -> None:
    sizes = large()
    assert sizes["full, 32 bits"] > 32 * 2**20
    assert sizes["40 of 256 heads, 8 bits"] <= 1.3 * 2**20
    assert sizes["40 of 256 heads, 8 tokens, 8 bits"] <= 0.26 * 2**20


def test_it_prints_and_writes(tmp_path: Path) -> None:
    text, out = tmp_path / "text.txt", tmp_path / "out.json"
    text.write_text(TEXT)
    arguments = ["--excerpts", "2", "--model", str(STORIES), "--text", str(text), "--json", str(out)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    (model,) = json.loads(out.read_text())["models"]
    assert model["model"] == "stories260K"
    assert {row["scheme"] for row in model["schemes"]} >= {"8 bits", "8 tokens by probe, one for the rest"}
