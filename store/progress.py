"""How far each form has come: the number of the last change it has seen, kept beside its rows."""

from __future__ import annotations

from collections.abc import Sequence

from .database import Database
from .schema import form
from .statements import insert, rows, run

__all__ = ["applied", "positions", "reach"]


def positions(database: Database) -> dict[str, int]:
    """Returns, per form that was ever filled, the number of the last change it has seen."""
    with database.reading() as connection:
        return dict(rows(connection, "SELECT name, applied FROM form"))


def applied(database: Database, name: str) -> int:
    """Returns the number of the last change a form has seen, 0 for one that was never filled."""
    return positions(database).get(name, 0)


def reach(database: Database, names: Sequence[str], seq: int) -> None:
    """Notes, in the transaction that changed the forms, which change they have seen."""
    listed = ", ".join("?" * len(names))
    with database.reading() as connection:
        moved = run(connection, f"UPDATE form SET applied = ? WHERE name IN ({listed})", seq, *names)
        if moved < len(names):
            new = set(names) - positions(database).keys()
            insert(connection, form, ("name", "applied"), [(name, seq) for name in sorted(new)])
