"""How far each form has come: the number of the last change it has seen, kept beside its rows."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from .database import Database
from .schema import form

__all__ = ["applied", "reach"]


def applied(database: Database, name: str) -> int:
    """Returns the number of the last change a form has seen, 0 for one that was never filled."""
    with database.reading() as connection:
        return connection.scalar(select(form.c.applied).where(form.c.name == name)) or 0


def reach(database: Database, names: Iterable[str], seq: int) -> None:
    """Notes, in the transaction that changed the forms, which change they have seen."""
    with database.reading() as connection:
        for name in names:
            if not connection.execute(form.update().where(form.c.name == name).values(applied=seq)).rowcount:
                connection.execute(form.insert().values(name=name, applied=seq))
