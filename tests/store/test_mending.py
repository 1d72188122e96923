"""Exact disagreement between forms and notes is found, and ``doctor --fix`` mends it without touching a note."""

import sqlite3
from pathlib import Path

import pytest
from factories import Memories  # type: ignore[import-not-found]

from tercet.store.checks import check_store
from tercet.store.mending import mend_permissions

DAMAGE = {
    "a fact of another note": ("triplets", "UPDATE triplet SET note = 1 WHERE note = 2"),
    "a fact under another name": ("triplets", "UPDATE triplet SET s = 'mia' WHERE note = 2"),
    "a fact that nobody stated": ("triplets", "UPDATE triplet SET valid_to = '2020' WHERE note = 2"),
    "a mention that is missing": ("graph", "DELETE FROM mention WHERE note = 2 AND name = 'porto'"),
    "a mention under another name": ("graph", "UPDATE mention SET surface = 'Mia' WHERE note = 2 AND name = 'porto'"),
    "a vector that is missing": ("vectors", "DELETE FROM embedding WHERE note = 2"),
    "words that are missing": ("words", "INSERT INTO words(words) VALUES('delete-all')"),
}


@pytest.mark.sqlite
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_form_that_says_something_else_is_found_and_made_anew(memory: Memories, damage: str) -> None:
    form, statement = DAMAGE[damage]
    folder: Path = memory.home / "memory"
    ada = memory()
    ada.write("it rains")
    ada.write("Ada moved.", facts=[("Ada", "lives in", "Porto")], happened="2024")
    lines = list(ada.export())
    ada.close()
    assert {one.level for one in check_store(folder)} == {"ok"}
    with sqlite3.connect(folder / "memory.db") as connection:
        connection.execute(statement)
    connection.close()
    assert next(one.check for one in check_store(folder) if one.level == "fail") == form
    again = memory()
    again.rebuild(forms=[form])
    assert list(again.export()) == lines
    again.close()
    assert {one.level for one in check_store(folder)} == {"ok"}


@pytest.mark.sqlite
def test_what_others_may_read_is_its_owners_only_afterwards(memory: Memories) -> None:
    memory().write("one")
    folder: Path = memory.home / "memory"
    folder.chmod(0o755)
    (folder / "memory.db").chmod(0o644)
    outside = memory.home / "outside"
    outside.write_text("not ours")
    outside.chmod(0o644)
    (folder / "link").symlink_to(outside)
    assert [one.check for one in mend_permissions(folder)] == ["fix"]
    assert (folder.stat().st_mode & 0o777, (folder / "memory.db").stat().st_mode & 0o777) == (0o700, 0o600)
    assert outside.stat().st_mode & 0o777 == 0o644
    assert list(mend_permissions(folder)) == []
