from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks.triplets_carb import (
    assigned,
    bag,
    carb,
    entity_in,
    main,
    outer_phrases,
    overlap,
    re_docred,
    split_at_verb,
)
from click.testing import CliRunner

GOLD = "Ada moved to Rome .\tmoved to\tAda\tRome\nAda moved to Rome .\twent\tshe\tthere\tin May\n"
DOCUMENTS = [
    {
        "sents": [["Ada", "moved", "to", "Rome", "."], ["Tom", "sings", "."]],
        "vertexSet": [
            [{"name": "Ada", "sent_id": 0}],
            [{"name": "Rome", "sent_id": 0}],
            [{"name": "Tom", "sent_id": 1}],
        ],
        "labels": [{"h": 0, "t": 1, "r": "P551"}, {"h": 0, "t": 2, "r": "P26"}],
    }
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "carb").mkdir()
    (tmp_path / "re_docred").mkdir()
    (tmp_path / "carb" / "gold_dev.tsv").write_text(GOLD)
    (tmp_path / "re_docred" / "dev_revised.json").write_text(json.dumps(DOCUMENTS))
    return tmp_path


def test_tuples_share_words_slot_by_slot_and_nothing_without_a_word_of_the_relation() -> None:
    mine = [bag("Ada"), bag("moved to"), bag("Rome, Rome")]
    assert overlap(mine, [bag("ada"), bag("moved"), bag("Rome in Italy")]) == 3
    assert overlap(mine, [bag("Ada"), bag("went"), bag("Rome")]) == 0
    assert overlap(mine, [bag("Rome"), bag("moved to"), bag("Ada")]) == 2


def test_each_extraction_and_each_gold_tuple_is_paired_once_best_first() -> None:
    assert assigned([[0.5, 0.9], [0.4, 0.8]]) == [0.9, 0.4]
    assert assigned([[0.5], [0.8]]) == [0.0, 0.8]
    assert assigned([]) == []


def test_carb_counts_every_gold_tuple_for_recall_and_every_extraction_for_precision(data: Path) -> None:
    score = carb(
        data / "carb", "x", lambda _: [("Ada", "moved to", "Rome today"), ("Ada", "left", "Bonn")], named=False
    )
    assert (score.found, score.gold) == (2, 2)
    assert score.precision == pytest.approx((4 / 5 + 0) / 2)
    assert score.recall == pytest.approx((4 / 4 + 0) / 2)
    assert score.f1 == pytest.approx(2 * 0.4 * 0.5 / 0.9)
    assert carb(data / "carb", "x", lambda _: [], named=True).gold == 0


def test_re_docred_counts_pairs_in_either_order_that_one_sentence_mentions(data: Path) -> None:
    file = data / "re_docred" / "dev_revised.json"
    score = re_docred(file, "x", lambda _: [("the city of Rome", "Ada"), ("Tom", "Rome"), ("Ada", "nobody")])
    assert (score.precision, score.recall, score.found, score.gold) == (0.5, 1.0, 2, 1)


def test_a_side_names_the_entity_with_the_longest_mention_in_it() -> None:
    assert entity_in("New York City", [{" york "}, {" new york "}]) == 1
    assert entity_in("Yorkshire", [{" york "}]) is None


def test_the_peers() -> None:
    assert outer_phrases("Ada sold a bike to Tom.") == [("Ada", "sold", "Tom")]
    assert split_at_verb("Ada sold a bike to Tom.") == [("Ada", "sold", "a bike to Tom.")]
    assert outer_phrases("") == split_at_verb("") == []


def test_the_benchmark_writes_every_row_and_says_what_is_missing(data: Path) -> None:
    target = data / "out.json"
    result = CliRunner().invoke(main, ["--data", str(data), "--json", str(target)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found = json.loads(target.read_text())
    assert len(found["scores"]) == 9
    assert found["scores"][0]["recall"] == 0.5
    assert str(data) not in target.read_text()
    nothing = CliRunner().invoke(main, ["--data", str(data / "carb")])
    assert nothing.exit_code == 0
    assert "no carb/gold_dev.tsv" in nothing.output
