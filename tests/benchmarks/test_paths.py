from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks import paths
from benchmarks.comparison import TERCET
from benchmarks.peers import Remembering
from click.testing import CliRunner
from factories import HashEmbedder  # type: ignore[import-not-found]

FACTS = ["ada_b\tspouse\twilliam_k", "william_k\tnationality\tengland", "zoe\treligion\tislam"]
ASKED = [
    "what is the nation of ada_b 's husband ?\tengland(england/)\tada_b#spouse#william_k#nationality#england",
    "the child of x ?\tkim(kim/lee_(actor)/)\tx#children#kim",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for hops in paths.HOPS:
        (tmp_path / f"{hops}H-kb.txt").write_text("\n".join([*FACTS, FACTS[0]]))
        (tmp_path / f"PQ-{hops}H.txt").write_text("\n".join(ASKED))
    return tmp_path


def test_a_base_is_spelled_as_one_writes(folder: Path) -> None:
    base = paths.read_base(folder, "2", limit=10)
    assert base.facts == [
        ("ada b", "spouse", "william k"),
        ("william k", "nationality", "england"),
        ("zoe", "religion", "islam"),
    ]
    assert base.questions[0].text == "what is the nation of ada b's husband?"
    assert [asked.evidence for asked in base.questions] == [{"england"}, {"kim", "lee (actor)"}]


def test_entities_come_in_order_without_what_the_question_names(folder: Path) -> None:
    base = paths.read_base(folder, "2", limit=10)
    assert paths.entities(base.facts[:2], "who is ada b's husband?") == ["william k", "england"]


def test_the_last_facts_are_those_that_the_relations_lead_to(folder: Path) -> None:
    base = paths.read_base(folder, "2", limit=10)
    assert paths.last_facts(base.facts, "ada b", ["spouse", "nationality"]) == {"1"}
    assert [asked.evidence for asked in base.last] == [{"1"}]  # of x there is no fact


def test_answers_stand_before_what_the_notes_name(folder: Path) -> None:
    facts = [("ada b", "spouse", "william k"), ("william k", "nationality", "england"), ("zoe", "religion", "islam")]
    with paths.tercet(facts, Remembering(HashEmbedder())) as memory:
        question = "what is the nationality of ada b's spouse?"
        assert paths.answered(memory, facts)(question, 2) == ["england", "william k"]
        assert paths.noted(memory)(question, 1) == ["1"]


def test_the_walk_reaches_what_the_question_does_not_name(folder: Path) -> None:
    base = paths.read_base(folder, "2", limit=10)
    walk = paths.nearest(base.facts, by_words=False)
    assert walk("what is the nation of ada b's husband?", 9) == ["william k", "england"]
    by_words = paths.nearest(base.facts, by_words=True)
    assert by_words("the nationality of ada b's husband?", 1) == ["william k"]
    assert walk("who is nobody?", 9) == []


def test_it_runs_every_arm(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "MiniLM", HashEmbedder)
    out = folder / "out.json"
    result = CliRunner().invoke(paths.main, ["--data", str(folder), "--json", str(out)])
    assert result.exit_code == 0, result.output
    found = json.loads(out.read_text())
    last = found["data"].pop("last_facts")
    assert found["data"] == {"facts": 6, "questions": {"2 hops": 2, "3 hops": 2}}
    assert found["arms"][TERCET]["all"]["hit@5"] == 0.5
    assert found["arms"][paths.NOTES]["all"]["hit@5"] == 0.5
    assert last["arms"][TERCET]["all"]["hit@5"] == 1.0


@pytest.mark.data
def test_the_shared_answers_are_in_the_base(data: Path) -> None:
    for hops in paths.HOPS:
        base = paths.read_base(data / "pathquestion", hops, limit=50)
        ends = {end for fact in base.facts for end in (fact[0], fact[2])}
        assert all(asked.evidence & ends for asked in base.questions)
