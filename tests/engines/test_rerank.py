"""Late interaction by the embedder's tokens, and cross-encoders from a folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from call_tokenizers import call_tokenizer  # type: ignore[import-not-found]
from transformers import BertConfig, BertForSequenceClassification, BertModel, PreTrainedModel

from tercet.engines import CrossEncoder, HubEmbedder, LateInteraction, MiniLM, Reranker
from tercet.store.errors import EngineError, InvalidInput

TEXTS = ["Ada lives in Lisbon.", "Mia works at the Crumb bakery, and her sister bakes there too.", "tea"]


def test_the_score_is_the_sum_of_the_nearest_tokens(minilm: MiniLM) -> None:
    late: Reranker = LateInteraction(minilm)
    question, *rest = minilm.token_vectors(["Where does Ada live?", *TEXTS])
    assert question.shape == (5, 384), "five tokens, without the special ones"
    assert np.allclose(np.linalg.norm(question, axis=1), 1, atol=1e-5)
    slow = [sum(max(float(q @ token) for token in text) for q in question) for text in rest]
    assert late.rank("Where does Ada live?", TEXTS) == pytest.approx(slow, abs=2e-2)
    scores = late.rank("Where does Ada live?", TEXTS)
    assert max(scores) == scores[0]
    assert late.rank("Where?", []) == []
    assert late.rank("", TEXTS) == [0.0, 0.0, 0.0]
    assert late.rank("Where?", ["", "tea"])[0] == 0.0


def test_token_vectors_are_kept_within_a_budget(minilm: MiniLM) -> None:
    late = LateInteraction(minilm, budget=20_000)
    first = late.rank("Ada?", TEXTS)
    assert 0 < late._bytes <= 20_000
    assert late._bytes == sum(vectors.nbytes for vectors in late._kept.values())
    assert not any(text.encode() in name for text in TEXTS for name in late._kept), "no text is kept"
    assert late.rank("Ada?", TEXTS) == pytest.approx(first, abs=2e-2)
    late.clear()
    assert not late._bytes
    assert not late._kept
    assert LateInteraction(minilm, budget=0).rank("Ada?", TEXTS) == pytest.approx(first, abs=2e-2)
    with pytest.raises(InvalidInput, match="budget=-1"):
        LateInteraction(budget=-1)


def saved(folder: Path, *, labels: int = 1, kind: type[PreTrainedModel] = BertForSequenceClassification) -> Path:
    tokenizer = call_tokenizer("byte level")
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        id2label={number: str(number) for number in range(labels)},
        initializer_range=0.5,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        cast("Callable[[object], PreTrainedModel]", kind)(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("labels", [1, 2])
def test_a_cross_encoder_reads_question_and_text_together(tmp_path: Path, labels: int) -> None:
    encoder: Reranker = CrossEncoder(saved(tmp_path, labels=labels))
    scores = encoder.rank("Where does Ada live?", TEXTS)
    assert len(set(scores)) == 3
    alone = [encoder.rank("Where does Ada live?", [text])[0] for text in TEXTS]
    assert scores == pytest.approx(alone, abs=1e-4), "padding and order change nothing"
    assert encoder.rank("Who bakes?", TEXTS) != pytest.approx(scores, abs=1e-4)
    many = encoder.rank("Where?", [f"{text} {n}" for n in range(40) for text in TEXTS])
    assert len(many) == 120
    assert encoder.rank("Where?", ["word " * 2_000])[0] == pytest.approx(
        encoder.rank("Where?", ["word " * 3_000])[0], abs=1e-4
    )


def test_what_is_no_cross_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="has 3 classes"):
        CrossEncoder(saved(tmp_path / "three", labels=3)).rank("a", ["b"])
    with pytest.raises(EngineError, match="lack 2 tensors of a cross-encoder"):
        CrossEncoder(saved(tmp_path / "embedder", kind=BertModel)).rank("a", ["b"])
    with pytest.raises(EngineError):
        CrossEncoder(tmp_path / "nothing")
    with pytest.raises(InvalidInput, match="max_tokens=2"):
        CrossEncoder(tmp_path / "three", max_tokens=2)


def test_another_embedder_s_tokens_serve_too(tmp_path: Path) -> None:
    embedder = HubEmbedder(saved(tmp_path, kind=BertModel))
    scores = LateInteraction(embedder).rank("Ada", TEXTS)
    assert len(scores) == 3


def test_a_long_question_is_cut_and_a_model_s_limits_are_said(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    assert len(CrossEncoder(folder, max_tokens=16).rank("where " * 400, TEXTS)) == 3
    with pytest.raises(InvalidInput, match="reads 512 tokens"):
        CrossEncoder(folder, max_tokens=1_000).rank("where", TEXTS)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    expected = CrossEncoder(folder).rank("where", TEXTS)
    settings.pop("pad_token")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    assert CrossEncoder(folder).rank("where", TEXTS) == pytest.approx(expected, abs=1e-4)
