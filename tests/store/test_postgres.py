"""The PostgreSQL behind a URL: what is refused and how, and what its errors say."""

import builtins
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from factories import HashEncoder, Memories, disagreements  # type: ignore[import-not-found]
from servers import ROLE, Server  # type: ignore[import-not-found]

from tercet.adapters.cli import main
from tercet.sdk import Memory
from tercet.store.errors import InvalidInput, MissingExtra, NewerStore, StoreBusy, StoreError
from tercet.store.postgres import Postgres
from tercet.store.postgres_checks import check_server, pgvector_is_safe
from tercet.store.store import Store

PASSWORD = "hunter2-is-no-password"


@pytest.fixture
def there(server: Server, tmp_path: Path) -> Iterator[Memories]:
    made = Memories(tmp_path, server)
    yield made
    made.close()


def opened(url: str) -> Memory:
    return Memory(url, scope="ada", embedder=None, extractor=None)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"mysql://ada:{PASSWORD}@host/db", "cannot be kept in mysql://"),
        (f"postgresql+asyncpg://ada:{PASSWORD}@host/db", "cannot be kept in postgresql"),
        (f"postgresql://ada:{PASSWORD}@host", "names no database"),
        (f"postgresql://ada:{PASSWORD}@host:port/db", "no URL"),
        ("://", "no URL"),
    ],
)
def test_what_is_no_place_is_refused_without_its_password(url: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as told:
        opened(url)
    assert PASSWORD not in str(told.value)


def test_a_server_that_is_not_there_is_told_without_the_password() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StoreError, match=r"postgresql://ada@127\.0\.0\.1:1/db") as told:
        opened(f"postgresql://ada:{PASSWORD}@127.0.0.1:1/db")
    error: BaseException | None = told.value
    while error:
        assert PASSWORD not in f"{error}{error!r}"
        error = error.__cause__


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    really = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> object:  # noqa: ANN401
        if name.split(".")[0] == "psycopg":
            raise ImportError(name)
        return really(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"tercet\[postgres\]"):
        opened("postgresql://ada@host/db")


@pytest.mark.postgres
def test_another_database_and_another_role_are_told(server: Server) -> None:
    with pytest.raises(StoreError, match='"nothing" does not exist'):
        opened(server.database.replace("/tests?", "/nothing?"))
    with pytest.raises(StoreError, match='"nobody" does not exist'):
        opened(server.database.replace(f"{ROLE}@", "nobody@"))


@pytest.mark.postgres
def test_a_database_without_pgvector_says_what_to_do(server: Server) -> None:
    server.execute("CREATE DATABASE bare")
    server.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
    server.execute(f"ALTER DATABASE bare OWNER TO {ROLE}")
    try:
        with pytest.raises(StoreError, match="as a superuser, in that database: CREATE EXTENSION vector"):
            opened(server.database.replace("/tests?", "/bare?"))
        with pytest.raises(StoreError, match="LATIN1"):
            opened(server.superuser.replace("/tests?", "/latin?"))
        with opened(server.superuser.replace("/tests?", "/bare?")) as made:  # a superuser's needs no help
            made.write("hello")
    finally:
        server.execute("DROP DATABASE bare")
        server.execute("DROP DATABASE latin")


@pytest.mark.postgres
def test_a_newer_memory_is_refused(there: Memories) -> None:
    ada = there()
    with ada._store.database.writing() as connection:
        connection.exec_driver_sql("UPDATE meta SET value = '99' WHERE key = 'version'")
    with pytest.raises(NewerStore, match="version 99"):
        there()


@pytest.mark.postgres
def test_a_url_shows_neither_password_nor_options(server: Server) -> None:
    url = server.url("named").replace(f"{ROLE}:@", f"{ROLE}@").replace(f"{ROLE}@", f"{ROLE}:{PASSWORD}@")
    with opened(url) as ada:
        assert repr(ada).startswith(f"Memory('postgresql://{ROLE}@")
        assert repr(ada).endswith("/tests', scope='ada')")
        assert PASSWORD not in repr(ada)
        ada.write("hello")
    with opened(url.replace("postgresql://", "postgresql+psycopg://")) as same:
        assert [note.text for note in same.notes()] == ["hello"]


