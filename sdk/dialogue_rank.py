"""What a dialogue adds to a ranking: neighbours, sessions, speakers; and a story: its order.

The words of a question often stand in one turn and its answer in the next; what was talked about together belongs
together; a question that names a speaker asks for what that one said, and one in the first person for what its asker
told the assistant; and a short question rarely is an answer. A long turn speaks for itself: it needs its neighbours
less, and its vector says more. Each step was measured alone on LoCoMo's open dialogues and BEAM's open chats, and
each weight stands on a plateau (docs/recall.md). A thread in which nobody speaks is a story and no dialogue: of two
notes that fit alike, the later one holds (measured on bAbI).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from statistics import median

from ..store.names import fold
from ..store.notes import Turn

__all__ = ["in_sessions", "later_first", "smoothed", "spoken", "wordiness"]

_BEFORE, _AFTER = 0.25, 0.2  # share of the score of the turn before, and of the turn after
_SESSION = 0.3  # share of the best score of the same session
_SPEAKER = 0.1
_MINE = 0.5  # for what people said, where the question speaks of "me" and "my"
_TERSE = 50  # words; a turn of so many leans on its neighbours in full
_FIRST_PERSON = frozenset("i me my mine myself we us our ours".split())
_QUESTION = 0.75  # factor of a short question
_LATER = 0.2  # what the last note of a story gains over its first


def spoken(turns: Mapping[int, Turn], candidates: Collection[int]) -> bool:
    """Whether most of the candidates are turns that someone speaks."""
    return 2 * len([1 for turn in turns.values() if turn.speaker]) > len(candidates)


def later_first(scores: Mapping[int, float], turns: Mapping[int, Turn]) -> dict[int, float]:
    """Returns the scores of notes outside of dialogues: in each thread, the later the note, the more it gains."""
    threads: dict[str, list[int]] = {}
    for num in sorted(turns.keys() & scores.keys()):
        threads.setdefault(turns[num].session[0], []).append(num)
    total = dict(scores)
    for nums in threads.values():
        for place, num in enumerate(nums):
            total[num] *= 1 + _LATER * place / len(nums)
    return total


def smoothed(scores: Mapping[int, float], turns: Mapping[int, Turn]) -> dict[int, float]:
    """Returns the scores with a share of each neighbour's added, a smaller one for a long turn."""
    after = {turn.before: num for num, turn in turns.items() if turn.before is not None}
    total = {}
    for num, score in scores.items():
        turn = turns.get(num)
        beside = _BEFORE * scores.get(turn.before, 0.0) if turn and turn.before else 0.0
        if num in after:
            beside += _AFTER * scores.get(after[num], 0.0)
        if beside:
            score += beside if turn is None or turn.words <= _TERSE else beside * (_TERSE / turn.words)
        total[num] = score
    return total


def wordiness(turns: Mapping[int, Turn]) -> float:
    """Returns how much longer than a terse turn the middle one of these is, at least 1."""
    return max(1.0, median(turn.words for turn in turns.values()) / _TERSE) if turns else 1.0


def in_sessions(scores: Mapping[int, float], turns: Mapping[int, Turn], question: str) -> dict[int, float]:
    """Returns the scores with what session, speaker and form of each turn add."""
    best: dict[tuple[str, str], float] = {}
    for num, score in scores.items():
        turn = turns.get(num)
        if turn is not None and score > best.get(turn.session, 0.0):
            best[turn.session] = score
    asked = set(fold(question).split())
    mine = not asked.isdisjoint(_FIRST_PERSON)
    gains: dict[str, tuple[float, float]] = {}  # speaker -> for being asked about, for being a person
    total = {}
    for num, score in scores.items():
        turn = turns.get(num)
        if turn is not None:
            known = gains.get(turn.speaker)
            if known is None:
                speaker = fold(turn.speaker)
                named = _SPEAKER * (not asked.isdisjoint(speaker.split()))
                known = gains[turn.speaker] = named, _MINE * (mine and speaker != "assistant")
            score += _SESSION * best.get(turn.session, 0.0) + known[0]
            score += known[1]
            if turn.asks:
                score *= _QUESTION
        total[num] = score
    return total
