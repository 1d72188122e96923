"""Names for people, places, firms and animals: real ones and invented ones, split into train and test by their letters.

A name belongs to the test split when the CRC-32 of its letters is a multiple of five, whoever makes it and with
whatever seed; so the splits have no name in common, although both can make names without end.
"""

from __future__ import annotations

from random import Random
from typing import Literal
from zlib import crc32

__all__ = ["Split", "animal", "firm", "person", "place", "split_of"]

Split = Literal["train", "test"]

_PEOPLE = """
Ada Alan Alice Amir Ana Anton Aria Asha Ben Bianca Boris Bruno Carla Carlos Cleo Clara Dana Daniel Diego Dora
Edgar Elena Eli Elsa Emil Emma Erik Eva Farid Felix Finn Fiona Frida Gina Greta Hana Hans Harry Helen Hugo Ida
Igor Ines Iris Ivan Jack Jana Jane Jin Joel John Jonas Julia Kai Karen Karim Kate Kira Kurt Lara Laura Lea
Lena Leo Lina Lisa Liam Lola Luca Lucy Luis Mara Marco Maria Mark Marta Mary Max Maya Mia Mila Mina Nadia Nina
Noah Nora Olga Oliver Omar Oscar Otto Paul Paula Pedro Peter Petra Pia Rami Ravi Rita Rosa Ruth Sam Sara Selma
Simon Sofia Sven Tara Tim Theo Tom Toni Uma Vera Victor Wanda Yara Yusuf Zoe
""".split()
_PLACES = """
Athens Bergen Berlin Bern Boston Bristol Cairo Cork Delhi Denver Dublin Florence Geneva Ghent Glasgow Graz
Hamburg Hanoi Helsinki Kyoto Leeds Leipzig Lima Lisbon London Lyon Madrid Malaga Manila Milan Munich Nairobi
Naples Oslo Paris Perth Porto Prague Quito Riga Rome Seattle Seville Sofia Tokyo Toronto Turin Utrecht Vienna
Vilnius Warsaw York Zagreb Zurich
""".split()
_ONSETS = "b br c ch d dr f g gr h j k kl l m n p pr qu r s sh sk st t th tr v w y z".split()
_VOWELS = "a e i o u a e i o ai ea ia io ou".split()
_CODAS = ["", "", "l", "n", "r", "s", "k", "m", "nd", "th", "x"]
_PLACE_ENDS = "ton burg ford by ville ham field port stad wick mouth dale".split()
_FIRM_ENDS = "Bank Foods Labs Motors Books Press School Hotel Studio Works Farm Museum".split()


def split_of(name: str) -> Split:
    """Returns the split that a name belongs to."""
    return "test" if crc32(name.split()[0].encode()) % 5 == 0 else "train"


def _syllables(random: Random, least: int, most: int) -> str:
    count = random.randint(least, most)
    parts = [random.choice(_ONSETS) + random.choice(_VOWELS) for _ in range(count)]
    return ("".join(parts) + random.choice(_CODAS)).capitalize()


def _real(random: Random, names: list[str], split: Split) -> str:
    return random.choice([name for name in names if split_of(name) == split])


def _invented(random: Random, split: Split, least: int, most: int, ends: list[str]) -> str:
    while True:
        name = _syllables(random, least, most) + random.choice(ends)
        if split_of(name) == split:
            return name


def person(random: Random, split: Split) -> str:
    """Returns a first name."""
    return _real(random, _PEOPLE, split) if random.random() < 0.4 else _invented(random, split, 1, 2, ["", "a", "o"])


def place(random: Random, split: Split) -> str:
    """Returns a town."""
    return _real(random, _PLACES, split) if random.random() < 0.4 else _invented(random, split, 1, 1, _PLACE_ENDS)


def firm(random: Random, split: Split) -> str:
    """Returns an employer, two words."""
    return f"{_invented(random, split, 1, 2, [''])} {random.choice(_FIRM_ENDS)}"


def animal(random: Random, split: Split) -> str:
    """Returns what one calls a pet."""
    return _invented(random, split, 1, 2, ["", "y", "ie"])
