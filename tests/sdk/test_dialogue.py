"""A dialogue remembers what is said, and hands memories to a model without breaking its cache."""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from tercet.engines.chat import ChatModel, Message
from tercet.engines.endpoint import EndpointModel
from tercet.engines.local_model import LocalModel
from tercet.sdk import Dialogue, Memory
from tercet.store.errors import EndpointError, EngineError, InvalidInput, LimitExceeded, UnsupportedModel
from tercet.store.note import Note

sys.path.append(str(Path(__file__).parents[1] / "engines"))

from chat_server import ChatServer, event  # type: ignore[import-not-found]
from chat_server import Reply as Answer

STORIES = Path(__file__).parents[2] / "adapters" / "cli" / "demo" / "stories260K"
BLOCK = "\n\n<memory>\n"


class Listener:
    """A model that keeps every request, and answers as scripted or as told."""

    name = "listener"

    def __init__(self, *answers: str | EngineError, usual: str = "I see.") -> None:
        self.requests: list[list[Message]] = []
        self._answers = list(answers)
        self._usual = usual

    def count(self, text: str) -> int:
        return len(text)

    def generate(self, messages: Sequence[Message], *, max_tokens: int = 256) -> str:
        return "".join(self.stream(messages, max_tokens=max_tokens))

    def stream(self, messages: Sequence[Message], *, max_tokens: int = 256) -> Iterator[str]:
        self.requests.append(list(messages))
        answer = self._answers.pop(0) if self._answers else self._usual
        if isinstance(answer, EngineError):
            yield "I was about "
            raise answer
        yield from re.findall(r"\S+\s*|\s+", answer)

    @property
    def last(self) -> str:
        """The newest message of the newest request."""
        return self.requests[-1][-1].content


@pytest.fixture
def ada(memory: Callable[..., Memory]) -> Memory:
    return memory()


@pytest.fixture(scope="module")
def stories() -> LocalModel:
    return LocalModel(STORIES, device="cpu")


def flat(messages: Sequence[Message]) -> str:
    return "\x1f".join(f"{message.role}\x1e{message.content}" for message in messages)


# ---------------------------------------------------------------- the prompt


def test_the_prompt_is_the_same_up_to_the_newest_words_whatever_is_recalled(memory: Callable[..., Memory]) -> None:
    turns = ["Where is the zebra?", "And the quagga?", "Is the okapi there?"]
    empty, full = Listener(), Listener()
    told = memory(folder="full")
    told.write_many(["The zebra is in Leeds.", "The quagga is in Bristol.", "The okapi is in Whitby."])
    one, other = Dialogue(memory(folder="empty"), empty, k=1), Dialogue(told, full, k=1)
    for turn in turns:
        one.say(turn)
        other.say(turn)
    for bare, blocked in zip(map(flat, empty.requests), map(flat, full.requests), strict=True):
        assert blocked.startswith(bare)
        assert blocked[len(bare) :].startswith(BLOCK)
    for earlier, later in pairwise(full.requests):
        assert flat(later).startswith(flat(earlier).split(BLOCK)[0]), "what was sent is never rewritten"


def test_an_empty_memory_adds_no_block(ada: Memory) -> None:
    model = Listener()
    reply = Dialogue(ada, model, system="Be brief.").say("Where is the zebra?")
    assert model.requests == [[Message("system", "Be brief."), Message("user", "Where is the zebra?")]]
    assert (reply.text, len(reply.recall), reply.attention) == ("I see.", 0, None)


def test_a_reply_names_only_the_memories_that_fitted_the_budget(ada: Memory) -> None:
    ada.write_many([f"The zebra number {n} is in Leeds. {'x' * 200}" for n in range(5)])
    model = Listener()
    reply = Dialogue(ada, model, budget=900).say("Where is the zebra?")
    assert 0 < len(reply.recall) < 5
    assert [note.text in model.last for note in reply.recall.notes] == [True] * len(reply.recall)
    assert model.last.count("The zebra number") == len(reply.recall)
    assert len(model.last.split(BLOCK)[1]) <= 900
    assert len(Dialogue(ada, model, budget=0).say("Where is the zebra now?").recall) == 0
    assert BLOCK not in model.last


# ---------------------------------------------------------------- what is remembered


def test_both_turns_are_remembered_with_their_origin(ada: Memory) -> None:
    reply = Dialogue(ada, Listener("Ada lives in Leeds."), speaker="Ada", thread="talk").say("Where do I live?")
    answer, words = ada.notes(thread="talk")
    assert words == reply.note
    assert (words.speaker, words.origin, words.text, words.position) == ("Ada", "user", "Where do I live?", 0)
    assert (answer.speaker, answer.origin, answer.text) == ("assistant", "model", "Ada lives in Leeds.")
    assert answer.position == 1
    assert words.happened[:10] == words.known[:10]


