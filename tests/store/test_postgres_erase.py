"""Erasing in PostgreSQL: what the receipt says is true, whoever asked for it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from factories import HashEmbedder, HashEncoder, Memories, PatternExtractor  # type: ignore[import-not-found]
from servers import ROLE, Server  # type: ignore[import-not-found]

from tercet.sdk import Memory
from tercet.sdk.receipt import Receipt
from tercet.store import scrub
from tercet.store.errors import StoreError
from tercet.store.halfvec import packed
from tercet.store.scanning import scan

pytestmark = pytest.mark.postgres

SECRET = "Zanzibar-quokka keeps the xylophone in Lisbon"


@pytest.fixture(scope="module")
def own() -> Iterator[Server]:
    """A server whose files this process may read: nothing of another test is in them."""
    started = Server(durable=False)
    yield started
    started.close()


@pytest.fixture
def powerful(own: Server) -> Iterator[str]:
    """A place whose role may do what erasing needs, as the documentation says."""
    own.execute(f"GRANT pg_checkpoint, pg_read_all_settings TO {ROLE}")
    own.execute(f"GRANT EXECUTE ON FUNCTION pg_switch_wal() TO {ROLE}")
    yield own.url("powerful")
    own.execute(f"REVOKE pg_checkpoint, pg_read_all_settings FROM {ROLE}")
    own.execute(f"REVOKE EXECUTE ON FUNCTION pg_switch_wal() FROM {ROLE}")


def opened(place: str) -> Memory:
    return Memory(place, scope="ada", embedder=HashEmbedder(), extractor=PatternExtractor())


def steps(receipt: Receipt) -> dict[str, str]:
    return {step.store: step.action for step in receipt.steps}


def test_a_role_that_may_leaves_nothing_in_any_file(own: Server, powerful: str) -> None:
    with opened(powerful) as ada:
        ada.write_many([f"Ada likes pear{n} in Porto" for n in range(200)])
        secret = ada.write(SECRET, speaker="Quokkamaster", facts=[("Quokkamaster", "plays", "xylophone")])
        ada._store.keys_values(HashEncoder()).records([secret])
        vector = packed(HashEmbedder().embed([f"Quokkamaster: {SECRET}"])[0])
        needles = [SECRET.encode(), b"okkamast", b"lophon", vector]
        own.execute("ANALYZE")  # as the server does by itself, sooner or later
        own.execute("CHECKPOINT")
        assert len(scan(own.home / "data", needles)) > 1
        begun = time.perf_counter()
        receipt = ada.forget(secret.id, erase=True)
        assert time.perf_counter() - begun < 60
        assert steps(receipt)["database"] == "written anew"
        assert steps(receipt)["write-ahead log"] == "moved on"
        assert steps(receipt)["scan"] == "nothing found"
        assert receipt.erased
        assert any("base backups" in what for what in receipt.uncovered)
        assert scan(own.home / "data", needles) == {}
        assert len(ada.notes(limit=1_000)) == 200


def test_a_plain_role_says_what_it_could_not_do(own: Server) -> None:
    with opened(own.url("plain")) as ada:
        secret = ada.write(SECRET)
        receipt = ada.forget(secret.id, erase=True)
    assert not receipt.erased
    assert steps(receipt)["database"] == "written anew"
    assert steps(receipt)["write-ahead log"] == "NOT moved on"
    assert steps(receipt)["scan"] == "NOT done"
    told = " ".join(receipt.uncovered)
    assert "pg_wal" in told
    assert "base backups" in told
    assert "no look into the server's files" in told


def test_words_of_others_that_cannot_be_read_are_told_not_raised(
    powerful: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(connection: object, words: object) -> set[str]:
        raise StoreError("the disk gives an error")

    monkeypatch.setattr(scrub, "held_elsewhere", unreadable)
    with opened(powerful) as ada:
        receipt = ada.forget(ada.write(SECRET).id, erase=True)
    assert not receipt.erased
    assert steps(receipt)["scan"] == "NOT done"
    assert any("the disk gives an error" in what for what in receipt.uncovered)


def test_a_transaction_that_still_sees_the_rows_is_told(own: Server, powerful: str) -> None:
    with opened(powerful) as ada, opened(powerful) as reader:
        secret = ada.write(SECRET)
        with reader._store.database.reading() as connection:
            connection.exec_driver_sql("SELECT 1 FROM form")  # sees the notes, and uses another table
            receipt = ada.forget(secret.id, erase=True)
        assert not receipt.erased
        assert any("open transaction" in what or "not written anew" in what for what in receipt.uncovered)
        assert ada.forget(ada.write("another description of the table").id, erase=True).erased
        assert scan(own.home / "data", [SECRET.encode()]) == {}


def test_what_is_forgotten_goes_with_its_record_at_once(own: Server) -> None:
    with opened(own.url("records")) as ada:
        encoder = HashEncoder()
        note = ada.write(SECRET)
        records = ada._store.keys_values(encoder)
        first = records.records([note])
        again = ada._store.keys_values(encoder).records([note])
        assert encoder.encoded == 1
        assert {name: whole.tolist() for name, whole in first[0].items()} == {
            name: whole.tolist() for name, whole in again[0].items()
        }
        with ada._store.database.writing() as connection:
            connection.exec_driver_sql("UPDATE blob SET data = 'damaged'")
        ada._store.near.limit(0)  # whose copy is whole
        records.records([note])
        assert encoder.encoded == 2
        ada.forget(note.id)
        with ada._store.database.reading() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM blob").scalar_one() == 0


def test_another_scope_is_no_reader_of_a_record(own: Server, tmp_path: Path) -> None:
    both = Memories(tmp_path, own)
    ada, eve = both("ada"), both("eve")
    ada._store.keys_values(HashEncoder()).records([ada.write(SECRET)])
    with eve._store.database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM blob").scalar_one() == 0
    both.close()
