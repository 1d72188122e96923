import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from minilm_files import linked, package_folder  # type: ignore[import-not-found]
from safetensors.torch import load_file, save_file

from tercet.engines.bert import read_bert
from tercet.engines.embedder import HubEmbedder


def saved(folder: Path, *, seed: int = 0, **settings: object) -> Path:
    """A BERT of random weights, large enough that its layers matter, with the tokenizer of MiniLM."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(seed)
    shape: dict[str, Any] = {
        "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 96,
        "max_position_embeddings": 64, "initializer_range": 0.2,
    }  # fmt: skip
    BertModel(BertConfig(**(shape | settings))).save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes((package_folder() / "tokenizer.json").read_bytes())
    return folder


def by_transformers(folder: Path, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    from transformers import BertModel

    model: Any = BertModel.from_pretrained(folder, dtype=torch.float32, add_pooling_layer=False)
    hidden: torch.Tensor = model.eval()(input_ids=ids, attention_mask=mask).last_hidden_state
    return hidden


def padded(vocabulary: int) -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(1, vocabulary, (5, 23), generator=torch.Generator().manual_seed(5))
    mask = (torch.arange(23) < torch.tensor([23, 1, 9, 23, 2])[:, None]).long()
    return ids * mask, mask


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"num_attention_heads": 12, "num_hidden_layers": 1},
        {"layer_norm_eps": 1e-2},
        {"type_vocab_size": 1, "vocab_size": 31_000},
    ],
)
@pytest.mark.parametrize("padding", [True, False])
def test_it_is_the_forward_pass_of_transformers(settings: dict[str, Any], padding: bool, tmp_path: Path) -> None:
    folder = saved(tmp_path, **settings)
    ids, mask = padded(30_000)
    if not padding:
        ids, mask = ids[:1], mask[:1]
    bert = read_bert(folder, torch.float32, "cpu")
    assert bert is not None
    with torch.inference_mode():
        ours, theirs = bert(ids, mask), by_transformers(folder, ids, mask)
    read = mask.bool()
    assert torch.allclose(ours[read], theirs[read], atol=2e-5)
    assert theirs[read].std() > 0.3


def test_it_is_the_forward_pass_of_transformers_for_the_real_model() -> None:
    folder = package_folder()
    ids, mask = padded(30_000)
    bert = read_bert(folder, torch.float32, "cpu")
    assert bert is not None
    with torch.inference_mode():
        ours, theirs = bert(ids, mask), by_transformers(folder, ids, mask)
    read = mask.bool()
    assert torch.allclose(ours[read], theirs[read], atol=2e-5)


@pytest.mark.parametrize("settings", [{"hidden_act": "relu"}, {"is_decoder": True}])
def test_another_kind_of_model_is_left_to_transformers(settings: dict[str, Any], tmp_path: Path) -> None:
    assert read_bert(saved(tmp_path, **settings), torch.float32, "cpu") is None


def test_weights_under_the_old_names_are_left_to_transformers(tmp_path: Path) -> None:
    folder = saved(tmp_path / "new")
    expected = HubEmbedder(folder, max_tokens=64).embed(["three plain words"])
    tensors = load_file(folder / "model.safetensors")
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for name, tensor in tensors.items()
    }
    save_file(old, folder / "model.safetensors", metadata={"format": "pt"})
    assert read_bert(folder, torch.float32, "cpu") is None
    np.testing.assert_allclose(HubEmbedder(folder, max_tokens=64).embed(["three plain words"]), expected, atol=1e-6)


@pytest.mark.parametrize("key", ["hidden_size", "vocab_size"])
def test_a_configuration_that_does_not_fit_the_weights_is_left_to_transformers(key: str, tmp_path: Path) -> None:
    folder = saved(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    for changed in ({**config, key: config[key] * 2}, {name: value for name, value in config.items() if name != key}):
        (folder / "config.json").write_text(json.dumps(changed))
        assert read_bert(folder, torch.float32, "cpu") is None


def test_weights_in_several_files_are_left_to_transformers(tmp_path: Path) -> None:
    folder = linked(tmp_path / "model", without=["model.safetensors"])
    assert read_bert(folder, torch.float32, "cpu") is None
