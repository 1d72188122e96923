"""What a dialogue asks its memory: nothing for small talk, and a turn that leans on another together with it."""

from collections.abc import Iterator, Sequence

import pytest
from factories import Memories  # type: ignore[import-not-found]

from tercet.engines.chat import Message
from tercet.sdk import Dialogue, Memory
from tercet.sdk.cues import cues, merged


@pytest.mark.parametrize(
    "text", ["And her sister?", "Where does he work now?", "Why?", "What about Porto, then?", "Porto"]
)
def test_a_turn_that_leans_on_the_one_before_is_asked_with_it(text: str) -> None:
    assert cues(text, ["Who is Theo?", "Tell me about Lena."]) == [f"Tell me about Lena.\n{text}"]
    assert cues(text, []) == [text]


@pytest.mark.parametrize("text", ["Where does my daughter Mia work today?", "When did Lena Hartmann move to Porto?"])
def test_a_turn_that_stands_alone_is_asked_alone(text: str) -> None:
    assert cues(text, ["Tell me about Lena."]) == [text]


def test_recalls_are_merged_by_their_shares(memory: Memories) -> None:
    ada = memory()
    ada.write_many(["Lena works at the bakery.", "Theo works at the port.", "Kim works at the school."])
    one, other = ada.read("Who works?"), ada.read("Lena\nWho works?")
    both = merged([one, other], 2)
    assert both[0].note.text == "Lena works at the bakery."
    assert len(both) == 2
    assert both.cue == "Who works?"
    assert both[0].score >= both[1].score
    assert [found.note.id for found in merged([one], 2)] == [found.note.id for found in one[:2]]
    assert merged([ada.nothing("a"), ada.nothing("b")], 3).notes == ()


class Echo:
    name = "echo"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def count(self, text: str) -> int:
        return len(text.split())

    def generate(self, messages: Sequence[Message], *, max_tokens: int = 256) -> str:
        return "".join(self.stream(messages))

    def stream(self, messages: Sequence[Message], *, max_tokens: int = 256) -> Iterator[str]:
        self.asked.append(messages[-1].content)
        yield "I see."


def test_small_talk_is_answered_without_a_read_and_still_remembered(
    memory: Memories, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = memory()
    ada.write("Hi and thanks are words that Lena likes.")
    reads: list[str] = []
    read = Memory.read

    def noted(self: Memory, question: str, *, k: int = 5):  # type: ignore[no-untyped-def]
        reads.append(question)
        return read(self, question, k=k)

    monkeypatch.setattr(Memory, "read", noted)
    model = Echo()
    chat = Dialogue(ada, model)
    reply = chat.say("Hi, thanks a lot!")
    assert (reply.recall.notes, reads, model.asked[-1]) == ((), [], "Hi, thanks a lot!")
    assert ada.get(reply.note.id).text == "Hi, thanks a lot!"
    assert Dialogue(ada, model, gate=None).say("Hi, thanks a lot!").recall.notes
    assert Dialogue(ada, model, gate=lambda text: False).say("What does Lena like?").recall.notes == ()
    chat.say("Tell me about Lena.")
    chat.say("What does she like?")
    assert reads[-1] == "Tell me about Lena.\nWhat does she like?"


@pytest.mark.parametrize(
    "text",
    [
        "我的女儿米娅现在住在哪里，她什么时候搬到那里的呢？",
        "わたしの娘のミアはいまどこに住んでいますか",
        "ลูกสาวของฉันชื่อมีอาตอนนี้อาศัยอยู่ที่ไหน",
    ],
)
def test_a_whole_sentence_without_spaces_stands_alone(text: str) -> None:
    assert cues(text, ["今天天气怎么样"]) == [text]
    assert cues("为什么呢？", [text]) == [f"{text}\n为什么呢？"]


def test_a_long_turn_before_does_not_make_the_question_too_long(memory: Memories) -> None:
    assert cues("Why?", ["word " * 100_000]) == [("word " * 400) + "\nWhy?"]
    chat = Dialogue(memory(), Echo(), gate=None)
    chat.say("word " * 199_000)
    assert chat.say("And why?").text == "I see."
