"""The file: who may enter its folder, which settings are in force, what its errors say."""

import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from factories import HashEncoder, Memories  # type: ignore[import-not-found]

from tercet.sdk import Memory
from tercet.store.errors import InvalidInput, StoreBusy, StoreDamaged, StoreError, TercetError
from tercet.store.sqlite import SQLite

posix = pytest.mark.skipif(os.name != "posix", reason="modes and links of files are those of POSIX")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SQLite]:
    opened = SQLite(tmp_path / "memory")
    with opened.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE t (n INTEGER PRIMARY KEY)")
    yield opened
    opened.close()


def numbers(database: SQLite) -> list[int]:
    with database.reading() as connection:
        return [row[0] for row in connection.exec_driver_sql("SELECT n FROM t ORDER BY n")]


@posix
def test_only_its_owner_may_enter(memory: Memories) -> None:
    ada = memory()
    note = ada.write("secret")
    ada._store.keys_values(HashEncoder()).records([note])
    ada.read("secret")
    folder = memory.home / "memory"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.rglob("*")]}
    assert {modes.pop("memory"), modes.pop("records")} == {0o700}
    assert set(modes.values()) == {0o600}
    assert {"memory.db", "memory.db-wal", "memory.db-shm", "writer.lock"} < modes.keys()


@posix
def test_the_mode_does_not_depend_on_the_umask(memory: Memories) -> None:
    before = os.umask(0)
    try:
        memory().write("secret")
    finally:
        os.umask(before)
    folder = memory.home / "memory"
    assert all(not stat.S_IMODE(path.stat().st_mode) & 0o077 for path in [folder, *folder.rglob("*")])


@posix
@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("link", "is a link"),
        ("dangling", "is a link"),
        ("file", "is a file"),
        ("world", "writable by everybody"),
        ("linked file", "is a link"),
        ("inside a file", "Not a directory"),
        ("a folder for a file", "cannot be the folder"),
    ],
)
def test_an_unsafe_place_is_refused_and_left_alone(memory: Memories, what: str, said: str) -> None:
    place, other = memory.home / "memory", memory.home / "other"
    if what == "link":
        other.mkdir()
        place.symlink_to(other)
    elif what == "dangling":
        place.symlink_to(other)
    elif what == "file":
        place.write_text("mine")
    elif what == "world":
        place.mkdir()
        place.chmod(0o777)
    elif what == "linked file":
        place.mkdir(mode=0o700)
        other.write_bytes(b"")
        (place / "memory.db").symlink_to(other)
    elif what == "inside a file":
        other.write_text("mine")
    else:
        (place / "memory.db").mkdir(parents=True)
    with pytest.raises(InvalidInput, match=said):
        memory(folder="other/memory" if what == "inside a file" else "memory")
    if other.is_file():
        assert other.read_text() in ("", "mine")
    if other.is_dir():
        assert list(other.iterdir()) == []
    assert not (what == "dangling" and other.exists())


