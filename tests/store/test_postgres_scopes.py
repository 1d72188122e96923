"""Row-level security: what a transaction of one scope asks for in plain SQL, it gets of its own rows only."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from factories import HashEncoder, Memories, disagreements  # type: ignore[import-not-found]
from servers import Server  # type: ignore[import-not-found]

from tercet.sdk import Memory
from tercet.store.postgres import Postgres
from tercet.store.postgres_tables import OPEN
from tercet.store.schema import metadata
from tercet.store.store import Store

pytestmark = pytest.mark.postgres

SCOPES = ("ada", "ada/work", "ada0", "ada-2", "eve")


@pytest.fixture
def opened(server: Server, tmp_path: Path) -> Iterator[Memories]:
    made = Memories(tmp_path, server)
    for scope in SCOPES:
        mine = made(scope)
        first = mine.write(f"secret of {scope} lives in Lisbon", thread="t", key="k", facts=[("Ada", "knows", scope)])
        note = mine.write(f"more of {scope}", thread="t", derived_from=[first.id])
        mine._store.keys_values(HashEncoder()).records([note])
    yield made
    made.close()


def tables(memory: Memory) -> list[str]:
    with memory._store.database.reading() as connection:
        found = connection.exec_driver_sql(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = "
            "quote_ident(current_schema())::regnamespace ORDER BY 1"
        )
        return list(found.scalars())


def counts(memory: Memory) -> dict[str, int]:
    """Rows per table, without any condition."""
    with memory._store.database.reading() as connection:
        return {
            name: connection.exec_driver_sql(f'SELECT count(*) FROM "{name}"').scalar_one()
            for name in tables(memory)
            if name not in OPEN
        }


def test_no_table_shows_the_rows_of_others(opened: Memories) -> None:
    ada, eve, everybody = opened("ada"), opened("eve"), Store(str(opened.place()), embedder=None, extractor=None)
    every = dict.fromkeys(counts(eve), 0)
    with everybody.database.reading() as connection:
        for name in every:
            every[name] = connection.exec_driver_sql(f'SELECT count(*) FROM "{name}"').scalar_one()
    filled = {name for name, count in every.items() if count}
    assert filled >= {"note", "change", "embedding", "triplet", "mention", "record", "blob", "derived"}
    assert filled >= {f"{index}_{kept}" for index in ("words", "fact_words") for kept in ("posting", "document")}
    seen, hers = counts(eve), counts(ada)
    for name in filled:
        assert 0 < seen[name] < hers[name] < every[name], name  # ada sees ada/work too, neither sees ada0 or ada-2
    everybody.close()


def test_every_table_is_held_to_the_scope_or_named_as_open(opened: Memories) -> None:
    ada = opened("ada")
    with ada._store.database.reading() as connection:
        held = dict(
            connection.exec_driver_sql(
                "SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class WHERE relkind = 'r' "
                "AND relnamespace = quote_ident(current_schema())::regnamespace"
            ).all()
        )
    assert {name for name, is_held in held.items() if not is_held} == set(OPEN)
    assert set(metadata.tables) <= set(held)


def test_words_of_others_are_seen_in_no_open_table(opened: Memories) -> None:
    eve = opened("eve")
    with eve._store.database.reading() as connection:
        for name in OPEN:
            told = str(connection.exec_driver_sql(f'SELECT * FROM "{name}"').all())
            assert "ada" not in told
            assert "Lisbon" not in told


def test_a_view_shows_no_more_than_its_tables(opened: Memories) -> None:
    with opened("eve")._store.database.reading() as connection:
        told = connection.exec_driver_sql("SELECT body FROM words_source").scalars().all()
    assert sorted(told) == ["more of eve", "secret of eve lives in Lisbon"]


def test_without_a_scope_nothing_is_seen(opened: Memories, server: Server) -> None:
    database = opened("ada")._store.database
    assert isinstance(database, Postgres)
    with database.alone() as connection:
        connection.exec_driver_sql("SELECT set_config('tercet.scope', '', false)")
        assert connection.exec_driver_sql("SELECT count(*) FROM note").scalar_one() == 0
    psycopg = pytest.importorskip("psycopg")
    with (
        psycopg.connect(opened.place()) as connection,
        pytest.raises(psycopg.errors.UndefinedObject, match=r"tercet\.scope"),
    ):
        connection.execute("SELECT count(*) FROM note")


def test_a_reader_writes_nothing_and_a_scope_writes_no_row_of_another(opened: Memories) -> None:
    database = opened("eve")._store.database
    assert isinstance(database, Postgres)
    with pytest.raises(Exception, match="read-only"), database.reading() as connection:
        connection.exec_driver_sql("DELETE FROM note")
    with database.alone() as connection:
        connection.exec_driver_sql("BEGIN; SET LOCAL tercet.scope = 'eve'")
        assert connection.exec_driver_sql("UPDATE note SET text = 'x' WHERE scope <> 'eve'").rowcount == 0
        assert connection.exec_driver_sql("DELETE FROM change WHERE scope <> 'eve'").rowcount == 0
        connection.exec_driver_sql("ROLLBACK")


def test_what_keeps_the_store_in_order_sees_every_scope(opened: Memories) -> None:
    blind = opened("eve", embedder=None)
    blind.write("eve wrote this without vectors")
    ada = opened("ada")  # has an embedder: catches up for all
    assert disagreements(ada._store) == []
    assert ada.stats().change == blind.stats().change == 11
    assert ada.stats().forms["vectors"].count == 11
    ada.rebuild()
    assert disagreements(ada._store) == []
    assert [r.note.text for r in opened("eve").read("wrote without", k=1)] == ["eve wrote this without vectors"]


def test_the_view_is_that_of_the_scope_again_after_it_was_wider(opened: Memories) -> None:
    database = opened("eve")._store.database
    with database.reading() as connection:
        own = connection.exec_driver_sql("SELECT count(*) FROM note").scalar_one()
        with database.overseeing():
            assert connection.exec_driver_sql("SELECT count(*) FROM note").scalar_one() == 5 * own
            with database.overseeing(), database.reading() as same:
                assert same is connection
        assert connection.exec_driver_sql("SELECT count(*) FROM note").scalar_one() == own == 2
    with database.overseeing(), database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM note").scalar_one() == 10
    with database.reading() as connection:
        with pytest.raises(ZeroDivisionError), database.overseeing():
            raise ZeroDivisionError
        assert connection.exec_driver_sql("SELECT count(*) FROM note").scalar_one() == 2


def test_a_table_of_a_later_version_is_held_to_the_scope_too(server: Server, tmp_path: Path) -> None:
    made = Memories(tmp_path, server)
    with made("ada")._store.database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE alias")
        connection.exec_driver_sql("UPDATE meta SET value = '2' WHERE key = 'version'")
    with made("ada")._store.database.reading() as connection:
        held = "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = 'alias'::regclass"
        assert connection.exec_driver_sql(held).scalar_one()
        assert connection.exec_driver_sql("SELECT value FROM meta WHERE key = 'version'").scalar_one() != "2"
    made.close()
