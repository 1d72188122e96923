"""One small world: a cast, notes about it, and questions with their answers and the notes that hold them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from .names import Split, person, place
from .relations import KIN, PETS, RELATIONS
from .ways import Ways, ways_of

__all__ = ["KINDS", "ME", "NUMBERS", "PETS", "UNKNOWN", "Fact", "Question", "Split", "Told", "World", "make_world"]

ME = "user"
UNKNOWN = "I don't know"
KINDS = ("one hop", "two hops", "temporal", "yes/no", "counting", "unanswerable")
NUMBERS = ("none", "one", "two", "three", "four")

_SHARES = {"one hop": 3, "yes/no": 0.6, "unanswerable": 0.6}  # how often a kind is asked; the others 1
_OPENING, _ASKING, _TALK = ways_of("opening"), ways_of("asking"), ways_of("talk")
_MOVED, _CHANGED, _CHANGED_ME = ways_of("moved"), ways_of("changed"), ways_of("changed_me")
_BEFORE, _BEFORE_ME = ways_of("before"), ways_of("before_me")
_WHEN, _WHEN_ME = ways_of("when"), ways_of("when_me")
_COUNT, _COUNT_ME = ways_of("count"), ways_of("count_me")
_SMALL = ("The", "My", "In", "On", "At", "As", "It", "When", "For")  # no names, so small after an opening
_ASKED_FIRST = 0.15  # share of the questions of training that something stands before


@dataclass(frozen=True, slots=True)
class Fact:
    """What is true of somebody.

    Attributes:
        subject: a name, or `ME`.
        relation: a key of ``RELATIONS``, or ``"lived"`` for a home that was left.
        value: as the answer gives it.
        year: since when (of a home), or empty.
    """

    subject: str
    relation: str
    value: str
    year: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """One note: who says what on which day, and the facts in it."""

    speaker: str
    text: str
    day: str
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """A question of the user's.

    Attributes:
        kind: one of `KINDS`.
        text: the words.
        answer: the words, without a full stop.
        needs: places of the notes that hold the answer.
        ask: the same question for a machine: ``("value", subject, relation, …)``, ``("before", subject)``,
            ``("year", subject)``, ``("is", subject, relation, value)`` or ``("count", subject)``.
    """

    kind: str
    text: str
    answer: str
    needs: tuple[int, ...]
    ask: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class World:
    """Notes, of which later ones are newer, and questions about them."""

    notes: tuple[Told, ...]
    questions: tuple[Question, ...]


def make_world(
    seed: int | str, split: Split, *, notes: int = 8, questions: int = 4, kinds: Sequence[str] = KINDS
) -> World:
    """Returns a world; the same arguments give the same world.

    Args:
        seed: any number or text.
        split: whose names and templates are used.
        notes: how many there are; some say nothing of use.
        questions: how many are asked at the most; a small world may have no answer to offer for so many.
        kinds: what may be asked.
    """
    maker = _Maker(Random(f"{split} {seed}"), split, notes)
    maker.fill()
    return World(tuple(maker.notes), tuple(maker.ask(questions, kinds)))


class _Maker:
    def __init__(self, random: Random, split: Split, size: int) -> None:
        self.random, self.split, self.size = random, split, size
        self.notes: list[Told] = []
        self.known: dict[tuple[str, str], tuple[str, int]] = {}  # the value that holds now, and its note
        self.candidates: list[Callable[[], Question]] = []
        self.kinds: list[str] = []
        names: set[str] = set()
        while len(names) < max(2, min(6, size)):
            names.add(person(random, split))
        self.cast = sorted(names)
        random.shuffle(self.cast)
        if random.random() < 0.6:
            self.cast.insert(0, ME)
        self.day = date(2021, 1, 1) + timedelta(days=random.randrange(1800))

    def fill(self) -> None:
        """Writes notes until there are enough."""
        makers = (self._single, self._chain, self._move, self._change, self._pets, self._talk)
        while len(self.notes) < self.size:
            self.random.choices(makers, (42, 24, 12, 8, 6, 8))[0](self.size - len(self.notes))

    def ask(self, count: int, kinds: Sequence[str]) -> list[Question]:
        """Returns questions, each kind by its share where the world allows it."""
        for _ in range(max(1, count // 2)):
            self._unknown()
        by_kind: dict[str, list[Callable[[], Question]]] = {}
        for kind, make in zip(self.kinds, self.candidates, strict=True):
            if kind in kinds:
                by_kind.setdefault(kind, []).append(make)
        for makes in by_kind.values():
            self.random.shuffle(makes)
        asked: list[Question] = []
        while by_kind and len(asked) < count:
            kind = self.random.choices(list(by_kind), [_SHARES.get(kind, 1) for kind in by_kind])[0]
            asked.append(by_kind[kind].pop()())
            if not by_kind[kind]:
                del by_kind[kind]
        return asked

    def _offer(self, kind: str, make: Callable[[], Question]) -> None:
        self.kinds.append(kind)
        self.candidates.append(make)

    def _way(self, ways: Ways) -> str:
        return ways.one(self.random, self.split)

    def _asked(self, ways: Ways) -> str:
        """Returns a question, now and then with something before it; testing has the bare question alone."""
        text = self._way(ways)
        if self.split == "test" or self.random.random() >= _ASKED_FIRST:
            return text
        return f"{self._way(_ASKING)} {text}"

    def _free(self, relations: Sequence[str], *, among: Sequence[str] = ()) -> tuple[str, str] | None:
        """Returns somebody and a relation of which nothing is known yet."""
        for _ in range(20):
            subject, relation = self.random.choice(among or self.cast), self.random.choice(relations)
            if (subject, relation) not in self.known:
                return subject, relation
        return None

    def _write(self, text: str, speaker: str, *facts: Fact) -> int:
        if self.random.random() < 0.2 and speaker:
            opening = self._way(_OPENING)
            first = text.split()[0]
            text = f"{opening} {text[0].lower() + text[1:] if first in _SMALL else text}"
        self.day += timedelta(days=self.random.randint(0, 40))
        self.notes.append(Told(speaker, text, self.day.isoformat(), facts))
        return len(self.notes) - 1

    def _speaker(self, subject: str) -> tuple[str, bool]:
        """Returns who tells of somebody, and whether it is himself."""
        if subject == ME:
            return ME, True
        others = [name for name in self.cast if name not in (subject, ME)]
        speaker = self.random.choices((subject, ME, self.random.choice(others), ""), (35, 35, 12, 18))[0]
        return speaker, speaker == subject

    def _state(self, subject: str, relation: str, value: str) -> int:
        """Writes that something is so; returns the note's place."""
        speaker, himself = self._speaker(subject)
        kind = RELATIONS[relation]
        text = self._way(kind.said if himself else kind.told).format(s=subject, v=value)
        place_ = self._write(text[0].upper() + text[1:], speaker, Fact(subject, relation, value))
        self.known[subject, relation] = value, place_
        return place_

    def _single(self, room: int) -> None:
        free = self._free([name for name in RELATIONS if name not in PETS])
        if free is None:
            self._talk(room)
            return
        subject, relation = free
        value = self._value(subject, relation)
        note = self._state(subject, relation, value)
        self._offer("one hop", lambda: self._value_question(subject, relation, (note,)))
        self._offer("yes/no", lambda: self._check(subject, relation, note))

    def _value(self, subject: str, relation: str) -> str:
        if relation in KIN and self.random.random() < 0.5:
            return self.random.choice([name for name in self.cast if name not in (subject, ME)])
        return RELATIONS[relation].value(self.random, self.split)

    def _value_question(self, subject: str, relation: str, needs: tuple[int, ...]) -> Question:
        kind = RELATIONS[relation]
        text = self._asked(kind.asked_me) if subject == ME else self._asked(kind.asked).format(s=subject)
        return Question("one hop", text, self.known[subject, relation][0], needs, ("value", subject, relation))

    def _check(self, subject: str, relation: str, note: int) -> Question:
        value = true = self.known[subject, relation][0]
        if self.random.random() < 0.5:
            others = [value for (_, other), (value, _) in self.known.items() if other == relation and value != true]
            value = self.random.choice(others) if others else RELATIONS[relation].value(self.random, self.split)
        kind = RELATIONS[relation]
        way = self._asked(kind.checked_me if subject == ME else kind.checked)
        answer = "yes" if value == true else "no"
        ask = ("is", subject, relation, value)
        return Question("yes/no", way.format(s=subject, v=value), answer, (note,), ask)

    def _chain(self, room: int) -> None:
        """Writes who is whose, and something of the second."""
        free = self._free(KIN)
        names = [name for name in self.cast if free is None or name not in (ME, free[0])]
        rest = self._free([name for name in RELATIONS if name not in KIN], among=names)
        if room < 2 or free is None or rest is None or rest[0] == free[0]:
            self._single(room)
            return
        (subject, kin), (other, relation) = free, rest
        steps = [
            lambda: self._state(subject, kin, other),
            lambda: self._state(other, relation, RELATIONS[relation].value(self.random, self.split)),
        ]
        order = self.random.choice(((0, 1), (1, 0)))
        notes = sorted(steps[place]() for place in order)
        self._offer("two hops", lambda: self._chain_question(subject, kin, other, relation, notes))
        self._offer("one hop", lambda: self._value_question(other, relation, (self.known[other, relation][1],)))
        self._offer("one hop", lambda: self._value_question(subject, kin, (self.known[subject, kin][1],)))

    def _chain_question(self, subject: str, kin: str, other: str, relation: str, notes: list[int]) -> Question:
        whose = f"my {kin}" if subject == ME else f"{subject}'s {kin}"
        text = self._asked(RELATIONS[relation].asked).format(s=whose)
        answer = self.known[other, relation][0]
        return Question("two hops", text, answer, tuple(notes), ("value", subject, kin, relation))

    def _move(self, room: int) -> None:
        """Writes a move, with the year."""
        free = self._free(["lives"])
        if free is None:
            self._single(room)
            return
        subject = free[0]
        old, new, year = (
            place(self.random, self.split),
            place(self.random, self.split),
            str(self.random.randint(1995, 2025)),
        )
        speaker, himself = self._speaker(subject)
        text = self._way(_MOVED).format(s="I" if himself else subject, a=old, v=new, w=year)
        note = self._write(text, speaker, Fact(subject, "lived", old), Fact(subject, "lives", new, year))
        self.known[subject, "lives"] = new, note
        me = subject == ME

        def before() -> Question:
            text = self._asked(_BEFORE_ME if me else _BEFORE).format(s=subject, v=new)
            return Question("temporal", text, old, (note,), ("before", subject))

        def when() -> Question:
            text = self._asked(_WHEN_ME if me else _WHEN).format(s=subject, v=new, a=old)
            return Question("temporal", text, year, (note,), ("year", subject))

        self._offer("temporal", before)
        self._offer("temporal", when)
        self._offer("one hop", lambda: self._value_question(subject, "lives", (note,)))

    def _change(self, room: int) -> None:
        """Writes where somebody lives and, later, that he has moved."""
        free = self._free(["lives"])
        if room < 2 or free is None:
            self._single(room)
            return
        subject = free[0]
        old, new = place(self.random, self.split), place(self.random, self.split)
        first = self._state(subject, "lives", old)
        speaker, himself = self._speaker(subject)
        text = self._way(_CHANGED_ME if himself else _CHANGED).format(s=subject, a=old, v=new)
        second = self._write(text, speaker, Fact(subject, "lived", old), Fact(subject, "lives", new))
        self.known[subject, "lives"] = new, second
        self._offer(
            "temporal",
            lambda: Question(
                "temporal",
                self._value_question(subject, "lives", ()).text,
                new,
                (first, second),
                ("value", subject, "lives"),
            ),
        )

    def _pets(self, room: int) -> None:
        """Writes of all pets of somebody."""
        subject = self.random.choice(self.cast)
        count = self.random.randint(1, min(3, room))
        if any((subject, kind) in self.known for kind in PETS):
            self._single(room)
            return
        notes = []
        for kind in self.random.sample(PETS, count):
            notes.append(self._state(subject, kind, RELATIONS[kind].value(self.random, self.split)))
            self._offer("one hop", lambda kind=kind, note=notes[-1]: self._value_question(subject, kind, (note,)))  # type: ignore[misc]

        def how_many() -> Question:
            # a chain may have given another one since
            every = tuple(self.known[subject, kind][1] for kind in PETS if (subject, kind) in self.known)
            text = self._asked(_COUNT_ME if subject == ME else _COUNT).format(s=subject)
            return Question("counting", text, NUMBERS[len(every)], tuple(sorted(every)), ("count", subject))

        self._offer("counting", how_many)

    def _talk(self, room: int) -> None:
        """Writes a note that says nothing, or an earlier question."""
        if self.random.random() < 0.6:
            self._write(self._way(_TALK), self.random.choice((ME, "assistant", *self.cast)))
        else:
            kind = RELATIONS[self.random.choice(list(RELATIONS))]
            self._write(self._way(kind.asked).format(s=self.random.choice(self.cast[1:])), ME)

    def _unknown(self) -> None:
        free = self._free(list(RELATIONS))
        if free is None:
            return
        subject, relation = free
        kind = RELATIONS[relation]
        text = self._asked(kind.asked_me) if subject == ME else self._asked(kind.asked).format(s=subject)
        self._offer("unanswerable", lambda: Question("unanswerable", text, UNKNOWN, (), ("value", subject, relation)))
