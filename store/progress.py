"""How far each form has come: the number of the last change it has seen, kept beside its rows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from .database import Database
from .schema import form

__all__ = ["applied", "positions", "reach"]


def positions(database: Database) -> dict[str, int]:
    """Returns, per form that was ever filled, the number of the last change it has seen."""
    with database.reading() as connection:
        rows = connection.execute(select(form.c.name, form.c.applied))
        return {row.name: row.applied for row in rows}


def applied(database: Database, name: str) -> int:
    """Returns the number of the last change a form has seen, 0 for one that was never filled."""
    return positions(database).get(name, 0)


def reach(database: Database, names: Sequence[str], seq: int) -> None:
    """Notes, in the transaction that changed the forms, which change they have seen."""
    with database.reading() as connection:
        moved = connection.execute(form.update().where(form.c.name.in_(names)).values(applied=seq)).rowcount
        if moved < len(names):
            new = set(names) - positions(database).keys()
            connection.execute(form.insert(), [{"name": name, "applied": seq} for name in sorted(new)])