def test_dialogues_have_threads_of_their_own(ada: Memory) -> None:
    threads = {Dialogue(ada, Listener()).say("Hello there").note.thread for _ in range(3)}
    assert len(threads) == 3


def test_a_model_s_word_never_ends_a_fact(ada: Memory) -> None:
    ada.write("Ada lives in Leeds.", happened="2020-01-01", facts=[("Ada", "lives in", "Leeds")])
    Dialogue(ada, Listener("Ada lives in Bristol")).say("Where do I live now?")
    facts = ada.facts(subject="Ada", relation="lives in")
    assert [(fact.object, fact.superseded, fact.valid_to) for fact in facts if fact.extractor == "given"] == [
        ("Leeds", False, "")
    ]
    assert "Bristol" in [fact.object for fact in facts], "the model's word is kept, beside the other"


def test_an_empty_answer_is_not_remembered(ada: Memory) -> None:
    reply = Dialogue(ada, Listener("  \n")).say("Hello there")
    assert reply.text == "  \n"
    assert ada.notes() == [reply.note]


def test_an_answer_with_a_nul_is_remembered_without_it(ada: Memory) -> None:
    heard: list[str] = []
    reply = Dialogue(ada, Listener("one\x00two")).say("Hello there", on_text=heard.append)
    assert reply.text == "".join(heard) == ada.notes(speaker="assistant")[0].text == "one\N{REPLACEMENT CHARACTER}two"


# ---------------------------------------------------------------- what is recalled


def test_what_stands_in_the_history_is_not_recalled_again(ada: Memory) -> None:
    ada.write("The zebra of long ago is in Leeds.")
    dialogue = Dialogue(ada, Listener(usual="A zebra, you say."), k=3)
    for n in range(6):
        reply = dialogue.say(f"The zebra number {n} is mine.")
        assert reply.recall.notes[0].text == "The zebra of long ago is in Leeds."
        assert len(reply.recall) == 1


def test_another_dialogue_recalls_what_was_said(ada: Memory) -> None:
    said = Dialogue(ada, Listener()).say("The zebra is called Gerhard.").note
    assert said in Dialogue(ada, Listener()).say("What is the zebra called?").recall.notes


def test_a_long_history_is_shortened_by_half_and_what_left_it_can_be_recalled(ada: Memory) -> None:
    model = Listener(usual="A zebra.")
    visible: list[int] = []
    notes: list[Note] = []
    dialogue = Dialogue(ada, model, k=100, budget=100_000)
    for n in range(40):
        reply = dialogue.say(f"The zebra number {n} is mine.")
        history = [message.content for message in model.requests[-1][1:-1]]
        visible.append(len(history) // 2)
        assert len(history) % 2 == 0
        out_of_sight = notes[: n - visible[-1]]
        recalled = {note.id for note in reply.recall.notes if note.origin == "user"}
        assert recalled == {note.id for note in out_of_sight}, "all that is out of sight, and nothing that is not"
        notes.append(reply.note)
    assert max(visible) == 12
    drops = [(before, after) for before, after in pairwise(visible) if after <= before]
    assert set(drops) == {(12, 7)}
    assert len(drops) == 5


def test_empty_answers_do_not_upset_what_is_out_of_sight(ada: Memory) -> None:
    model = Listener(*["", "Yes."] * 20)
    dialogue = Dialogue(ada, model, k=100, budget=100_000)
    for n in range(30):
        reply = dialogue.say(f"The zebra number {n} is mine.")
        visible = {message.content for message in model.requests[-1][1:-1]}
        assert not visible & {note.text for note in reply.recall.notes if note.origin == "user"}


# ---------------------------------------------------------------- forgetting and scopes


def test_a_forgotten_note_comes_back_neither_in_a_recall_nor_in_the_history(ada: Memory) -> None:
    model = Listener(usual="The cellar, then.")
    dialogue = Dialogue(ada, model, k=10)
    old = ada.write("The code of the cellar was 4471.")
    said = dialogue.say("The code of the cellar is 9902.").note
    dialogue.say("Thanks.")
    ada.forget(old.id, said.id)
    reply = dialogue.say("What is the code of the cellar?")
    assert not {old.id, said.id} & {note.id for note in reply.recall.notes}
    assert "9902" not in flat(model.requests[-1])
    assert "4471" not in flat(model.requests[-1])
    assert [message.content for message in model.requests[-1][1:3]] == ["Thanks.", "The cellar, then."]
    roles = [message.role for message in model.requests[-1]]
    assert roles == ["system", "user", "assistant", "user"]


def test_a_scope_never_leaks(memory: Callable[..., Memory]) -> None:
    ben = memory("ben").write("The code of the cellar is 4471.")
    below = memory("ada/work").write("The code of the office is 1234.")
    model = Listener()
    reply = Dialogue(memory("ada"), model).say("What is the code of the cellar and the office?")
    assert reply.recall.notes == (below,)
    assert ben.text not in model.last
    assert memory("ben").notes() == [ben]
    assert Dialogue(memory("ben"), model).say("What is the code?").recall.notes == (ben,)


# ---------------------------------------------------------------- failures


@pytest.mark.parametrize("text", ["", " \n\t", "nul \x00", "lone \ud800", None])
def test_nothing_to_say_is_refused_and_changes_nothing(ada: Memory, text: str) -> None:
    model = Listener()
    with pytest.raises(InvalidInput):
        Dialogue(ada, model).say(text)
    assert (ada.notes(), model.requests) == ([], [])


def test_too_long_a_turn_is_refused_and_changes_nothing(ada: Memory) -> None:
    model = Listener()
    with pytest.raises(LimitExceeded):
        Dialogue(ada, model).say("zebra " * 200_000)
    assert (ada.notes(), model.requests) == ([], [])


@pytest.mark.parametrize("numbers", [{"k": 0}, {"k": 501}, {"budget": -1}, {"max_tokens": 0}, {"k": True}])
def test_numbers_that_cannot_work_are_refused_at_once(ada: Memory, numbers: dict[str, int]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(numbers))):
        Dialogue(ada, Listener(), **numbers)  # type: ignore[arg-type]


