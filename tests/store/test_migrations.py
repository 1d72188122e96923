"""Numbered steps: a fresh store, one opened again, one of a later version, one whose version is no number."""

import gzip
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from factories import HashEmbedder, Memories, PatternExtractor, disagreements  # type: ignore[import-not-found]
from sqlalchemy import Connection

from tercet.sdk import Memory
from tercet.store import migrations, store
from tercet.store.errors import NewerStore, StoreDamaged
from tercet.store.migrations import STEPS, VERSION, migrate, version_of


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name in ("memory.db", "memory.db-wal")}


def set_version(folder: Path, version: str) -> None:
    with closing(sqlite3.connect(folder / "memory.db")) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'version'", (version,))
        connection.commit()


@pytest.fixture
def folder(memory: Memories) -> Path:
    """A closed store with one note."""
    with memory() as ada:
        ada.write("one apple")
    home: Path = memory.home
    return home / "memory"


def test_a_fresh_store_has_todays_tables(memory: Memories) -> None:
    with memory()._store.database.reading() as connection:
        assert version_of(connection) == VERSION
        names = {row[0] for row in connection.exec_driver_sql("SELECT name FROM sqlite_master")}
    assert {"note", "change", "words", "fact_words", "words_source", "embedding", "triplet", "mention"} <= names


def test_opening_again_changes_nothing(memory: Memories, folder: Path) -> None:
    before = contents(folder)
    for _ in range(3):
        with memory() as ada:
            assert [note.text for note in ada.notes()] == ["one apple"]
    assert contents(folder)["memory.db"] == before["memory.db"]


@pytest.mark.parametrize("ahead", [1, 1000])
def test_a_later_version_is_refused_and_not_touched(memory: Memories, folder: Path, ahead: int) -> None:
    later = VERSION + ahead
    set_version(folder, str(later))
    before = contents(folder)
    with pytest.raises(NewerStore, match=f"version {later}, .* up to {VERSION}; upgrade with"):
        memory()
    assert contents(folder) == before
    set_version(folder, str(VERSION))
    assert [note.text for note in memory().notes()] == ["one apple"]


@pytest.mark.parametrize("version", ["", "abc", "-1", "1.5"])
def test_a_version_that_is_no_number_is_damage(memory: Memories, folder: Path, version: str) -> None:
    set_version(folder, version)
    before = contents(folder)
    with pytest.raises(StoreDamaged, match="version"):
        memory()
    assert contents(folder) == before


def test_a_version_that_is_missing_is_damage(memory: Memories, folder: Path) -> None:
    with closing(sqlite3.connect(folder / "memory.db")) as connection:
        connection.execute("DELETE FROM meta WHERE key = 'version'")
        connection.commit()
    with pytest.raises(StoreDamaged, match="version"):
        memory()


def know(monkeypatch: pytest.MonkeyPatch, steps: Mapping[int, Callable[[Connection], None]]) -> None:
    """Lets Tercet know these steps."""
    monkeypatch.setattr(migrations, "STEPS", steps)
    for module in (migrations, store):
        monkeypatch.setattr(module, "VERSION", max(steps))


@pytest.fixture
def more_steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two more migrations than today's."""
    taken: list[str] = []

    def one(connection: Connection) -> None:
        taken.append("one")
        connection.exec_driver_sql("CREATE TABLE later (x)")

    def two(connection: Connection) -> None:
        taken.append("two")
        connection.exec_driver_sql("INSERT INTO later SELECT count(*) FROM note")

    know(monkeypatch, {**STEPS, VERSION + 1: one, VERSION + 2: two})
    return taken


def test_an_older_store_is_brought_up_to_date_once(memory: Memories, folder: Path, more_steps: list[str]) -> None:
    for _ in range(2):
        with memory() as ada:
            assert [note.text for note in ada.notes()] == ["one apple"]
            with ada._store.database.reading() as connection:
                assert connection.exec_driver_sql("SELECT x FROM later").all() == [(1,)]
                assert version_of(connection) == VERSION + 2
            assert disagreements(ada._store) == []
    assert more_steps == ["one", "two"]


def test_a_step_that_fails_takes_all_back(
    memory: Memories, folder: Path, more_steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE broken (x)")
        raise OSError("the power went")

    know(monkeypatch, {**migrations.STEPS, VERSION + 3: broken})
    with pytest.raises(OSError, match="the power went"):
        memory()
    know(monkeypatch, STEPS)
    with memory() as ada:
        with ada._store.database.reading() as connection:
            assert version_of(connection) == VERSION
            names = {row[0] for row in connection.exec_driver_sql("SELECT name FROM sqlite_master")}
        assert not names & {"later", "broken"}
        assert [note.text for note in ada.notes()] == ["one apple"]


def test_migrating_again_is_nothing(memory: Memories) -> None:
    database = memory()._store.database
    with database.writing() as connection:
        migrate(connection)
        assert version_of(connection) == VERSION


RELEASED = Path(__file__).parent / "released"


def schema_of(folder: Path) -> set[tuple[str, str]]:
    """Every table and index with its columns, however their statements are spelt."""
    with closing(sqlite3.connect(folder / "memory.db")) as connection:
        found = connection.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
        return {
            (
                name,
                str(
                    sorted(
                        row[1:4]
                        for row in connection.execute(f"PRAGMA {'table' if kind != 'index' else kind}_info({name})")
                    )
                ),
            )
            for kind, name in found
        }


@pytest.mark.parametrize("version", [1])
def test_a_store_of_every_released_version_opens_and_loses_nothing(
    memory: Memories, tmp_path: Path, version: int
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    (old / "memory.db").write_bytes(gzip.decompress((RELEASED / f"v{version}.db.gz").read_bytes()))
    with Memory(old, scope="ada", embedder=HashEmbedder(), extractor=PatternExtractor()) as ada:
        exported = (RELEASED / f"v{version}.jsonl").read_text().splitlines()
        assert list(ada.export())[1:] == exported[1:]  # the first line names the format
        assert disagreements(ada._store) == []
        assert [one.note.text for one in ada.read("Who is Mia's parent?", k=1)] == ["Mia is Ada's daughter."]
        fresh = memory()
        fresh.import_(exported)
        assert list(fresh.export()) == list(ada.export())
        assert schema_of(old) == schema_of(memory.home / "memory")
