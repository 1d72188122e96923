"""Names that a person says are one: what is kept, what follows from it, and what takes it back."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from factories import Memories  # type: ignore[import-not-found]
from hypothesis import given
from hypothesis import strategies as st

from tercet.store.aliases import Aliases, SameName, _joined
from tercet.store.errors import InvalidInput
from tercet.store.names import fold


@pytest.fixture
def aliases(memory: Memories) -> Iterator[Aliases]:
    database = memory(embedder=None)._store.database
    with database.writing():
        yield Aliases(database)


def test_saying_it_twice_is_saying_it_once(aliases: Aliases) -> None:
    first = aliases.same("Mia", "Mia Ferreira", scope="ada", seq=1)
    assert aliases.same("mia FERREIRA", "the Mia", scope="ada", seq=9) == first
    assert aliases.said("ada") == [first]
    assert aliases.merged("ada") == {"mia": "Mia", "mia ferreira": "Mia"}


def test_it_is_taken_back(aliases: Aliases) -> None:
    aliases.same("Mia", "Mia Ferreira", scope="ada", seq=1)
    aliases.same("Mia Ferreira", "Ms Ferreira", scope="ada", seq=2)
    with pytest.raises(InvalidInput, match=r"what was said of them: 'Mia' = 'Mia Ferreira', 'Mia Ferreira' = 'Ms"):
        aliases.apart("Mia", "Ms Ferreira", scope="ada")
    aliases.apart("mia ferreira", "MIA", scope="ada")
    assert aliases.merged("ada") == {"mia ferreira": "Mia Ferreira", "ms ferreira": "Mia Ferreira"}
    with pytest.raises(InvalidInput, match="nobody said"):
        aliases.apart("Mia", "Mia Ferreira", scope="ada")


def test_scopes_and_times_are_kept_apart(aliases: Aliases) -> None:
    aliases.same("A", "B", scope="ada/work", seq=1)
    aliases.same("C", "D", scope="ada", seq=5)
    aliases.same("E", "F", scope="bob", seq=5)
    assert set(aliases.merged("ada")) == {"a", "b", "c", "d"}
    assert set(aliases.merged("ada/work")) == {"a", "b"}
    assert set(aliases.merged("ada", known=4)) == {"a", "b"}
    with pytest.raises(InvalidInput, match="in scope 'ada'"):
        aliases.apart("A", "B", scope="ada")


@pytest.mark.parametrize(("name", "other"), [("Mia", "MIA"), ("Mia", "!?"), ("", "Mia"), ("the Mill", "Mill")])
def test_what_is_no_pair_of_names_is_refused(aliases: Aliases, name: str, other: str) -> None:
    with pytest.raises(InvalidInput):
        aliases.same(name, other, scope="ada", seq=1)


_PAIRS = st.lists(st.tuples(st.sampled_from("UVWXYZ"), st.sampled_from("UVWXYZ")).filter(lambda p: p[0] != p[1]))


@given(_PAIRS)
def test_names_are_shown_as_one_exactly_when_statements_connect_them(pairs: list[tuple[str, str]]) -> None:
    merged = _joined([SameName("ada", one, other, seq) for seq, (one, other) in enumerate(pairs)])
    groups = [{name} for name in "UVWXYZ"]
    for one, other in pairs:
        joined = [group for group in groups if {one, other} & group]
        groups = [group for group in groups if group not in joined] + [set().union(*joined)]
    for group in groups:
        if len(group) > 1:
            (shown,) = {merged[fold(name)] for name in group}
            assert shown in group
        else:
            assert not {fold(name) for name in group} & merged.keys()


def test_an_older_store_gets_the_table(memory: Memories) -> None:
    with memory() as ada:
        ada.write("one apple")
    with closing(sqlite3.connect(memory.home / "memory" / "memory.db")) as connection:
        connection.execute("DROP TABLE alias")
        connection.execute("UPDATE meta SET value = '2' WHERE key = 'version'")
        connection.commit()
    database = memory()._store.database
    with database.writing():
        Aliases(database).same("Mia", "Mia Ferreira", scope="ada", seq=1)
        assert len(Aliases(database).said("ada")) == 1