def test_after_a_failure_the_words_are_remembered_and_the_history_is_whole(ada: Memory) -> None:
    model = Listener("Hello.", EngineError("out of memory"))
    dialogue = Dialogue(ada, model)
    dialogue.say("Good morning")
    with pytest.raises(EngineError, match="out of memory"):
        dialogue.say("The zebra is in Leeds.")
    assert [note.text for note in ada.notes()] == ["The zebra is in Leeds.", "Hello.", "Good morning"]
    reply = dialogue.say("Where is the zebra?")
    assert [(message.role, message.content) for message in model.requests[-1][1:-1]] == [
        ("user", "Good morning"),
        ("assistant", "Hello."),
    ]
    assert reply.recall.notes[0].text == "The zebra is in Leeds."


def test_a_model_that_cannot_even_count_leaves_the_words_remembered(ada: Memory, tmp_path: Path) -> None:
    ada.write("The zebra is in Leeds.")
    with pytest.raises(EngineError, match="there is no folder"):
        Dialogue(ada, LocalModel(tmp_path / "nowhere")).say("Where is the zebra?")
    assert ada.notes()[0].text == "Where is the zebra?"


# ---------------------------------------------------------------- behind an endpoint


def test_a_server_s_answer_streams_in_pieces(ada: Memory) -> None:
    ada.write("The zebra is in Leeds.")
    with ChatServer(model=lambda turns: "It is in Leeds.") as server:
        model = EndpointModel(server.url, "qwen3")
        heard: list[str] = []
        reply = Dialogue(ada, model, max_tokens=9).say("Where is the zebra?", on_text=heard.append)
        model.close()
    assert heard == ["It", " is", " in", " Leeds."]
    assert reply.text == "It is in Leeds."
    assert server.requests[0]["max_tokens"] == 9
    assert server.requests[0]["messages"][-1]["content"].startswith(f"Where is the zebra?{BLOCK}")


def test_a_server_that_dies_in_the_middle_leaves_nothing_half(ada: Memory) -> None:
    cut = Answer([event("It is")], headers={"Content-Type": "text/event-stream"}, cut=True)
    with ChatServer(cut) as server:
        model = EndpointModel(server.url, "qwen3")
        dialogue = Dialogue(ada, model)
        with pytest.raises(EndpointError, match="broke off"):
            dialogue.say("Where is the zebra?")
        dialogue.say("Where is the okapi?")
        model.close()
    assert [turn["role"] for turn in server.requests[-1]["messages"]] == ["system", "user"]
    assert [note.text for note in ada.notes()] == ["ok", "Where is the okapi?", "Where is the zebra?"]


