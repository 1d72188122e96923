from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks import recall_musique
from click.testing import CliRunner
from factories import HashEmbedder  # type: ignore[import-not-found]

PASSAGES = [
    {"title": "Ada", "text": "Ada Byron was born in London."},
    {"title": "London", "text": "London is the capital of England."},
    {"title": "Porto", "text": "Porto lies at the sea."},
]
TRIPLES = [[["Ada Byron", "born in", "London"], ["Ada Byron", "born in"], ["Ada", "is", "..."]], [], []]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    docs = [row | {"extracted_triples": found} for row, found in zip(PASSAGES, TRIPLES, strict=True)]
    paragraphs = [
        {"title": row["title"], "paragraph_text": row["text"], "is_supporting": row["title"] != "Porto"}
        for row in PASSAGES
    ]
    (tmp_path / "openie_x.json").write_text(json.dumps({"docs": docs}))
    (tmp_path / "musique_train_corpus.json").write_text(json.dumps(PASSAGES))
    question = {"id": "2hop__1_2", "question": "Of which country is Ada's birthplace?", "paragraphs": paragraphs}
    (tmp_path / "musique_train.json").write_text(json.dumps([question]))
    return tmp_path


def test_triples_without_three_sides_are_left_out(folder: Path) -> None:
    passages = recall_musique.read_passages(folder)
    assert [passage.triples for passage in passages] == [(("Ada Byron", "born in", "London"),), (), ()]
    (asked,) = recall_musique.read_questions(folder, passages)
    assert (asked.kind, set(asked.evidence)) == ("2 hops", {"0", "1"})


def test_it_runs_every_arm(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall_musique, "MiniLM", HashEmbedder)
    out = folder / "out.json"
    result = CliRunner().invoke(recall_musique.main, ["--data", str(folder), "--json", str(out)])
    assert result.exit_code == 0, result.output
    found = json.loads(out.read_text())
    assert found["data"] == {"passages": 3, "triples": 1, "questions": {"2 hops": 1}}
    for arm in ("Tercet", "Tercet, bare", "Tercet, names", "Tercet, given", "Tercet, given + rules"):
        assert found["arms"][arm]["all"]["R@5"] == 1.0
    assert len(found["against_best_peer"]) == 10


@pytest.mark.data
def test_every_question_of_the_shared_data_has_its_passages(data: Path) -> None:
    passages = recall_musique.read_passages(data / "musique")
    questions = recall_musique.read_questions(data / "musique", passages)
    assert (len(passages), len(questions)) == (1_890, 100)
    assert sum(len(passage.triples) for passage in passages) > 16_000