@pytest.mark.postgres
def test_a_writer_that_waits_too_long_is_told(there: Memories) -> None:
    ada = there()
    patient = ada._store.database
    impatient = Postgres(str(there.place()), timeout=0.2)
    with patient.writing(), pytest.raises(StoreBusy, match="try again"):
        impatient.writing().__enter__()
    with impatient.writing():
        said: list[str] = []
        thread = threading.Thread(target=_try, args=(impatient, said))
        thread.start()
        thread.join()
    assert "another thread has been writing" in said[0]
    impatient.close()


def _try(database: Postgres, said: list[str]) -> None:
    try:
        with database.writing():
            pass
    except StoreBusy as error:
        said.append(str(error))


@pytest.mark.postgres
def test_more_readers_than_connections_wait_or_are_told(there: Memories) -> None:
    there().write("hello")
    database = Postgres(str(there.place()), timeout=0.2)
    release, inside = threading.Event(), threading.Barrier(17)

    def hold() -> None:
        with database.reading():
            inside.wait(timeout=30)
            release.wait(timeout=30)

    threads = [threading.Thread(target=hold) for _ in range(16)]
    for thread in threads:
        thread.start()
    inside.wait(timeout=30)
    with pytest.raises(StoreBusy, match="16 connections"), database.reading():
        pass
    release.set()
    for thread in threads:
        thread.join()
    with database.reading():
        pass
    database.close()


@pytest.mark.postgres
def test_handles_of_many_scopes_share_their_connections(there: Memories, server: Server) -> None:
    handles = [there(f"user-{number}") for number in range(40)]
    for number, one in enumerate(handles):
        one.write(f"only user {number} knows this")
        assert [note.text for note in one.notes()] == [f"only user {number} knows this"]
    (of_tercet,) = server.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tercet'")
    assert of_tercet <= 8
    for one in handles[:-1]:
        one.close()
        one.close()
    assert len(handles[-1].notes()) == 1


@pytest.mark.postgres
def test_a_reader_keeps_its_view_while_others_write(there: Memories) -> None:
    ada, other = there(), there()
    ada.write("one")
    with ada._store.database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM note").scalar_one() == 1
        other.write("two")
        assert connection.exec_driver_sql("SELECT count(*) FROM note").scalar_one() == 1
    assert len(ada.notes()) == 2


@pytest.mark.postgres
def test_writes_are_durable_though_the_server_was_told_otherwise(there: Memories, server: Server) -> None:
    server.execute(f"ALTER ROLE {ROLE} SET synchronous_commit = off")
    try:
        with there()._store.database.writing() as connection:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"
    finally:
        server.execute(f"ALTER ROLE {ROLE} RESET synchronous_commit")


@pytest.mark.postgres
def test_a_connection_lost_between_two_reads_is_not_noticed(there: Memories, server: Server) -> None:
    ada = there()
    ada.write("hello")
    server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tercet'")
    assert [note.text for note in ada.notes()] == ["hello"]
    server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tercet'")
    ada.write("world")
    assert disagreements(ada._store) == []


def findings(url: str) -> Mapping[str, tuple[str, str]]:
    return {one.check: (one.level, one.detail) for one in check_server(url)}


