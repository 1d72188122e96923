"""What a dialogue adds to a ranking: neighbours, sessions, speakers.

The words of a question often stand in one turn and its answer in the next; what was talked about together belongs
together; a question that names a speaker asks for what that one said; and a short question rarely is an answer. Each
step was measured alone on LoCoMo's open dialogues, and each weight stands on a plateau (docs/recall.md).
"""

from __future__ import annotations

from collections.abc import Mapping

from ..store.names import fold
from ..store.notes import Turn

__all__ = ["in_sessions", "smoothed"]

_BEFORE, _AFTER = 0.25, 0.2  # share of the score of the turn before, and of the turn after
_SESSION = 0.3  # share of the best score of the same session
_SPEAKER = 0.1
_QUESTION = 0.75  # factor of a short question


def smoothed(scores: Mapping[int, float], turns: Mapping[int, Turn]) -> dict[int, float]:
    """Returns the scores with a share of each neighbour's added."""
    after = {turn.before: num for num, turn in turns.items() if turn.before is not None}
    total = {}
    for num, score in scores.items():
        before = turns[num].before if num in turns else None
        total[num] = score + _BEFORE * scores.get(before or 0, 0.0) + _AFTER * scores.get(after.get(num, 0), 0.0)
    return total


def in_sessions(scores: Mapping[int, float], turns: Mapping[int, Turn], question: str) -> dict[int, float]:
    """Returns the scores with what session, speaker and form of each turn add."""
    best: dict[tuple[str, str], float] = {}
    for num, score in scores.items():
        if num in turns:
            session = turns[num].session
            best[session] = max(best.get(session, 0.0), score)
    asked = set(fold(question).split())
    total = {}
    for num, score in scores.items():
        turn = turns.get(num)
        if turn:
            named = not asked.isdisjoint(fold(turn.speaker).split())
            score = (score + _SESSION * best[turn.session] + _SPEAKER * named) * (_QUESTION if turn.asks else 1.0)
        total[num] = score
    return total
