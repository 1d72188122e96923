"""Connections to PostgreSQL: one pool per place and process, however many handles there are."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from .halfvec import Half

__all__ = ["CONNECTIONS", "Pools", "begun"]

CONNECTIONS = 16
"""Most connections of one pool; half of them are kept open."""


@contextmanager
def begun(engine: Engine) -> Iterator[Connection]:
    """Connects and begins; where the pool's connection has been lost meanwhile, once more with a new one."""
    connection = engine.connect()
    try:
        try:
            connection.begin()
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            connection.close()
            connection = engine.connect()
            connection.begin()
        yield connection
    finally:
        connection.close()


class Pools:
    """One pool of connections per place and process: a service has a handle for each of its users."""

    _lock = threading.Lock()
    _known: ClassVar[dict[tuple[URL, float], Engine]] = {}
    _users: ClassVar[Counter[Engine]] = Counter()

    @classmethod
    def begin_anew(cls) -> None:
        """After a fork, in the child: another thread of the parent may have held the lock."""
        cls._lock = threading.Lock()

    @classmethod
    def taken(cls, target: URL, timeout: float) -> Engine:
        """Returns the pool of a place; seconds to wait for one of its connections are part of what it is."""
        with cls._lock:
            if (target, timeout) not in cls._known:
                cls._known[target, timeout] = _engine(target, timeout)
            engine = cls._known[target, timeout]
            cls._users[engine] += 1
            return engine

    @classmethod
    def given_back(cls, engine: Engine) -> None:
        """Closes a pool when its last handle is closed."""
        with cls._lock:
            cls._users[engine] -= 1
            if cls._users[engine] <= 0:
                del cls._users[engine]
                cls._known = {place: kept for place, kept in cls._known.items() if kept is not engine}
                engine.dispose()


def _engine(target: URL, timeout: float) -> Engine:
    engine = create_engine(
        target,
        connect_args={"autocommit": True, "client_encoding": "utf8", "application_name": "tercet"},
        pool_size=CONNECTIONS // 2,
        max_overflow=CONNECTIONS // 2,
        pool_timeout=timeout,
        hide_parameters=True,  # they are what people said
    )

    @event.listens_for(engine, "connect")
    def settings(connection: Any, record: object) -> None:  # noqa: ANN401  (the driver's own connection)
        from psycopg.adapt import Dumper
        from psycopg.pq import Format

        class HalfDumper(Dumper):
            format = Format.BINARY

            def dump(self, obj: Half) -> bytes:
                return obj.wire

        connection.adapters.register_dumper(Half, HalfDumper)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if statement := connection.get_execution_options().get("tercet_begin"):
            connection.exec_driver_sql(statement)

    return engine
