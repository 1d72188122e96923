"""Whether the rows of forms say what the notes say, one by one, as far as it takes no extractor to tell."""

from __future__ import annotations

import json
from collections import defaultdict

from sqlalchemy import Connection

from .names import fold
from .statements import rows

__all__ = ["notes_with_other_mentions", "notes_with_other_triplets", "notes_without_vector"]

_BATCH = 500


def notes_with_other_triplets(connection: Connection) -> int:
    """Returns how many notes state facts that their rows do not, or have rows that are not compared as they read."""
    wrong = last = 0
    batch = "SELECT num, happened, facts FROM note WHERE num > ? ORDER BY num LIMIT ?"
    of_batch = (
        "SELECT note, subject, relation, object, valid_from, valid_to, extractor, s, r, o FROM triplet "
        "WHERE note BETWEEN ? AND ?"
    )
    while notes := rows(connection, batch, last, _BATCH):
        stored: dict[int, list[tuple[str, ...]]] = defaultdict(list)
        misread = set()
        for num, *said, extractor, s, r, o in rows(connection, of_batch, notes[0][0], notes[-1][0]):
            if extractor == "given":
                stored[num].append(tuple(said))
            if (s, r, o) != tuple(map(_compared, said[:3])):
                misread.add(num)
        for num, happened, facts in notes:
            stated = [
                (f["subject"], f["relation"], f["object"], f.get("valid_from") or happened, f.get("valid_to", ""))
                for f in json.loads(facts)
            ]
            wrong += num in misread or sorted(stated) != sorted(stored[num])
        last = notes[-1][0]
    return wrong


def notes_with_other_mentions(connection: Connection) -> int:
    """Returns how many notes lack a mention of what their facts are about, or have one under another name."""
    side = "NOT EXISTS (SELECT 1 FROM mention m WHERE m.note = t.note AND m.name = t.{})"
    lacking = f"SELECT DISTINCT t.note FROM triplet t WHERE {side.format('s')} OR {side.format('o')}"
    wrong = {num for (num,) in rows(connection, lacking)}
    wrong |= {
        num
        for num, name, surface in rows(connection, "SELECT note, name, surface FROM mention")
        if name != _compared(surface)
    }
    return len(wrong)


def notes_without_vector(connection: Connection) -> int:
    """Returns how many notes have no vector."""
    lacking = "SELECT count(*) FROM note WHERE NOT EXISTS (SELECT 1 FROM embedding WHERE embedding.note = note.num)"
    return int(rows(connection, lacking)[0][0])


def _compared(name: str) -> str:
    return fold(name) or name.strip()
