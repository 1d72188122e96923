"""Explicit memories on disk stay within their budget; what is used often, lately, stays."""

import math
import time
from pathlib import Path

import pytest
from factories import HashEncoder, Memories, on_disk  # type: ignore[import-not-found]
from hypothesis import given
from hypothesis import strategies as st

from tercet.sdk import Memory
from tercet.store.near import Tiers
from tercet.store.worth import aged

DAY = 24 * 3600
MONTH = 30 * DAY


def kept_bytes(ada: Memory) -> int:
    with ada._store.database.reading() as connection:
        return int(connection.exec_driver_sql("SELECT coalesce(sum(bytes), 0) FROM record").scalar_one())


def kept(ada: Memory) -> set[int]:
    with ada._store.database.reading() as connection:
        return {row[0] for row in connection.exec_driver_sql("SELECT note FROM record")}


@given(st.lists(st.floats(0, 3e9), min_size=1, max_size=20))
def test_a_use_counts_half_after_a_month(times: list[float]) -> None:
    found: float | None = None
    for now in sorted(times):
        found = aged(found, now=now)
    assert found is not None
    last = max(times) / MONTH
    assert found == pytest.approx(last + math.log2(sum(2 ** (now / MONTH - last) for now in times)), abs=1e-6)
    assert aged(uses=8, now=0) == pytest.approx(3)
    assert aged(aged(now=0), uses=2, now=MONTH) == pytest.approx(math.log2(1 + 4))


def test_the_budget_is_kept_and_what_is_used_often_stays(memory: Memories) -> None:
    ada: Memory = memory("ada", embedder=None)
    notes = [ada.write(f"note number {number} of some") for number in range(40)]
    encoder = HashEncoder()
    (size,) = {kept_bytes(ada) for _ in ada._store.keys_values(encoder).records(notes[:1])}
    budget = 10 * size
    ada._store.tiers = Tiers(disk=budget)
    for note in notes[1:]:
        ada._store.keys_values(encoder).records([notes[0]])
        ada._store.keys_values(encoder).records([note])
        assert kept_bytes(ada) <= budget
        assert notes[0].num in kept(ada)
    assert len(kept(ada)) >= 9
    assert encoder.encoded == 40  # the first was never made again


def test_more_than_fits_is_answered_and_the_rest_is_made_again(memory: Memories) -> None:
    ada: Memory = memory("ada", embedder=None)
    notes = [ada.write(f"note number {number} of some") for number in range(6)]
    encoder = HashEncoder()
    ada._store.tiers = Tiers(disk=1, ram=0)
    ada._store.near.limit(0)
    assert len(ada._store.keys_values(encoder).records(notes)) == 6
    assert kept(ada) == set()
    ada._store.keys_values(encoder).records(notes)
    assert encoder.encoded == 12


@pytest.mark.sqlite
def test_files_go_with_their_rows(memory: Memories) -> None:
    ada: Memory = memory("ada", embedder=None)
    notes = [ada.write(f"note number {number} of some") for number in range(6)]
    encoder = HashEncoder()
    ada._store.keys_values(encoder).records(notes[:3])
    folder: Path = on_disk(ada._store).folder / "records"
    ada._store.tiers = Tiers(disk=2 * kept_bytes(ada) // 3)
    ada._store.keys_values(encoder).records(notes[3:])
    assert len(list(folder.iterdir())) == len(kept(ada)) == 2


def test_old_uses_fade_and_uses_are_remembered_by_the_store(memory: Memories, monkeypatch: pytest.MonkeyPatch) -> None:
    ada: Memory = memory("ada", embedder=None)
    old, new, newest = (ada.write(f"note number {number} of some") for number in range(3))
    encoder = HashEncoder()
    now = 1.7e9
    monkeypatch.setattr(time, "time", lambda: now)
    for _ in range(9):
        ada._store.keys_values(encoder).records([old])
    ada._store.tiers = Tiers(disk=2 * kept_bytes(ada))
    ada._store.keys_values(encoder).records([new])
    with memory("ada", embedder=None) as again:  # what one handle has seen, another goes by
        again._store.tiers = ada._store.tiers
        again._store.keys_values(encoder).records([newest])
        assert kept(again) == {old.num, newest.num} or kept(again) == {old.num, new.num}
        now += 12 * MONTH
        for note in (new, newest):
            again._store.keys_values(encoder).records([note])
        assert kept(again) == {new.num, newest.num}


def test_uses_are_written_down_when_the_memory_is_closed(memory: Memories) -> None:
    ada: Memory = memory("ada", embedder=None)
    notes = [ada.write(f"note number {number} of some") for number in range(3)]
    encoder = HashEncoder()
    ada._store.keys_values(encoder).records(notes)

    def worths(of: Memory) -> list[float]:
        with of._store.database.reading() as connection:
            return [row[0] for row in connection.exec_driver_sql("SELECT worth FROM record ORDER BY note")]

    before = worths(ada)
    ada._store.keys_values(encoder).records(notes[1:])
    ada._store.keys_values(encoder).records(notes[2:])
    assert worths(ada) == before, "a read writes nothing"
    ada.close()
    after = worths(memory("ada", embedder=None))
    assert after[0] == before[0]
    assert after[1] == pytest.approx(before[1] + 1, abs=1e-3)  # used twice
    assert after[2] == pytest.approx(before[2] + math.log2(3), abs=1e-3)