@pytest.mark.parametrize("name", ["a\x00b", "\ud800", "x" * 300])
def test_a_name_that_no_folder_can_have_is_refused(memory: Memories, name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be the folder"):
        memory(folder=name)


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_refused(memory: Memories) -> None:
    place = memory.home / "memory"
    place.mkdir(mode=0o500)
    with pytest.raises(InvalidInput, match="Permission denied"):
        memory()


@pytest.mark.parametrize("content", [b"garbage" * 1000, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_named_and_left_alone(memory: Memories, content: bytes) -> None:
    place = memory.home / "memory"
    place.mkdir(mode=0o700)
    (place / "memory.db").write_bytes(content)
    with pytest.raises(StoreDamaged, match=r"memory\.db: .*restore"):
        memory()
    assert (place / "memory.db").read_bytes() == content


def test_a_damaged_database_says_so(memory: Memories) -> None:
    ada = memory()
    ada.write_many([f"apple {n}" for n in range(300)])
    ada.close()
    place = memory.home / "memory" / "memory.db"
    data = bytearray(place.read_bytes())
    data[4096 : len(data) - 4096] = bytes(len(data) - 8192)
    place.write_bytes(data)
    with pytest.raises(TercetError, match="restore"), memory() as again:
        again.notes()


def test_the_settings_are_in_force_in_every_connection(database: SQLite) -> None:
    expected = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "secure_delete": 1,
        "wal_autocheckpoint": 0,
        "busy_timeout": 20_000,
    }

    def settings() -> dict[str, object]:
        with database.reading() as connection:
            return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in expected}

    seen = [settings()]
    database.checkpoint()
    threads = [threading.Thread(target=lambda: seen.append(settings())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.writing():
        seen.append(settings())
    assert seen == [expected] * 6


def test_a_write_is_all_or_nothing(database: SQLite) -> None:
    def interrupted() -> None:
        with database.writing() as connection:
            connection.exec_driver_sql("INSERT INTO t VALUES (1)")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert numbers(database) == []
    with database.writing() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (2)")
    assert numbers(database) == [2]


def test_a_write_inside_a_write_joins_it(database: SQLite) -> None:
    def interrupted() -> None:
        with database.writing() as outer:
            with database.writing() as inner:
                assert inner is outer
                inner.exec_driver_sql("INSERT INTO t VALUES (1)")
            assert numbers(database) == [1]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert numbers(database) == []


def test_a_write_inside_a_read_is_a_mistake(database: SQLite) -> None:
    with database.reading(), pytest.raises(RuntimeError, match="inside a read"), database.writing():
        raise AssertionError("never reached")


def test_a_read_keeps_its_view(database: SQLite) -> None:
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM t").scalar() == 0
        writer = threading.Thread(target=_insert, args=(database, 1))
        writer.start()
        writer.join()
        assert connection.exec_driver_sql("SELECT count(*) FROM t").scalar() == 0
    assert numbers(database) == [1]


def _insert(database: SQLite, number: int) -> None:
    with database.writing() as connection:
        connection.exec_driver_sql(f"INSERT INTO t VALUES ({number})")


def test_a_thread_that_waits_too_long_is_told(tmp_path: Path, database: SQLite) -> None:
    impatient = SQLite(tmp_path / "memory", timeout=0.2)
    for waiting in (impatient, database):
        waiting._timeout = 0.2
        with database.exclusive():
            said: list[str] = []
            thread = threading.Thread(target=_try, args=(waiting, said))
            thread.start()
            thread.join()
        assert "for over 0.2 s; try again" in said[0]
    impatient.close()


def _try(database: SQLite, said: list[str]) -> None:
    try:
        _insert(database, 1)
    except StoreBusy as error:
        said.append(str(error))


def test_another_program_that_locks_the_file_is_named(tmp_path: Path, database: SQLite) -> None:
    other = sqlite3.connect(database.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    impatient = SQLite(tmp_path / "memory", timeout=0.2)
    with pytest.raises(StoreBusy, match=r"memory\.db locked"):
        _insert(impatient, 1)
    other.close()
    _insert(impatient, 2)
    impatient.close()
    assert numbers(database) == [2]


def test_a_full_disk_is_told_and_changes_nothing(database: SQLite) -> None:
    with database.reading() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()

    def fill() -> None:
        with database.writing() as connection:
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
            connection.exec_driver_sql("INSERT INTO t VALUES (1)")
            connection.exec_driver_sql("CREATE TABLE big AS SELECT zeroblob(1000000)")

    with pytest.raises(StoreError, match="full; nothing was changed"):
        fill()
    assert numbers(database) == []


def test_the_log_does_not_grow_for_ever(tmp_path: Path, database: SQLite) -> None:
    log = tmp_path / "memory" / "memory.db-wal"
    with database.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE big (x)")
    for _ in range(30):
        with database.writing() as connection:
            connection.exec_driver_sql("INSERT INTO big VALUES (zeroblob(1000000))")
            connection.exec_driver_sql("DELETE FROM big")
    assert log.stat().st_size < 12_000_000
    assert database.checkpoint() == (0, 0, 0)
    assert log.stat().st_size == 0


def test_a_reader_cannot_hold_up_a_checkpoint_or_a_close_for_long(tmp_path: Path, database: SQLite) -> None:
    _insert(database, 1)
    reader = sqlite3.connect(database.file, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM t").fetchone() == (1,)
    _insert(database, 2)
    begun = time.perf_counter()
    assert database.checkpoint()[0] == 1
    database.close()
    assert time.perf_counter() - begun < 6
    reader.close()
    assert database.checkpoint() == (0, 0, 0)


def test_the_size_is_that_of_all_files(tmp_path: Path, database: SQLite) -> None:
    (tmp_path / "memory" / "records").mkdir()
    (tmp_path / "memory" / "records" / "x").write_bytes(b"x" * 1000)
    files = [path for path in (tmp_path / "memory").rglob("*") if path.is_file()]
    assert database.size() == sum(path.stat().st_size for path in files) > 1000


def test_a_folder_stays_where_it_was_when_the_program_moves_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Memory("here", scope="ada", embedder=None, extractor=None) as ada:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        threads = [threading.Thread(target=ada.write, args=(f"apple {n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(ada.notes()) == 4
        assert list((tmp_path / "elsewhere").iterdir()) == []


def test_many_handles_are_no_burden(memory: Memories) -> None:
    for n in range(30):
        with memory() as one:
            one.write(f"apple {n}")
    assert isinstance(memory(), Memory)
    assert len(memory().notes()) == 30


def test_a_long_log_is_emptied_and_not_only_rewound(memory: Memories) -> None:
    ada = memory(embedder=None, extractor=None)
    log = memory.home / "memory" / "memory.db-wal"
    ada.write_many(["x" * 400_000] * 30)
    assert log.stat().st_size < 1 << 20
    ada.write("one more")
    assert log.stat().st_size < 1 << 20
