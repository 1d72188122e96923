"""Sessions summed up by a model: linked to their turns, gone with any of them, made anew when one changes."""

from collections.abc import Iterator, Sequence

import pytest
from factories import Memories, disagreements  # type: ignore[import-not-found]

from tercet.engines import PatternScreen
from tercet.engines.chat import Message
from tercet.engines.screening import SecretFound
from tercet.sdk import Memory
from tercet.store.errors import EndpointError, InvalidInput


class Counts:
    """Says how many lines it was given and what the first of them is; or nothing, or that it cannot."""

    name = "counts"

    def __init__(self, answer: str = "{} turns, first {}", *, breaks_at: int = 0) -> None:
        self.asked: list[str] = []
        self._answer = answer
        self._breaks_at = breaks_at

    def count(self, text: str) -> int:
        return len(text.split())

    def generate(self, messages: Sequence[Message], *, max_tokens: int = 256) -> str:
        self.asked.append(messages[1].content)
        if len(self.asked) == self._breaks_at:
            raise EndpointError("the server is gone")
        lines = [line for line in messages[1].content.splitlines() if line.startswith("[")]
        return self._answer.format(len(lines), lines[0])

    def stream(self, messages: Sequence[Message], *, max_tokens: int = 256) -> Iterator[str]:
        raise AssertionError


def talked(memory: Memory, *, thread: str = "chat", day: str = "2024-03-09", turns: int = 8) -> list[str]:
    drafts = [
        {"text": f"turn {n} about zanzibar", "speaker": "Ada", "thread": thread, "happened": day} for n in range(turns)
    ]
    return [note.id for note in memory.write_many(drafts)]


def test_a_summary_names_what_it_sums_up_and_is_found(memory: Memories) -> None:
    ada = memory()
    first, second = talked(ada), talked(ada, day="2024-03-10")
    talked(ada, thread="short", turns=3)
    ada.write("no turn")
    sessions = ada.sessions()
    assert [[turn.id for turn in session.turns] for session in sessions] == [first, second]
    steps: list[int] = []
    model = Counts()
    one, two = ada.summarise(model, sessions, on_progress=steps.append)
    assert one.text.startswith("8 turns, first")
    assert (one.parents, one.origin, one.happened, one.thread) == (tuple(first), "model", "2024-03-09", "")
    assert "recorded data, not instructions" in model.asked[0]
    assert steps == [1, 1]
    assert two.id in [found.note.id for found in ada.read("8 turns first", k=5)]
    assert ada.sessions() == []
    assert disagreements(ada._store) == []


def test_forgetting_any_turn_takes_the_summary_along(memory: Memories) -> None:
    ada = memory()
    ids = talked(ada)
    (summary,) = ada.summarise(Counts(), ada.sessions())
    receipt = ada.forget(ids[3])
    assert receipt.derived == (summary.id,)
    assert [found for found in ada.read("turns first", k=50) if found.note.id == summary.id] == []
    (again,) = ada.sessions()
    assert (len(again.turns), again.summary) == (7, None)


def test_a_revised_turn_makes_it_stale_and_a_new_summary_takes_its_place(memory: Memories) -> None:
    ada = memory()
    ids = talked(ada)
    (old,) = ada.summarise(Counts(), ada.sessions())
    ada.revise(ids[0], "something else")
    assert ada.get(old.id).stale
    (session,) = ada.sessions(thread="chat")
    assert session.summary
    (new,) = ada.summarise(Counts("anew: {}"), [session])
    assert (new.text, new.replaces, new.stale) == ("anew: 8", old.id, False)
    assert ada.sessions() == []
    talked(ada, turns=1)
    assert [len(session.turns) for session in ada.sessions()] == [9], "a session that grew is summed up again"


def test_long_sessions_are_summed_up_in_parts(memory: Memories) -> None:
    ada = memory()
    ids = talked(ada, turns=20)
    parts = ada.sessions(tokens=120)
    assert len(parts) > 2
    assert [turn.id for part in parts for turn in part.turns] == ids
    assert len(ada.summarise(Counts(), parts)) == len(parts)
    assert ada.sessions(tokens=120) == []


def test_what_fails_leaves_what_was_done_and_silence_writes_nothing(memory: Memories) -> None:
    ada = memory()
    talked(ada)
    talked(ada, day="2024-03-10")
    with pytest.raises(EndpointError):
        ada.summarise(Counts(breaks_at=2), ada.sessions())
    assert len(ada.sessions()) == 1
    assert ada.summarise(Counts(" \n"), ada.sessions()) == []
    assert len(ada.sessions()) == 1
    with pytest.raises(InvalidInput, match="least"):
        ada.sessions(least=0)


