"""Another sentence model, and the screen, as options of every command."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tercet.engines.encoder_files import minilm_folder

CLI = Callable[..., Result]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small BERT with random weights and MiniLM's tokenizer, saved to disk."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(7)
    config = BertConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, max_position_embeddings=512
    )
    made: Any = BertModel(config)
    made.save_pretrained(tmp_path / "small")
    (tmp_path / "small" / "tokenizer.json").write_bytes((minilm_folder() / "tokenizer.json").read_bytes())
    return tmp_path / "small"


def test_a_memory_moves_to_another_model_and_is_read_with_it(
    cli: CLI, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERCET_VECTORS", "1")
    assert cli("write", "I moved to Lisbon.").exit_code == 0
    moved = cli("rebuild", "--embed-with", str(model), "--json")
    assert json.loads(moved.output)["vectors"] == 1
    refused = cli("read", "Where did I move?")
    assert refused.exit_code == 1
    assert "small@" in refused.output
    assert "Lisbon" in cli("read", "Where did I move?", "--embedder", str(model)).output
    monkeypatch.setenv("TERCET_EMBEDDER", str(model))
    assert cli("write", "And I like it there.").exit_code == 0


def test_embedding_anew_goes_alone(cli: CLI) -> None:
    assert cli("rebuild", "--embed-with", "x", "--form", "words").exit_code == 2


def test_the_screen_refuses_or_redacts(cli: CLI) -> None:
    token = "ghp_" + "a1B2" * 9
    refused = cli("write", f"my token is {token}", "--screen", "refuse")
    assert refused.exit_code == 1
    assert token not in refused.output
    assert cli("write", f"my token is {token}", "--screen", "redact").exit_code == 0
    listed = cli("list").output
    assert token not in listed
    assert "my token is" in listed
