"""A PostgreSQL store of version 2 gets the table of names that are one, held to the scope like every other."""

from pathlib import Path

import pytest
from factories import Memories  # type: ignore[import-not-found]
from servers import Server  # type: ignore[import-not-found]

from tercet.store.migrations import VERSION, version_of

pytestmark = pytest.mark.postgres


def test_an_older_store_gets_the_table_and_its_policy(server: Server, tmp_path: Path) -> None:
    opened = Memories(tmp_path, server)
    try:
        ada = opened("ada")
        with ada._store.database.writing() as connection:
            connection.exec_driver_sql("DROP TABLE alias")
            connection.exec_driver_sql("UPDATE meta SET value = '2' WHERE key = 'version'")
        opened.close()
        ada, eve = opened("ada"), opened("eve")
        ada.same("Mia", "Mia Ferreira")
        assert [(said.name, said.other) for said in ada.one_name()] == [("Mia", "Mia Ferreira")]
        with eve._store.database.reading() as connection:
            assert version_of(connection) == VERSION
            assert connection.exec_driver_sql("SELECT count(*) FROM alias").scalar_one() == 0
    finally:
        opened.close()
