"""What is learnt when: repetitions first, then questions about ever more notes, with some text all along.

A batch depends on its number and the seed alone, so a run can be taken up again anywhere and any number of processes
may make batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from random import Random

from tokenizers import Tokenizer
from torch.utils.data import Dataset

from ..worlds import KINDS, Question, Split, Told, World, make_world
from ..worlds.world import ME
from .calling import called_document
from .documents import Batch, Document, Writer, pack

__all__ = ["Batches", "Course", "held_out"]

_CROWDED = 0.3  # share of full-grown worlds in attention that have many more notes
_CROWDS = 0.14  # share of full-grown batches that are one world among as many strangers' notes as a batch holds
_PROMPTED = 0.65  # share of worlds in the prompt, once worlds are half-grown
_HARD = ("two hops", "temporal", "unanswerable")
_HARDER = 0.3  # share of the full-grown worlds in the prompt of which only the hard kinds are asked
_UNKNOWN = 0.25  # share of the full-grown worlds of which nothing is asked but what they do not answer
_ALIKE = 0.6  # share of worlds with notes of strangers that say the like of what is asked
_BESIDE = 0.25  # share of worlds in the prompt with other memories, mostly strangers', in attention beside


@dataclass(frozen=True, slots=True)
class Course:
    """The course of training, in shares of it.

    Attributes:
        steps: how many batches there are.
        rows: in a batch.
        length: of a row, in tokens.
        notes: most notes of a world, at the end.
        seed: of everything.
        calls: share of the documents, once worlds are half-grown, in which the model reads and writes by calls.
    """

    steps: int
    rows: int = 16
    length: int = 256
    notes: int = 8
    seed: int = 0
    repeating: float = 0.05
    growing: float = 0.6
    calls: float = 0.0


class Batches(Dataset[Batch]):
    """All batches of a course.

    Args:
        course: what is learnt when.
        tokenizer: of the model.
        texts: plain text to learn English from.
    """

    def __init__(self, course: Course, tokenizer: Tokenizer, texts: Sequence[str]) -> None:
        self.course, self.texts = course, texts
        self.writer = Writer(tokenizer)

    def __len__(self) -> int:
        return self.course.steps

    def __getitem__(self, number: int) -> Batch:
        course = self.course
        random = Random(f"{course.seed} {number}")
        grown = (number / course.steps - course.repeating) / (course.growing - course.repeating)
        if grown >= 1 and random.random() < _CROWDS:
            whole = course.rows * course.length
            return pack([self._crowd(random, f"{course.seed}.{number}", whole)], 1, whole, self.writer.eos)
        documents: list[Document] = []
        length = course.length if grown > 0.5 else course.length // 2
        rows = course.rows * course.length // length
        room = rows * length
        while room > 0:
            document = self._document(random, grown, length, f"{course.seed}.{number}.{len(documents)}")
            documents.append(document)
            room -= len(document.tokens)
        documents.sort(key=lambda one: -len(one.tokens))
        return pack(documents, rows, length, self.writer.eos)

    def _document(self, random: Random, grown: float, length: int, seed: str) -> Document:
        """Returns one document of the stage that is reached: below 0 repetitions alone, at 1 whole worlds."""
        if grown < 0 or random.random() < 0.1:
            return self.writer.repeated(random, min(length, 96))
        if self.texts and random.random() < 0.04:
            text = random.choice(self.texts)
            start = random.randrange(max(1, len(text) - 400))
            return self._cut(self.writer.text(text[start : start + 400]), length // 2)
        prompted = random.random() < _PROMPTED * min(1.0, 2 * grown)
        most = 2 + round(min(1.0, grown) * (self.course.notes - 2))
        if grown >= 1 and not prompted and random.random() < _CROWDED:
            most *= 4  # as many as there is room for
        kinds: Sequence[str] = KINDS if grown > 0.4 else ("one hop",)
        if grown >= 1 and random.random() < _UNKNOWN:
            kinds = ("unanswerable",)
        elif grown >= 1 and prompted and random.random() < _HARDER:
            kinds = _HARD
        if self.course.calls and grown > 0.5 and random.random() < self.course.calls:
            return self._called(random, seed, most, length)
        return world_document(self.writer, random, seed, "train", prompted, most, length, kinds)

    def _crowd(self, random: Random, seed: str, length: int) -> Document:
        """Returns a dialogue about a world whose notes lie among as many of other worlds as there is room for."""
        world = make_world(seed, "train", notes=self.course.notes + 3, questions=6)
        notes = list(world.notes)
        room = length - len(self.writer.attended(notes, world.questions, system=True).tokens)
        for number in count():
            others = make_world(f"{seed} {number}", "train", notes=6).notes
            room -= len(self.writer.attended(others, (), system=False).tokens)
            if room < 0:
                break
            notes += others
        random.shuffle(notes)
        document = self.writer.attended(notes, world.questions, system=random.random() < 0.5)
        document.weights = [weight / 10 if weight < 1 else weight for weight in document.weights]
        return document

    def _called(self, random: Random, seed: str, most: int, length: int) -> Document:
        """Returns a dialogue with calls, of a smaller world where that does not fit."""
        while True:
            world = make_world(seed, "train", notes=most, questions=3)
            document = called_document(self.writer, random, world)
            if document.answers and len(document.tokens) <= length:
                return document
            most, seed = max(1, most - 1), seed + "'"

    def _cut(self, document: Document, size: int) -> Document:
        """Returns the beginning of a text."""
        return Document(
            document.tokens[:size], document.memories[:size], document.places[:size], document.weights[:size]
        )


def world_document(
    writer: Writer,
    random: Random,
    seed: str,
    split: Split,
    prompted: bool,
    most: int,
    length: int,
    kinds: Sequence[str] = KINDS,
) -> Document:
    """Returns a dialogue about a world of at most ``most`` notes; a smaller one where that does not fit."""
    while True:
        size = random.randint(max(1, most if prompted and random.random() < 0.6 else most // 2), most)
        if len(kinds) > 1 and random.random() < 0.04:  # nothing is remembered, so nothing is known
            world = make_world(seed, split, notes=size, questions=2, kinds=("unanswerable",))
            document = writer.attended((), world.questions, system=random.random() < 0.5)
        else:
            world = make_world(seed, split, notes=size, questions=1 + min(2 if prompted else 4, size), kinds=kinds)
            said = [note for note in world.notes if note.speaker == ME and note.facts]
            turns = [_said(random.choice(said))] if split == "train" and said and random.random() < 0.2 else []
            notes = [note for note in world.notes if not turns or note.text != turns[0].text]
            notes = random.sample(notes, len(notes))
            asked, system = [*turns, *world.questions], random.random() < 0.5
            if split == "train" and random.random() < _ALIKE:
                notes += _alike(random, world, seed, 3 if prompted else 6)
                random.shuffle(notes)
            if not prompted:
                document = writer.attended(notes, asked, system=system)
            elif split == "train" and random.random() < _BESIDE:
                known = random.choice((0, 0, len(notes) // 2))
                others = make_world(f"{seed} beside", split, notes=random.randint(1, 5)).notes
                document = writer.attended([*notes[:known], *others], asked, system=system, words=notes[known:])
            else:
                document = writer.prompted(notes, asked, system=system)
        if world.questions and len(document.tokens) <= length:
            return document
        most = max(1, size - 1) if world.questions else most
        seed += "'"


def _alike(random: Random, world: World, seed: str, most: int) -> list[Told]:
    """Returns notes that say of strangers what is asked about the world's people, as a recall brings them too."""
    asked = {part for question in world.questions for part in question.ask}
    known = {fact.subject for note in world.notes for fact in note.facts} | {ME}
    others = (note for number in range(5) for note in make_world(f"{seed} {number}", "train", notes=8).notes)
    found = [
        note
        for note in others
        if note.facts and all(fact.relation in asked and fact.subject not in known for fact in note.facts)
    ]
    return random.sample(found, random.randint(0, min(most, len(found))))


def _said(note: Told) -> Question:
    """Returns a turn in which the user tells something, which is then known from the conversation itself."""
    return Question("statement", note.text, "I will remember that", (), ())


def held_out(
    tokenizer: Tokenizer, *, notes: int, rows: int, length: int, prompted: bool, split: Split = "test"
) -> Batch:
    """Returns a batch of worlds to test on; all kinds of questions, ``notes`` notes at the most."""
    writer, random = Writer(tokenizer), Random(f"held out {notes}")
    documents = [
        world_document(writer, random, f"held out {number}", split, prompted, notes, length)
        for number in range(rows * 6)
    ]
    return pack(documents, rows, length, writer.eos)
