"""What can be true of somebody, and the ways to say it and to ask for it."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from .names import Split, animal, firm, person, place
from .ways import Ways, ways_of

__all__ = ["KIN", "PETS", "RELATIONS", "Relation"]


@dataclass(frozen=True, slots=True)
class Relation:
    """One kind of fact.

    Attributes:
        values: what its values are: the name of a maker of names, or the values themselves.
        told: ways to say it of somebody.
        said: ways to say it of oneself.
        asked: ways to ask for it.
        asked_me: ways to ask for one's own.
        checked: ways to ask whether it is so.
        checked_me: ways to ask whether it is so of oneself.
    """

    values: str | tuple[str, ...]
    told: Ways
    said: Ways
    asked: Ways
    asked_me: Ways
    checked: Ways
    checked_me: Ways

    def value(self, random: Random, split: Split) -> str:
        """Returns a value."""
        if not isinstance(self.values, str):
            return random.choice(self.values)
        return {"place": place, "firm": firm, "person": person, "animal": animal}[self.values](random, split)


def _listed(words: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in words.split(","))


_JOBS = _listed(
    "a teacher, a doctor, a nurse, a baker, a painter, a farmer, a pilot, a writer, a lawyer, a cook, a "
    "judge, a driver, "
    "a singer, a dentist, a waiter, a plumber, a builder, a tailor, a gardener, a musician, a translator, an engineer, "
    "an actor, an editor"
)
_FOODS = _listed(
    "pasta, rice, soup, fish, cheese, bread, apples, curry, pizza, salad, beans, eggs, honey, mushrooms, olives, cake, "
    "chocolate, garlic, onions, tomatoes, pancakes, noodles, potatoes, ice cream"
)
_HOBBIES = _listed(
    "swimming, chess, painting, running, climbing, fishing, dancing, cooking, sailing, singing, knitting, hiking, "
    "tennis, football, skiing, gardening, cycling, reading, yoga, photography"
)
_INSTRUMENTS = _listed(
    "the piano, the violin, the guitar, the flute, the drums, the cello, the harp, the trumpet, the organ"
)
_COLOURS = _listed("red, blue, green, yellow, black, white, orange, purple, grey, brown, pink, silver")
_TONGUES = _listed(
    "Spanish, French, German, Italian, Greek, Polish, Turkish, Arabic, Chinese, Japanese, Korean, Dutch, Danish, Hindi"
)
_ALLERGENS = _listed("nuts, milk, pollen, dust, cats, wheat, shellfish, bees, soy, strawberries")
_MONTHS = "January February March April May June July August September October November December".split()
_DAYS = tuple(f"{day} {month}" for month in _MONTHS for day in range(1, 29))

PETS = ("dog", "cat", "horse", "parrot")
KIN = ("mother", "father", "brother", "sister", "wife", "husband", "boss", "teacher", "neighbour", "best friend")
_VALUES: dict[str, str | tuple[str, ...]] = {
    "lives": "place",
    "born": "place",
    "job": _JOBS,
    "firm": "firm",
    "food": _FOODS,
    "hobby": _HOBBIES,
    "plays": _INSTRUMENTS,
    "car": _COLOURS,
    "speaks": _TONGUES,
    "allergy": _ALLERGENS,
    "birthday": _DAYS,
    "wedding": _DAYS,
}


def _relation(values: str | tuple[str, ...], group: str, kind: str = "") -> Relation:
    names = ("told", "said", "asked", "asked_me", "checked", "checked_me")
    return Relation(values, *(ways_of(f"{group}.{name}", kind=kind) for name in names))


RELATIONS: dict[str, Relation] = {
    **{name: _relation(values, name) for name, values in _VALUES.items()},
    **{kind: _relation("animal", "pet", kind) for kind in PETS},
    **{kind: _relation("person", "kin", kind) for kind in KIN},
}