def test_memories_cannot_be_put_into_the_attention_of_a_server(ada: Memory) -> None:
    model = EndpointModel("http://127.0.0.1:9/v1", "qwen3")
    with pytest.raises(UnsupportedModel, match=r"qwen3 does not run in this process.*attend=False"):
        Dialogue(ada, model, attend=True)
    model.close()


# ---------------------------------------------------------------- in the attention of a real model


def test_attended_memories_leave_the_prompt_alone_and_say_how_much_they_got(ada: Memory, stories: LocalModel) -> None:
    ada.write_many(["Lily has a red ball.", "Tom has a big blue car.", "The dog is in the park."])
    chat: ChatModel = stories
    seen: list[str] = []

    class Watched:
        """The same model, whose prompts are seen."""

        name, attention, model, tokenizer = chat.name, stories.attention, stories.model, stories.tokenizer
        count, generate = stories.count, stories.generate

        def stream(self, messages: Sequence[Message], *, max_tokens: int = 256) -> Iterator[str]:
            seen.append(flat(messages))
            return stories.stream(messages, max_tokens=max_tokens)

    dialogue = Dialogue(ada, Watched(), attend=True, k=2, system="", max_tokens=40)
    heard: list[str] = []
    reply = dialogue.say("What does Lily have?", on_text=heard.append)
    assert seen == ["user\x1eWhat does Lily have?"]
    assert reply.text == "".join(heard) != ""
    assert reply.attention is not None
    assert len(reply.attention) == len(reply.recall) == 2
    assert all(share > 0 for share in reply.attention)
    assert sum(reply.attention) <= 1
    plain = stories.generate([Message("user", "What does Lily have?")], max_tokens=40)
    assert plain != reply.text, "the memories did act"
    dialogue.say("And Tom?")
    assert seen[1].startswith(f"{seen[0]}\x1fassistant\x1e{reply.text}")
    assert BLOCK not in seen[1]


def test_nothing_to_attend_to_is_no_share_at_all(ada: Memory, stories: LocalModel) -> None:
    reply = Dialogue(ada, stories, attend=True, max_tokens=3).say("Hello")
    assert (reply.attention, len(reply.recall)) == ((), 0)


def test_a_local_model_takes_memories_as_words_too(ada: Memory, stories: LocalModel) -> None:
    ada.write("Lily has a red ball.")
    reply = Dialogue(ada, stories, system="", max_tokens=3).say("What does Lily have?")
    assert reply.attention is None
    assert [note.text for note in reply.recall.notes] == ["Lily has a red ball."]


def test_a_dialogue_works_in_a_memory_without_vectors(memory: Callable[..., Memory]) -> None:
    bare = memory(embedder=None)
    bare.write("The zebra is in Leeds.")
    assert len(Dialogue(bare, Listener()).say("Where is the zebra?").recall) == 1


# ---------------------------------------------------------------- memories that stay where they were told


def test_kept_memories_stay_where_they_were_told_and_are_told_once(ada: Memory) -> None:
    ada.write_many(["The zebra is in Leeds.", "The quagga is in Bristol.", "The okapi is in Whitby."])
    model = Listener()
    chat = Dialogue(ada, model, k=3, keep=True)
    for turn in ["Where is the zebra?", "And the quagga?", "Is the okapi there?"]:
        reply = chat.say(turn)
        assert not {note.text for note in reply.recall.notes} & {"I see.", turn}
    for earlier, later in pairwise(model.requests):
        assert flat(later).startswith(flat(earlier)), "a whole request is the beginning of the next"
    assert flat(model.requests[-1]).count("The zebra is in Leeds.") == 1
    assert "The zebra is in Leeds." in model.requests[-1][1].content, "beside the words that it was recalled for"


@pytest.mark.parametrize("way", ["forget", "quarantine", "revise"])
def test_a_kept_memory_that_is_no_longer_so_is_taken_out(ada: Memory, way: str) -> None:
    zebra, quagga = ada.write_many(["The zebra is in Leeds.", "The quagga is in Bristol."])
    model = Listener()
    chat = Dialogue(ada, model, k=2, keep=True)
    assert len(chat.say("Where is the zebra, where is the quagga?").recall) == 2
    if way == "revise":
        ada.revise(zebra.id, "The zebra is in Hull.")
    else:
        getattr(ada, way)(zebra.id)
    chat.say("Where is the zebra now?")
    told = flat(model.requests[-1])
    assert "Leeds" not in told
    assert told.count(quagga.text) == 1
    assert ("Hull" in told) == (way == "revise")
