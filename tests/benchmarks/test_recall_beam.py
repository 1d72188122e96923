from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks import recall_beam
from benchmarks.comparison import TERCET
from click.testing import CliRunner
from factories import HashEmbedder  # type: ignore[import-not-found]

CHAT = [
    {
        "batch_number": 1,
        "turns": [
            [
                {"role": "user", "id": 0, "time_anchor": "March-15-2024", "content": "My sprint ends Friday ->-> 1,1"},
                {"role": "assistant", "id": 1, "content": "Noted."},
            ]
        ],
    },
    {"batch_number": 2, "turns": [[{"role": "user", "id": 2, "content": "I use a queue for mail"}]]},
]
ASKED = {
    "information_extraction": [{"question": "When does my sprint end?", "source_chat_ids": [0, 99]}],
    "knowledge_update": [{"question": "What is mail sent by?", "source_chat_ids": {"old": [1], "new": [[2]]}}],
    "abstention": [{"question": "What is my name?"}],
}


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    folder = tmp_path / "chats" / "7"
    folder.mkdir(parents=True)
    (folder / "chat.json").write_text(json.dumps(CHAT))
    (folder / "probing_questions.json").write_text(json.dumps(ASKED))
    return folder.parent


def test_a_chat_is_read_with_its_dates_and_without_the_generators_marks(chats: Path) -> None:
    chat = recall_beam.read_chat(chats / "7")
    assert [draft["text"] for draft in chat.drafts] == ["My sprint ends Friday", "Noted.", "I use a queue for mail"]
    assert [draft["happened"] for draft in chat.drafts] == ["2024-03-15", "2024-03-15", ""]
    assert [(asked.kind, set(asked.evidence)) for asked in chat.questions] == [
        ("information extraction", {"0"}),
        ("knowledge update", {"1", "2"}),
    ]
    spoken, dated, context = recall_beam.texts(chat.drafts)
    assert dated[1] == "15 March 2024 assistant: Noted."
    assert context[1] == f"{dated[1]}\n{spoken[0]}"


def test_it_runs_every_arm(chats: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall_beam, "MiniLM", HashEmbedder)
    out = tmp_path / "out.json"
    result = CliRunner().invoke(recall_beam.main, ["--data", str(chats), "--json", str(out)])
    assert result.exit_code == 0, result.output
    found = json.loads(out.read_text())
    assert found["data"] == {
        "chats": 1,
        "messages": 3,
        "questions": {"information extraction": 1, "knowledge update": 1},
    }
    assert found["arms"][TERCET]["all"]["R@20"] == 1.0
    assert set(found["arms"]) == {"FTS5", "bm25s", "MiniLM", "FTS5 + MiniLM, RRF", "FTS5, in context", TERCET}


@pytest.mark.data
def test_the_shared_chats_have_evidence(data: Path) -> None:
    chat = recall_beam.read_chat(data / "beam" / "100K" / "1")
    assert len(chat.drafts) == 188
    assert len(chat.questions) == 18
    assert not any("->->" in draft["text"] for draft in chat.drafts)
