"""What tercet-mini learns from, as tokens: worlds with the notes in the prompt or in attention, text, repetitions.

The prompt is laid out by `tercet.engines.prompt`, as a `Dialogue` sends it; a memory is the text that the store hands
to a model, the speaker before the words.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".dev"))

from tercet.engines.chat import Message
from tercet.engines.prompt import compose, render
from tercet.store.note import Note, spoken

from ..worlds import Question, Told
from .tokenizer import ASSISTANT, BLOCK, BOS, EOS

__all__ = ["SYSTEM_WORDS", "Answer", "Batch", "Document", "Writer", "note_of", "pack"]

SYSTEM_WORDS = "You are a helpful assistant who remembers what the user has said before."
_OTHER = 0.1  # weight of a token that is no answer, in documents that have answers


@dataclass(frozen=True, slots=True)
class Answer:
    """Where in a document the tokens of an answer stand, and of which kind the question was."""

    start: int
    stop: int
    kind: str


@dataclass(slots=True)
class Document:
    """Tokens with what attention needs to know of them; see `attention_mask`.

    Attributes:
        tokens: the memories, then the context.
        memories: number of the memory of each token, from 1 on; 0 for the context.
        places: position of each token.
        weights: how much the loss of predicting this token counts.
        answers: where they stand.
    """

    tokens: list[int] = field(default_factory=list)
    memories: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def add(self, tokens: Sequence[int], *, weight: float, memory: int = 0, place: int | None = None) -> None:
        """Appends tokens; without ``place`` they go on where the last one stood."""
        start = place if place is not None else (self.places[-1] + 1 if self.places else 0)
        self.tokens += tokens
        self.memories += [memory] * len(tokens)
        self.places += range(start, start + len(tokens))
        self.weights += [weight] * len(tokens)


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of documents, all of shape (rows, tokens), and where the answers stand: (row, answer)."""

    tokens: npt.NDArray[np.int64]
    documents: npt.NDArray[np.int64]
    memories: npt.NDArray[np.int64]
    first: npt.NDArray[np.bool_]
    bias: npt.NDArray[np.float32]
    places: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]
    answers: tuple[tuple[int, Answer], ...]


def note_of(told: Told, number: int = 0) -> Note:
    """Returns a line of a world as the store would give it."""
    return Note(
        num=number,
        id=f"{number:016x}",
        text=told.text,
        scope="",
        speaker=told.speaker,
        source="",
        thread="",
        position=number,
        happened=told.day,
        known=told.day,
        origin="model" if told.speaker == "assistant" else "user",
        metadata={},
        facts=(),
        key=None,
        retired=None,
        replaces=None,
    )


class Writer:
    """Turns worlds and text into documents."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.bos, self.eos, self.assistant = (int(tokenizer.token_to_id(name) or 0) for name in (BOS, EOS, ASSISTANT))

    def encode(self, text: str) -> list[int]:
        """Returns the tokens of a text, special ones among them."""
        ids: list[int] = self.tokenizer.encode(text).ids
        return ids

    def attended(
        self, notes: Sequence[Told], questions: Sequence[Question], *, system: bool, words: Sequence[Told] = ()
    ) -> Document:
        """Returns a dialogue that attends to notes, and has others as words in its prompt."""
        document = Document()
        memories = [self.encode(spoken(note_of(note))) for note in notes]
        start = max(map(len, memories), default=0) + 1
        for number, memory in enumerate(memories, 1):
            document.add([self.bos, *memory], weight=_OTHER, memory=number, place=start - 1 - len(memory))
            document.weights[-len(memory) - 1] = 0.0
        self.dialogue(document, questions, [note_of(note) for note in words], system, start)
        return document

    def prompted(self, notes: Sequence[Told], questions: Sequence[Question], *, system: bool) -> Document:
        """Returns a dialogue with notes in the prompt, behind the first question."""
        document = Document()
        self.dialogue(document, questions, [note_of(note) for note in notes], system, 0)
        return document

    def dialogue(
        self, document: Document, questions: Sequence[Question], notes: Sequence[Note], system: bool, start: int
    ) -> None:
        """Appends questions and answers from position ``start`` on, the notes behind the first of them."""
        document.add([self.bos], weight=0.0, place=start)
        for turn, question in enumerate(questions):
            words = SYSTEM_WORDS if system and not turn else ""
            messages = compose(words, [], question.text, render(notes) if notes and not turn else "")
            document.add(self.encode(_laid(messages)), weight=_OTHER / 2)
            document.add([self.assistant], weight=0.0)
            answer = [*self.encode(f" {question.answer}."), self.eos]
            place = len(document.tokens)
            document.answers.append(Answer(place, place + len(answer), question.kind))
            document.add(answer, weight=1.0)

    def text(self, text: str) -> Document:
        """Returns plain text."""
        document = Document()
        document.add([self.bos, *self.encode(text)], weight=0.3)
        return document

    def repeated(self, random: Random, length: int) -> Document:
        """Returns random tokens over and over, from which a model learns to copy."""
        document = Document()
        size = random.randint(8, max(9, length // 3))
        tokens = [random.randrange(5, self.tokenizer.get_vocab_size()) for _ in range(size)]
        document.add([self.bos, *tokens], weight=0.0)
        while len(document.tokens) + size <= length:
            start = random.randrange(size // 2)
            document.add(tokens[start:], weight=1.0)
            document.weights[start - size] = 0.0  # where the copy begins cannot be known
        return document


def _laid(messages: Sequence[Message]) -> str:
    """Returns messages as the chat template lays them out: words with memories behind them are said once more."""
    return "".join(f"<|{message.role}|> {message.content}{_again(message)}" for message in messages)


def _again(message: Message) -> str:
    words, block, _ = message.content.partition(BLOCK)
    return f"\n{words}" if block and message.role == "user" else ""


def pack(documents: Sequence[Document], rows: int, length: int, fill: int) -> Batch:
    """Returns the documents side by side in rows; those that fit nowhere are left out."""
    used = [0] * rows
    shape = (rows, length)
    batch = Batch(
        np.full(shape, fill, np.int64),
        np.full(shape, -1, np.int64),
        np.zeros(shape, np.int64),
        np.zeros(shape, np.bool_),
        np.zeros(shape, np.float32),
        np.zeros(shape, np.int64),
        np.zeros(shape, np.float32),
        (),
    )
    answers = []
    for number, document in enumerate(documents):
        size = len(document.tokens)
        row = next((row for row in range(rows) if used[row] + size <= length), None)
        if row is None:
            continue
        start = used[row]
        span = slice(start, start + size)
        used[row] += size
        memories = np.asarray(document.memories)
        batch.tokens[row, span] = document.tokens
        batch.documents[row, span] = number
        batch.memories[row, span] = memories
        batch.first[row, span] = (memories > 0) & np.r_[True, memories[1:] != memories[:-1]]
        batch.bias[row, span] = -np.log(max(1, memories.max()))
        batch.places[row, span] = document.places
        batch.weights[row, span] = document.weights
        batch.weights[row, start] = 0.0
        answers += [(row, Answer(start + one.start, start + one.stop, one.kind)) for one in document.answers]
    return Batch(
        batch.tokens,
        batch.documents,
        batch.memories,
        batch.first,
        batch.bias,
        batch.places,
        batch.weights,
        tuple(answers),
    )
