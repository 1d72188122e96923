import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from minilm_files import cached_snapshot, hub_cache, linked, package_folder  # type: ignore[import-not-found]

from tercet.engines import encoder_files
from tercet.engines.embedder import HubEmbedder, MiniLM
from tercet.store.errors import EngineError, InvalidInput


def tiny(folder: Path, *, half: bool = False) -> Path:
    """Saves a small BERT with random weights and the tokenizer of MiniLM."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(7)
    config = BertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=64,
    )  # fmt: skip
    model: Any = BertModel(config)
    model.to(torch.float16 if half else torch.float32).save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes((package_folder() / "tokenizer.json").read_bytes())
    return folder


def set_pooling(folder: Path, mode: str) -> None:
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({"word_embedding_dimension": 32, "pooling_mode_mean_tokens": False, mode: True})
    )


def test_a_folder_gives_the_vectors_of_its_model(minilm: MiniLM, tmp_path: Path) -> None:
    embedder = HubEmbedder(linked(tmp_path / "my-model"))
    assert (embedder.dimensions, embedder.name) == (
        384,
        f"my-model@{encoder_files.fingerprint(package_folder())}:256",
    )
    texts = ["I moved to Lisbon in March 2024.", "", "word " * 400, "東京に住んでいます。"]
    assert np.array_equal(embedder.embed(texts), MiniLM(precision="float32").embed(texts))
    by_hardware = HubEmbedder(tmp_path / "my-model", precision="auto")
    assert by_hardware.name == embedder.name
    assert np.array_equal(by_hardware.embed(texts), minilm.embed(texts))


def test_a_hub_name_is_served_from_the_local_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    linked(cached_snapshot(hub_cache(monkeypatch, tmp_path), "somebody/some-model"))
    embedder = HubEmbedder("somebody/some-model")
    assert embedder.name.startswith("somebody/some-model@")
    assert embedder.embed(["a"]).shape == (1, 384)


@pytest.mark.parametrize("name", ["somebody/not-here", "no such folder/at all/", "../x"])
def test_an_unknown_model_is_refused_with_the_mend_and_no_download(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_cache(monkeypatch, tmp_path)
    with pytest.raises(EngineError, match="download=True"):
        HubEmbedder(name)


def test_models_that_are_called_the_same_have_other_names(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    one, two = tiny(tmp_path / "a" / "model"), tiny(tmp_path / "b" / "model")
    assert HubEmbedder(one, max_tokens=64).name == HubEmbedder(two, max_tokens=64).name
    assert HubEmbedder(one, max_tokens=64).name != HubEmbedder(one, max_tokens=32).name
    tensors = load_file(two / "model.safetensors")
    tensors["embeddings.LayerNorm.bias"] += torch.tensor(0.5)
    save_file(tensors, two / "model.safetensors")
    assert HubEmbedder(one, max_tokens=64).name != HubEmbedder(two, max_tokens=64).name


@pytest.mark.parametrize("half", [False, True])
def test_pooling_is_read_from_the_model(half: bool, tmp_path: Path) -> None:
    import torch
    from tokenizers import Tokenizer
    from transformers import BertModel

    mean, cls = tiny(tmp_path / "mean", half=half), tiny(tmp_path / "cls", half=half)
    set_pooling(mean, "pooling_mode_mean_tokens")
    set_pooling(cls, "pooling_mode_cls_token")
    tokenizer = Tokenizer.from_file(str(mean / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    ids = torch.tensor([tokenizer.encode("three plain words").ids])
    with torch.inference_mode():
        hidden = BertModel.from_pretrained(mean, dtype=torch.float32)(input_ids=ids).last_hidden_state[0]
    for folder, pooled in ((mean, hidden.mean(0)), (cls, hidden[0])):
        vector = HubEmbedder(folder, max_tokens=64).embed(["three plain words", "a much longer companion " * 5])[0]
        np.testing.assert_allclose(vector, (pooled / pooled.norm()).numpy(), atol=1e-6)


def test_a_pooling_or_layer_that_would_be_left_out_is_refused(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "max")
    set_pooling(folder, "pooling_mode_max_tokens")
    with pytest.raises(EngineError, match=r"pooling_mode_max_tokens.*CallableEmbedder"):
        HubEmbedder(folder, max_tokens=64)
    dense = tiny(tmp_path / "dense")
    (dense / "modules.json").write_text(json.dumps([{"type": "sentence_transformers.models.Dense"}]))
    with pytest.raises(EngineError, match=r"Dense.*CallableEmbedder"):
        HubEmbedder(dense, max_tokens=64)


def test_weights_that_lack_a_layer_are_refused_instead_of_filled_with_noise(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tiny(tmp_path / "model")
    tensors = load_file(folder / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(EngineError, match=r"lack 1 tensors .*encoder\.layer\.1\.output\.dense\.weight"):
        HubEmbedder(folder, max_tokens=64).embed(["a"])


def test_damaged_files_are_an_engine_error(tmp_path: Path) -> None:
    weights, tokenizer, config = (tiny(tmp_path / name) for name in ("weights", "tokenizer", "config"))
    (weights / "model.safetensors").write_bytes(b"\xff" * 64)
    (tokenizer / "tokenizer.json").write_text("{}")
    (config / "config.json").write_text('{"hidden_size": 32}')
    for folder in (weights, tokenizer, config):
        with pytest.raises(EngineError, match=str(folder)):
            HubEmbedder(folder, max_tokens=64).embed(["a"])


def test_pickled_weights_and_a_model_s_own_code_are_refused(tmp_path: Path) -> None:
    pickled = tiny(tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(EngineError, match="safetensors"):
        HubEmbedder(pickled, max_tokens=64)
    remote = tiny(tmp_path / "remote")
    config = json.loads((remote / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}}
    (remote / "config.json").write_text(json.dumps(config))
    (remote / "evil.py").write_text("raise SystemExit('the code of the model was run')")
    with pytest.raises(EngineError):
        HubEmbedder(remote, max_tokens=64)


@pytest.mark.parametrize("max_tokens", [0, 7, 65])
def test_max_tokens_must_be_what_the_model_can_read(max_tokens: int, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"8\.\.64"):
        HubEmbedder(tiny(tmp_path / "model"), max_tokens=max_tokens)


def test_an_unknown_precision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="precision='half'"):
        HubEmbedder(tiny(tmp_path / "model"), max_tokens=64, precision="half")  # type: ignore[arg-type]


@pytest.mark.gpu
def test_a_gpu_makes_the_same_vectors(tmp_path: Path) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    folder, texts = tiny(tmp_path / "model"), ["short", "a longer companion", "word " * 90]
    here = HubEmbedder(folder, max_tokens=64).embed(texts)
    assert np.abs(HubEmbedder(folder, max_tokens=64, device="cuda").embed(texts) - here).max() < 1e-5
    fast = HubEmbedder(folder, max_tokens=64, device="cuda", precision="auto").embed(texts)
    assert (fast * here).sum(1).min() > 0.995