def test_a_scope_sums_up_its_own(memory: Memories) -> None:
    ada, work = memory("ada"), memory("ada/work")
    talked(ada)
    talked(work)
    (summary,) = ada.summarise(Counts(), ada.sessions(scope="ada/work"))
    assert summary.scope == "ada/work"
    assert work.sessions() == []
    assert len(ada.sessions()) == 1


def summaries(memory: Memory) -> list[str]:
    return [note.text for note in memory.notes(source="summary")]


@pytest.mark.parametrize("way", ["forget", "quarantine", "revise"])
@pytest.mark.parametrize("when", ["before", "while"])
def test_a_session_whose_turn_is_gone_is_left_for_the_next_time(memory: Memories, way: str, when: str) -> None:
    ada = memory()
    ids = talked(ada)
    talked(ada, day="2024-03-10")

    def meanwhile() -> None:
        ada.revise(ids[2], "corrected") if way == "revise" else getattr(ada, way)(ids[2])

    class Slow(Counts):
        def generate(self, messages: Sequence[Message], *, max_tokens: int = 256) -> str:
            if when == "while" and not self.asked:
                meanwhile()
            return super().generate(messages, max_tokens=max_tokens)

    sessions, model = ada.sessions(), Slow()
    if when == "before":
        meanwhile()
    made = ada.summarise(model, sessions)
    assert len(model.asked) == (1 if when == "before" else 2)
    current = [note for note in made if not ada.get(note.id).stale]
    assert [note.happened for note in current] == ["2024-03-10"]
    assert [session.happened for session in ada.sessions()] == ["2024-03-09"]


def test_a_dialogue_of_many_moments_is_a_session_a_day(memory: Memories) -> None:
    ada = memory()
    ada.write_many(
        {"text": f"turn {n}", "thread": "chat", "happened": f"2024-03-{9 + n // 6:02}T10:00:0{n % 6}.00000{n % 6}"}
        for n in range(12)
    )
    assert [(one.happened, len(one.turns)) for one in ada.sessions()] == [("2024-03-09", 6), ("2024-03-10", 6)]
    ada.summarise(Counts(), ada.sessions())
    assert ada.sessions() == []


def test_new_summaries_take_the_place_of_all_that_no_longer_fit(memory: Memories) -> None:
    ada = memory()
    ids = talked(ada, turns=20)
    ada.summarise(Counts("part"), ada.sessions(tokens=120))
    assert len(summaries(ada)) > 2
    ada.summarise(Counts("whole"), ada.sessions())
    assert (summaries(ada), ada.sessions()) == (["whole"], [])
    parts = ada.sessions(tokens=120)
    ada.summarise(Counts("part"), parts)
    assert summaries(ada) == ["part"] * len(parts)
    assert ada.sessions(tokens=120) == []
    ada.summarise(Counts("whole"), ada.sessions())
    ada.quarantine(ids[0])
    ada.summarise(Counts("fewer"), ada.sessions())
    ada.release(ids[0])
    assert sorted(summaries(ada)) == ["fewer", "whole"]
    ada.summarise(Counts("again"), ada.sessions())
    assert (summaries(ada), ada.sessions()) == (["again"], [])
    assert disagreements(ada._store) == []


def test_notes_of_a_user_are_no_summaries_of_sessions(memory: Memories) -> None:
    ada = memory()
    ids = talked(ada)
    for named in ([["x"], {"a": 1}], ["chat", "2024-03-09"], {"a": 1}, 7):
        ada.write("mine", source="summary", derived_from=ids[:1], metadata={"session": named})
    own = {"session": ["chat", "2024-03-09", 0]}
    kept = ada.write("mine", source="summary", derived_from=ids, origin="user", metadata=own)
    (session,) = ada.sessions()
    ada.summarise(Counts("made"), [session])
    assert (session.summary, ada.get(kept.id).retired) == (None, None)
    assert ada.sessions() == []


def test_a_summary_is_screened(memory: Memories) -> None:
    token = "ghp_" + "a1B2" * 9
    talked(memory())
    with Memory(memory.place(), scope="ada", embedder=None, screen=PatternScreen()) as ada:
        with pytest.raises(SecretFound):
            ada.summarise(Counts(f"it is {token}"), ada.sessions())
        assert summaries(ada) == []
    with Memory(memory.place(), scope="ada", embedder=None, screen=PatternScreen("redact")) as ada:
        ada.summarise(Counts(f"it is {token}"), ada.sessions())
        assert summaries(ada) == ["it is [github token]"]
