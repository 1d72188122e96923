"""What can be true of somebody, and the ways to say it and to ask for it.

In a template ``{s}`` is who it is about, ``{v}`` the value. Of every list of ways the part before the bar is for
training and the part after it for testing.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from .names import Split, animal, firm, person, place

__all__ = ["KIN", "RELATIONS", "SMALL_TALK", "Relation", "ways"]


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
    told: str
    said: str
    asked: str
    asked_me: str
    checked: str
    checked_me: str

    def value(self, random: Random, split: Split) -> str:
        """Returns a value."""
        if not isinstance(self.values, str):
            return random.choice(self.values)
        return {"place": place, "firm": firm, "person": person, "animal": animal}[self.values](random, split)


def ways(templates: str, split: Split) -> list[str]:
    """Returns the templates of one split."""
    train, test = templates.split(" | ")
    return [way.strip() for way in (test if split == "test" else train).split(" / ")]


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

RELATIONS: dict[str, Relation] = {
    "lives": Relation(
        "place",
        "{s} lives in {v}. / {s} has a flat in {v}. / {s} has a house in {v}. / The home of {s} is in {v}. "
        "/ {s} now lives in {v}. "
        "| {s} is living in {v}. / {s} has a home in {v}.",
        "I live in {v}. / I have a flat in {v}. / I have a house in {v}. / My home is in {v}. / I now live in {v}. "
        "| I am living in {v}. / I have a home in {v}.",
        "Where does {s} live? / In which town does {s} live? / Where is the home of {s}? "
        "| Which town does {s} live in? / Where does {s} live now?",
        "Where do I live? / In which town do I live? / Where is my home? | Which town do I live in? "
        "/ Where do I live now?",
        "Does {s} live in {v}? / Is the home of {s} in {v}? | Does {s} live in the town of {v}?",
        "Do I live in {v}? / Is my home in {v}? | Do I live in the town of {v}?",
    ),
    "born": Relation(
        "place",
        "{s} was born in {v}. / {s} comes from {v}. / {s} grew up in {v}. | {s} was born and grew up in {v}.",
        "I was born in {v}. / I come from {v}. / I grew up in {v}. | I was born and grew up in {v}.",
        "Where was {s} born? / Where does {s} come from? / Where did {s} grow up? | In which town was {s} born?",
        "Where was I born? / Where do I come from? / Where did I grow up? | In which town was I born?",
        "Was {s} born in {v}? / Does {s} come from {v}? | Was {s} born in the town of {v}?",
        "Was I born in {v}? / Do I come from {v}? | Was I born in the town of {v}?",
    ),
    "job": Relation(
        _JOBS,
        "{s} is {v}. / {s} works as {v}. / {s} has a job as {v}. / {s} is {v} by trade. "
        "| {s} has work as {v}. / {s} is now {v}.",
        "I am {v}. / I work as {v}. / I have a job as {v}. / I am {v} by trade. | I have work as {v}. / I am now {v}.",
        "What is the job of {s}? / What is {s}'s job? / What does {s} do for a living? "
        "| What does {s} work as? / What job does {s} have?",
        "What is my job? / What do I do for a living? | What do I work as? / What job do I have?",
        "Is {s} {v}? / Does {s} work as {v}? | Does {s} have a job as {v}?",
        "Am I {v}? / Do I work as {v}? | Do I have a job as {v}?",
    ),
    "firm": Relation(
        "firm",
        "{s} works at {v}. / {s} works for {v}. / {s} has a job at {v}. / {s} is employed by {v}. "
        "| {s} has work at {v}. / {s} is now working at {v}.",
        "I work at {v}. / I work for {v}. / I have a job at {v}. / I am employed by {v}. "
        "| I have work at {v}. / I am now working at {v}.",
        "Where does {s} work? / Who does {s} work for? / Who employs {s}? | Where does {s} have a job? "
        "/ Where does {s} work now?",
        "Where do I work? / Who do I work for? / Who employs me? | Where do I have a job? / Where do I work now?",
        "Does {s} work at {v}? / Is {s} employed by {v}? | Does {s} have a job at {v}?",
        "Do I work at {v}? / Am I employed by {v}? | Do I have a job at {v}?",
    ),
    "food": Relation(
        _FOODS,
        "{s} loves {v}. / The favourite food of {s} is {v}. / {s} likes to eat {v}. / {s} could eat {v} every day. "
        "| {s}'s favourite food is {v}. / {s} loves to eat {v}.",
        "I love {v}. / My favourite food is {v}. / I like to eat {v}. / I could eat {v} every day. "
        "| I love to eat {v}.",
        "What does {s} like to eat? / What is {s}'s favourite food? | What does {s} love to eat? "
        "/ What is the favourite food of {s}?",
        "What do I like to eat? / What is my favourite food? | What do I love to eat?",
        "Does {s} like {v}? / Does {s} like to eat {v}? | Does {s} love to eat {v}?",
        "Do I like {v}? / Do I like to eat {v}? | Do I love to eat {v}?",
    ),
    "hobby": Relation(
        _HOBBIES,
        "{s} goes in for {v}. / {s}'s hobby is {v}. / {s} spends every weekend on {v}. / {s} is mad about {v}. "
        "| The hobby of {s} is {v}. / {s} spends the weekend on {v}.",
        "I go in for {v}. / My hobby is {v}. / I spend every weekend on {v}. / I am mad about {v}. "
        "| I spend the weekend on {v}.",
        "What is {s}'s hobby? / What does {s} do at the weekend? | What is the hobby of {s}?",
        "What is my hobby? / What do I do at the weekend? | Which hobby is mine? / What hobby do I have?",
        "Is {v} {s}'s hobby? / Does {s} go in for {v}? | Is {v} the hobby of {s}?",
        "Is {v} my hobby? / Do I go in for {v}? | Is my hobby {v}?",
    ),
    "plays": Relation(
        _INSTRUMENTS,
        "{s} plays {v}. / {s} is learning {v}. / {s} plays {v} in a band. | {s} plays {v} very well.",
        "I play {v}. / I am learning {v}. / I play {v} in a band. | I play {v} very well.",
        "What does {s} play? / Which instrument does {s} play? | What instrument does {s} play?",
        "What do I play? / Which instrument do I play? | What instrument do I play?",
        "Does {s} play {v}? | Does {s} play {v} well?",
        "Do I play {v}? | Do I play {v} well?",
    ),
    "car": Relation(
        _COLOURS,
        "{s} drives a {v} car. / {s}'s car is {v}. / {s} bought a {v} car. | The car of {s} is {v}. "
        "/ {s} has a {v} car.",
        "I drive a {v} car. / My car is {v}. / I bought a {v} car. | I have a {v} car.",
        "What colour is {s}'s car? / What is the colour of {s}'s car? | Which colour is the car of {s}?",
        "What colour is my car? / What is the colour of my car? | Which colour is my car?",
        "Is {s}'s car {v}? / Does {s} drive a {v} car? | Is the car of {s} {v}?",
        "Is my car {v}? / Do I drive a {v} car? | Do I have a {v} car?",
    ),
    "speaks": Relation(
        _TONGUES,
        "{s} speaks {v}. / {s} is taking lessons in {v}. / {s} wants to speak {v}. | {s} takes lessons in {v}.",
        "I speak {v}. / I am taking lessons in {v}. / I want to speak {v}. | I take lessons in {v}.",
        "Which language does {s} speak? / What does {s} speak? | What language does {s} speak?",
        "Which language do I speak? / What do I speak? | What language do I speak?",
        "Does {s} speak {v}? | Does {s} speak {v} well?",
        "Do I speak {v}? | Do I speak {v} well?",
    ),
    "allergy": Relation(
        _ALLERGENS,
        "{s} is allergic to {v}. / {s} has an allergy to {v}. / {v} make {s} ill. | {s} has a bad allergy to {v}.",
        "I am allergic to {v}. / I have an allergy to {v}. / {v} make me ill. | I have a bad allergy to {v}.",
        "What is {s} allergic to? / Which allergy does {s} have? | What allergy does {s} have?",
        "What am I allergic to? / Which allergy do I have? | What allergy do I have?",
        "Is {s} allergic to {v}? / Does {s} have an allergy to {v}? | Does {s} have a bad allergy to {v}?",
        "Am I allergic to {v}? / Do I have an allergy to {v}? | Do I have a bad allergy to {v}?",
    ),
    "birthday": Relation(
        _DAYS,
        "{s}'s birthday is on {v}. / The birthday of {s} is {v}. | {s} has a birthday on {v}.",
        "My birthday is on {v}. / My birthday is {v}. | I have my birthday on {v}.",
        "When is {s}'s birthday? / When does {s} have a birthday? | When is the birthday of {s}?",
        "When is my birthday? / When do I have a birthday? | When do I have my birthday?",
        "Is {s}'s birthday on {v}? | Is the birthday of {s} on {v}?",
        "Is my birthday on {v}? | Do I have my birthday on {v}?",
    ),
    "wedding": Relation(
        _DAYS,
        "{s} will marry on {v}. / {s}'s wedding is on {v}. / The wedding of {s} is planned for {v}. "
        "| {s} plans the wedding for {v}. / {s}'s wedding will be on {v}.",
        "I will marry on {v}. / My wedding is on {v}. / My wedding is planned for {v}. "
        "| I plan my wedding for {v}. / My wedding will be on {v}.",
        "When is {s}'s wedding? / When will {s} marry? | When is the wedding of {s}?",
        "When is my wedding? / When will I marry? | When will my wedding be?",
        "Is {s}'s wedding on {v}? | Will {s} marry on {v}?",
        "Is my wedding on {v}? | Will I marry on {v}?",
    ),
}
for _kind in ("dog", "cat", "horse", "parrot"):
    RELATIONS[_kind] = Relation(
        "animal",
        f"{{s}} has a {_kind} called {{v}}. / {{s}}'s {_kind} is called {{v}}. / The name of {{s}}'s {_kind} is {{v}}. "
        f"| {{s}} has a {_kind} by the name of {{v}}. / {{s}} calls the {_kind} {{v}}.",
        f"I have a {_kind} called {{v}}. / My {_kind} is called {{v}}. / The name of my {_kind} is {{v}}. "
        f"| I have a {_kind} by the name of {{v}}. / I call my {_kind} {{v}}.",
        f"What is {{s}}'s {_kind} called? / What is the name of {{s}}'s {_kind}? "
        f"| What name does {{s}}'s {_kind} have?",
        f"What is my {_kind} called? / What is the name of my {_kind}? | What name does my {_kind} have?",
        f"Is {{s}}'s {_kind} called {{v}}? | Is {{v}} the name of {{s}}'s {_kind}?",
        f"Is my {_kind} called {{v}}? | Is {{v}} the name of my {_kind}?",
    )

KIN = ("mother", "father", "brother", "sister", "wife", "husband", "boss", "teacher", "neighbour", "best friend")
for _kind in KIN:
    RELATIONS[_kind] = Relation(
        "person",
        f"{{s}}'s {_kind} is {{v}}. / {{v}} is {{s}}'s {_kind}. / {{v}} is the {_kind} of {{s}}. "
        f"/ {{s}}'s {_kind} is called {{v}}. "
        f"| The {_kind} of {{s}} is {{v}}. / The name of {{s}}'s {_kind} is {{v}}.",
        f"My {_kind} is {{v}}. / {{v}} is my {_kind}. / My {_kind} is called {{v}}. | The name of my {_kind} is {{v}}.",
        f"Who is {{s}}'s {_kind}? / Who is the {_kind} of {{s}}? | What is the name of {{s}}'s {_kind}?",
        f"Who is my {_kind}? / What is my {_kind} called? | What is the name of my {_kind}?",
        f"Is {{v}} {{s}}'s {_kind}? | Is {{v}} the {_kind} of {{s}}?",
        f"Is {{v}} my {_kind}? | Is my {_kind} called {{v}}?",
    )

SMALL_TALK = (
    "Good morning! / How are you? / What a day. / It rained all night. / Thank you! / See you later. "
    "/ I am tired today. / "
    "That sounds good. / I need some coffee. / Let us talk about something else. | Hello there! / How was your day? / "
    "I slept well. / Nice to hear from you. / The weather is lovely."
)
