from __future__ import annotations

import os
import sqlite3
from functools import partialmethod
from pathlib import Path

import pytest

from tercet import Memory
from tercet.store import checks
from tercet.store.checks import Finding, check_machine, check_store, empty_log, filesystem_of, wal_is_safe
from tercet.store.errors import StoreDamaged
from tercet.store.sqlite import SQLite


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Memory(tmp_path / "m", scope="ada", embedder=None) as memory:
        memory.write_many([{"text": f"note {n}", "facts": [("Ada", "said", f"thing {n}")]} for n in range(5)])
    return tmp_path / "m"


def change(folder: Path, statement: str) -> None:
    connection = sqlite3.connect(folder / "memory.db")
    connection.execute(statement)
    connection.commit()
    connection.close()


def levels(found: list[Finding]) -> dict[str, str]:
    return {one.check: one.level for one in found}


def test_a_sound_store_is_sound_and_stays_as_it_is(folder: Path) -> None:
    before = (folder / "memory.db").read_bytes()
    found = check_store(folder)
    assert set(levels(found).values()) <= {"ok", "warn"}
    assert levels(found) == levels(check_store(folder))
    assert [one.detail for one in found if one.check == "notes"] == ["5, 5 changes"]
    assert (folder / "memory.db").read_bytes() == before


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        ("INSERT INTO words(words) VALUES('delete-all')", "words"),
        ("UPDATE note SET text = 'other words' WHERE num = 2", "words"),
        ("INSERT INTO fact_words(fact_words) VALUES('delete-all')", "triplets"),
        ("DELETE FROM triplet WHERE num = 1", "triplets"),
        ("UPDATE form SET applied = 1 WHERE name = 'graph'", "graph"),
        ("UPDATE form SET applied = 1 WHERE name = 'words'", "words"),
        ("UPDATE mention SET note = 99 WHERE note = 1", "database"),
        ("UPDATE meta SET value = '999' WHERE key = 'version'", "database"),
        ("INSERT INTO meta VALUES ('embedder', 'some/8'); ", "vectors"),
    ],
)
def test_every_damage_is_found(folder: Path, damage: str, check: str) -> None:
    change(folder, damage)
    if check == "vectors":
        change(folder, "INSERT OR REPLACE INTO form VALUES ('vectors', 5)")
    found = {one.check: one for one in check_store(folder)}
    assert found[check].level == "fail", found[check]
    assert found[check].detail


def test_torn_pages_are_found(folder: Path) -> None:
    data = bytearray((folder / "memory.db").read_bytes())
    for page in range(2, len(data) // 4096):
        data[page * 4096 + 8 : page * 4096 + 400] = os.urandom(392)
    (folder / "memory.db").write_bytes(data)
    assert levels(check_store(folder))["database"] == "fail"


def test_text_that_is_none_is_damage(folder: Path) -> None:
    change(folder, "UPDATE note SET text = CAST(x'41ff64fe' AS TEXT) WHERE num = 1")
    with pytest.raises(StoreDamaged, match="decode"), Memory(folder, scope="ada", embedder=None) as memory:
        list(memory.notes())
    assert levels(check_store(folder))["words"] == "fail"


def test_a_schema_that_is_no_text_is_damage(folder: Path) -> None:
    named = sqlite3.connect(folder / "memory.db", isolation_level=None)
    named.execute("PRAGMA writable_schema = ON")
    named.execute("UPDATE sqlite_master SET name = CAST(x'6e6fff7465' AS TEXT) WHERE type = 'index'")
    named.close()
    with pytest.raises(StoreDamaged), Memory(folder, scope="ada", embedder=None) as memory:
        list(memory.notes())
    assert levels(check_store(folder))["database"] == "fail"


def test_what_a_caller_cannot_decode_is_no_damage(folder: Path) -> None:
    with pytest.raises(UnicodeDecodeError), SQLite(folder).reading():
        b"\xff".decode()


def test_vectors_that_lag_behind_are_a_warning(folder: Path) -> None:
    change(folder, "INSERT INTO meta VALUES ('embedder', 'some/8')")
    assert levels(check_store(folder))["vectors"] == "warn"


def test_missing_files_of_explicit_memories_are_a_warning(folder: Path) -> None:
    change(folder, "INSERT INTO record VALUES (1, 'model', 'gone.safetensors', 'x', 10, 0)")
    assert levels(check_store(folder))["keys-values"] == "warn"


@pytest.mark.skipif(os.name != "posix", reason="modes of files are those of POSIX")
def test_a_folder_open_to_others_is_told(folder: Path, tmp_path: Path) -> None:
    for mode, level in ((0o700, "ok"), (0o750, "warn"), (0o707, "fail"), (0o722, "fail")):
        folder.chmod(mode)
        assert levels(check_store(folder))["files"] == level
    folder.chmod(0o700)
    (tmp_path / "link").symlink_to(folder)
    assert levels(check_store(tmp_path / "link")) == {"files": "fail", "file system": "ok"}


def test_the_log_is_emptied_unless_somebody_reads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SQLite, "__init__", partialmethod(SQLite.__init__, timeout=0.2))
    reader = sqlite3.connect(folder / "memory.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM note").fetchone()
    assert empty_log(folder).level == "fail"
    reader.close()
    assert empty_log(folder).level == "ok"


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 0), False),
        ((3, 46, 1), False),
        ((3, 50, 4), False),
        ((3, 50, 7), True),
        ((3, 51, 0), False),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 54, 1), True),
    ],
)
def test_versions_of_sqlite(version: tuple[int, ...], safe: bool) -> None:
    assert wal_is_safe(version) is safe


def test_the_machine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 40, 1))
    assert levels(check_machine()) == {"sqlite": "warn", "faiss": "ok"}
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 3))
    assert levels(check_machine()) == {"sqlite": "ok", "faiss": "ok"}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/ada/m", "ext4"),
        ("/mnt/share/m", "nfs4"),
        ("/mnt/my disk/m", "cifs"),
        ("/mnt/shareholders", "ext4"),
        ("/mnt/c/Users", "9p"),
    ],
)
def test_the_file_system_of_a_path(path: str, kind: str) -> None:
    mounts = (
        "/dev/sda1 / ext4 rw 0 0\n"
        "server:/x /mnt/share nfs4 rw 0 0\n"
        "//nas/x /mnt/my\\040disk cifs rw 0 0\n"
        "drvfs /mnt/c 9p rw 0 0\n"
    )
    assert filesystem_of(Path(path), mounts) == kind
    assert filesystem_of(Path(path), "") == ""


def test_network_file_systems_are_a_warning(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, level in (("nfs4", "warn"), ("fuse.sshfs", "warn"), ("9p", "warn"), ("ext4", "ok"), ("fuse.ext2", "ok")):
        monkeypatch.setattr(checks, "filesystem_of", lambda path, mounts, kind=kind: kind)
        assert levels(check_store(folder))["file system"] == level
