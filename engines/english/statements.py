"""Turns a clause into triplets: ReVerb's verb patterns, copulas, possession, and a few sure implications."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...store.note import Triplet
from .chunks import Chunk
from .clauses import Clause
from .copulas import Saying, is_attribute, predicate
from .lexicon import MOODS, NOUN_OR_VERB
from .noun_phrases import NounPhrase, noun_phrase
from .tagging import Token
from .validity import validity
from .verb_phrases import VerbPhrase, canonical, verb_phrase
from .verbs import VERB_FORMS

__all__ = ["statements"]

# Their date is a fact of its own.
_DATED = frozenset(("bear", "die", "found", "establish", "marry", "graduate", "release", "publish"))
_GIVING = frozenset(("give", "send", "show", "tell", "teach", "buy", "offer", "lend", "bring"))
_COMPARING = frozenset(("like", "than", "including"))
_NAMING = frozenset(("name", "call"))
_STARTING = ("started", "has started", "began", "has begun", "started working", "began working")
_JOBS = frozenset(("job", "position", "internship", "role", "work"))
_GETTING = frozenset(("get", "start", "begin", "land", "take", "accept", "find"))
_FAR, _EXTRA, _IMPLIED, _LEAST, _MOST = 0.1, 0.1, 0.25, 0.2, 0.6


def statements(
    clause: Clause, leading: Sequence[tuple[str, Token]], *, text: str, speaker: str, happened: str
) -> Iterator[Triplet]:
    """Yields what a clause states.

    Args:
        clause: as found.
        leading: times named before it in its sentence, used where it names none.
        text: the whole text the clause is from.
        speaker: who "I" is; empty if that is not known.
        happened: since when it is true if no date is named.
    """
    times = clause.times if any(token.day for _, token in clause.times) else [*clause.times, *leading]
    verb = verb_phrase(clause.verb.tokens, since=any(preposition == "since" for preposition, _ in times))
    since, until = (happened, "") if _tells_time(clause, verb) else validity(times, happened)
    loss = (0.0 if clause.near else _FAR) + (_FAR if verb.tense in ("bare", "future") else 0.0)
    for subject in _subjects(clause, verb, text, speaker):
        sayings = _copula if verb.copula else _action
        for left, relation, right, confidence in sayings(clause, verb, subject, text, speaker):
            kept = round(min(_MOST, max(_LEAST, confidence - loss)), 2)
            yield Triplet(left, canonical(relation), right, since, until, kept, "rule")


def _tells_time(clause: Clause, verb: VerbPhrase) -> bool:
    """Whether the time is what the clause is about, not when it holds ("my exam is on 9 March 2024")."""
    return verb.copula and not (clause.objects or clause.adjective or clause.phrases)


def _subjects(clause: Clause, verb: VerbPhrase, text: str, speaker: str) -> Iterator[NounPhrase]:
    if not clause.subjects and clause.place == 0 and speaker and verb.tense == "past":
        yield NounPhrase(speaker, proper=True)  # "Moved to Lisbon!"
    for chunk in clause.subjects:
        phrase = noun_phrase(chunk.tokens, text, speaker)
        imperative = chunk is clause.subjects[0] and clause.verb.first.tag == "V" and phrase and _bare_verb(phrase)
        if phrase and not phrase.dangling and not imperative:
            yield phrase


def _bare_verb(phrase: NounPhrase) -> bool:
    """Whether a phrase may as well be an imperative ("Stay motivated")."""
    lower = phrase.text.lower()
    verb = lower in NOUN_OR_VERB or VERB_FORMS.get(lower, ("", ""))[1] in ("b", "s")
    return verb and not phrase.article and not phrase.owner


def _phrases(chunks: Sequence[Chunk], text: str, speaker: str) -> list[NounPhrase]:
    found = (noun_phrase(chunk.tokens, text, speaker) for chunk in chunks)
    return [phrase for phrase in found if phrase]


def _copula(clause: Clause, verb: VerbPhrase, subject: NounPhrase, text: str, speaker: str) -> Iterator[Saying]:
    named = ""
    for other in _phrases(clause.objects, text, speaker):
        yield from predicate(subject, verb.relation, other)
        named = other.head.lower() if other.head and not other.owner else named
    if clause.adjective:
        named = _adjective(clause.adjective)
        if is_attribute(subject.head):
            yield from predicate(subject, verb.relation, NounPhrase(named))
        elif not clause.phrases and named.lower() not in MOODS:
            yield subject.text, verb.relation, named, 0.4
    relation = f"{verb.relation} {named.lower()}".strip()
    for preposition, group in clause.phrases:
        for other in _phrases(group, text, speaker):
            yield subject.text, f"{relation} {preposition}", other.text, 0.4 if named else 0.5
    if clause.times and _tells_time(clause, verb):
        preposition, token = clause.times[0]
        if is_attribute(subject.head):
            yield from predicate(subject, verb.relation, NounPhrase(token.text))
        elif token.iso:
            yield subject.text, f"{verb.relation} {preposition}".strip(), token.text, 0.4


def _adjective(chunk: Chunk) -> str:
    return " ".join(token.text for token in chunk.tokens if token.tag == "A")


def _action(clause: Clause, verb: VerbPhrase, subject: NounPhrase, text: str, speaker: str) -> Iterator[Saying]:
    objects = _phrases(clause.objects, text, speaker)
    if verb.relation in ("is called", "is named"):
        for other in objects:
            yield from predicate(subject, "is", other)
        return
    first = objects[0] if objects else None
    if verb.base in _NAMING and clause.indirect:
        for pet in _phrases(clause.indirect, text, speaker):
            yield from ((pet.text, "is called", other.text, 0.5) for other in objects)
        return
    relation = verb.relation
    for other in objects:
        yield subject.text, relation, other.text, 0.5 if other.proper else 0.4
    if verb.base in _GIVING:
        for other in _phrases(clause.indirect, text, speaker):
            yield subject.text, f"{relation} to", other.text, 0.3
    if clause.adjective:
        relation = f"{relation} {_adjective(clause.adjective).lower()}"
    if first and not first.owner and not first.proper and len(objects) == 1 and first.text.count(" ") < 3:
        relation = f"{relation} {first.text.lower()}"  # "planned a trip to"
    for place, (preposition, group) in enumerate(clause.phrases):
        if preposition in _COMPARING:
            continue
        extra = _EXTRA if place or objects else 0.0
        for other in _phrases(group, text, speaker):
            yield subject.text, f"{relation} {preposition}", other.text, 0.5 - extra
            yield from _implied(subject, verb, first, preposition, other)
    if verb.base == "marry" and first and verb.tense in ("past", "perfect") and first.proper:
        yield subject.text, "married to", first.text, _IMPLIED
    if clause.times and (verb.base in _DATED or not (objects or clause.phrases or clause.adjective)):
        for preposition, token in clause.times:
            if token.iso and preposition in ("in", "on", "since", "from", ""):
                yield subject.text, f"{verb.relation} {preposition}".strip(), token.text, 0.4
                break


def _implied(
    subject: NounPhrase, verb: VerbPhrase, first: NounPhrase | None, preposition: str, other: NounPhrase
) -> Iterator[Saying]:
    """Yields what follows for sure: who moved to Lisbon lives there, who started at Siemens works there."""
    if not other.proper or verb.tense not in ("past", "perfect"):
        if verb.relation.endswith("working") and preposition == "as":
            yield subject.text, "works as", other.text, _IMPLIED
        return
    if verb.base in ("move", "relocate") and preposition.rpartition(" ")[2] in ("to", "into") and not first:
        yield subject.text, "lives in", other.text, _IMPLIED
    job = first is not None and not {first.text.lower().split()[-1]}.isdisjoint(_JOBS)
    if preposition in ("at", "for", "with") and (
        (job and verb.base in _GETTING) or (not first and verb.relation in _STARTING)
    ):
        yield subject.text, "works at", other.text, _IMPLIED
