"""Supersession, worked out from what the visible notes say; deterministic, and never on a model's word.

A newer value of a single-valued relation ends the older one when their times overlap, and the newer was stated
by a caller in a note of trusted origin. Rules and models only ever add facts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from .note import Fact, Triplet

__all__ = ["Statement", "resolve"]


@dataclass(frozen=True, slots=True)
class Statement:
    """One triplet under the note that says it.

    Attributes:
        triplet: what was said.
        folded: subject, relation and object as they are compared.
        note: id of the note.
        order: its number; later notes have larger ones.
        known: when the store learnt it, ISO 8601 UTC.
        trusted: whether the note's origin may end older facts.
    """

    triplet: Triplet
    folded: tuple[str, str, str]
    note: str
    order: int
    known: str
    trusted: bool


@dataclass(slots=True)
class _Candidate:
    fact: Fact
    folded: tuple[str, str, str]
    start: tuple[str, int]  # since when, and the latest note that may say so
    may_supersede: bool


def resolve(statements: Sequence[Statement], single: Collection[str], *, as_of: str = "") -> list[Fact]:
    """Groups equal statements into facts and closes what newer values supersede.

    Args:
        statements: in the order of their notes.
        single: folded names of the relations with one value at a time.
        as_of: the moment asked about; statements that begin later are left out.

    Returns:
        Every fact, superseded ones marked and closed at the start of what took their place.
    """
    groups: dict[tuple[str, str, str, str, str], list[Statement]] = defaultdict(list)
    for statement in statements:
        fact = statement.triplet
        if as_of and fact.valid_from > as_of + "~":
            continue
        groups[(*statement.folded, fact.valid_from, fact.valid_to)].append(statement)
    rivals: dict[tuple[str, str], list[_Candidate]] = defaultdict(list)
    found: list[_Candidate] = []
    for group in groups.values():
        candidate = _candidate(group)
        found.append(candidate)
        if candidate.folded[1] in single:
            rivals[candidate.folded[:2]].append(candidate)
    now = as_of + "~" if as_of else datetime.now(UTC).isoformat()
    begun = [
        candidate for candidate in found if not as_of or candidate.start[0] <= now or not _disputed(candidate, rivals)
    ]
    for candidates in rivals.values():
        _supersede([candidate for candidate in candidates if candidate.start[0] <= now])
    return [_ended(candidate.fact, now) for candidate in begun]


def _candidate(group: Sequence[Statement]) -> _Candidate:
    first = group[0]
    best = max(group, key=lambda statement: statement.triplet.confidence)
    # what a rule or an untrusted note only repeats must not move a fact in time, or it would supersede after all
    grounds = [s for s in group if s.trusted and s.triplet.extractor == "given"]
    last = (grounds or group)[-1]
    fact = Fact(
        subject=first.triplet.subject,
        relation=first.triplet.relation,
        object=first.triplet.object,
        valid_from=first.triplet.valid_from,
        valid_to=first.triplet.valid_to,
        confidence=best.triplet.confidence,
        extractor=best.triplet.extractor,
        notes=tuple(dict.fromkeys(statement.note for statement in group)),
        superseded=False,
    )
    return _Candidate(fact, first.folded, (fact.valid_from or last.known, last.order), bool(grounds))


def _disputed(candidate: _Candidate, rivals: Mapping[tuple[str, str], Sequence[_Candidate]]) -> bool:
    """Whether another value stands against this one, so that its unknown start must be taken as when it was learnt."""
    return any(rival.folded[2] != candidate.folded[2] for rival in rivals.get(candidate.folded[:2], ()))


def _supersede(candidates: list[_Candidate]) -> None:
    """Closes each candidate at the start of the next one that has another object and may end it."""
    candidates.sort(key=lambda candidate: candidate.start)
    for place, older in enumerate(candidates):
        for newer in candidates[place + 1 :]:
            if not newer.may_supersede or newer.folded[2] == older.folded[2]:
                continue
            begins = newer.start[0]
            if not older.fact.valid_to or begins < older.fact.valid_to:
                older.fact = replace(older.fact, valid_to=begins, superseded=True)
            break


def _ended(fact: Fact, now: str) -> Fact:
    """A fact whose stated end has passed is over, though nothing took its place."""
    if fact.valid_to and fact.valid_to <= now and not fact.superseded:
        return replace(fact, superseded=True)
    return fact