@pytest.mark.postgres
def test_a_doctor_finds_a_whole_memory_whole(there: Memories, server: Server) -> None:
    ada = there()
    notes = ada.write_many([{"text": f"Ada likes pear{n}", "facts": [("Ada", "knows", "Mia")]} for n in range(20)])
    ada._store.keys_values(HashEncoder()).records(notes[:3])
    found = findings(str(there.place()))
    assert {level for level, _ in (*found.values(),)} <= {"ok", "fail"}
    assert {name for name, (level, _) in found.items() if level == "fail"} == {"server"}  # fsync is off in these tests
    assert "fsync is off" in found["server"][1]
    assert found["role"][0] == found["row-level security"][0] == "ok"
    as_superuser = findings(str(there.place()).replace(f"{ROLE}@", "postgres@"))
    assert as_superuser["role"][0] == "warn"
    assert "superuser" in as_superuser["role"][1]


DAMAGES = {
    "words": "DELETE FROM words_posting WHERE num = 3",
    "triplets": "UPDATE full_text SET rows = rows + 1 WHERE name = 'fact_words'",
    "vectors": "DELETE FROM embedding WHERE note = 2",
    "keys-values": "UPDATE blob SET data = 'x'",
    "row-level security": "ALTER TABLE mention NO FORCE ROW LEVEL SECURITY",
    "database": "DELETE FROM change WHERE seq = 4",
}


@pytest.mark.postgres
@pytest.mark.parametrize("what", DAMAGES)
def test_a_doctor_finds_what_was_damaged(there: Memories, what: str) -> None:
    ada = there()
    notes = ada.write_many([{"text": f"Ada likes pear{n}", "facts": [("Ada", "knows", "Mia")]} for n in range(5)])
    ada._store.keys_values(HashEncoder()).records(notes[:3])
    with ada._store.database.writing() as connection:
        connection.exec_driver_sql(DAMAGES[what])
    wrong = {name for name, (level, _) in findings(str(there.place())).items() if level != "ok"}
    assert wrong == {what, "server"}


@pytest.mark.postgres
def test_a_doctor_says_of_an_empty_database_that_there_is_no_memory(there: Memories) -> None:
    assert findings(str(there.place("empty")))["memory"][0] == "warn"
    assert findings("postgresql://ada@127.0.0.1:1/db")["database"][0] == "fail"
    assert findings("mysql://ada@host/db")["database"][0] == "fail"


@pytest.mark.parametrize(
    ("version", "safe"), [("0.6.2", False), ("0.8.1", False), ("0.8.3", False), ("0.8.4", True), ("1.0.0", True)]
)
def test_versions_of_pgvector(version: str, safe: bool) -> None:
    assert pgvector_is_safe(version) is safe


def run(place: str, verb: str, *words: str) -> Any:  # noqa: ANN401
    done = CliRunner().invoke(main, [verb, "--memory", place, "--scope", "ada", "--no-vectors", "--json", *words])
    assert PASSWORD not in done.output + done.stderr
    return done


@pytest.mark.postgres
def test_every_command_takes_a_url(there: Memories, server: Server) -> None:
    place = server.url("shell").replace(f"{ROLE}@", f"{ROLE}:{PASSWORD}@")
    id = json.loads(run(place, "write", "Ada lives in Lisbon").output)["id"]
    assert "Lisbon" in run(place, "read", "Where does Ada live?").output
    assert id in run(place, "list").output
    assert run(place, "stats").exit_code == 0
    assert "row-level security" in run(place, "doctor").output
    assert run(place, "forget", id, "--yes").exit_code == 0
    assert run(place, "doctor", "--erase").exit_code == 1  # fsync is off in these tests
    wrong = run(place.replace("/tests?", "/nothing?"), "list")
    assert wrong.exit_code == 1
    assert "does not exist" in wrong.stderr


@pytest.mark.postgres
def test_a_store_of_no_scope_reads_all(there: Memories) -> None:
    for scope in ("ada", "eve"):
        there(scope).write(f"of {scope}")
    store = Store(str(there.place()), embedder=None, extractor=None)
    assert _texts(store) == ["of ada", "of eve"]
    store.close()


def _texts(store: Store) -> Sequence[str]:
    return [note.text for note in store.notes.select()]
