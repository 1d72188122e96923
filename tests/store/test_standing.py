"""Where notes stand in their dialogues, as kept in memory, is what the store says."""

import random
from collections.abc import Sequence

import pytest
from factories import Memories  # type: ignore[import-not-found]
from sqlalchemy import Connection

from tercet.sdk import Memory
from tercet.store import standing
from tercet.store.notes import Turn


def turns_of(memory: Memory, nums: Sequence[int]) -> dict[int, Turn]:
    return memory._store.notes.turns(nums)


def lines(count: int, *, thread: str = "chat") -> list[dict[str, str]]:
    return [{"text": f"line {n} of {thread}?", "speaker": "Ada", "thread": thread} for n in range(count)]


def test_turns_are_told_by_number_and_only_those_of_threads(memory: Memories) -> None:
    ada = memory("ada")
    first, second, alone = ada.write_many([*lines(2), "by itself"])
    said = ("chat", "")
    expected = {first.num: Turn(None, said, "Ada", True, 4), second.num: Turn(first.num, said, "Ada", True, 4)}
    for _ in range(2):
        found = turns_of(ada, [alone.num, second.num, first.num])
        assert found == expected
        assert list(found) == [first.num, second.num]


def test_what_is_known_is_not_read_again(memory: Memories, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = memory("ada")
    notes = ada.write_many(lines(3))
    known = turns_of(ada, [note.num for note in notes])
    new = ada.write(**lines(1, thread="other")[0])
    read: list[int] = []
    look_up = standing._read

    def noted(connection: Connection, nums: list[int]) -> dict[int, Turn]:
        read.extend(nums)
        return look_up(connection, nums)

    monkeypatch.setattr(standing, "_read", noted)
    assert turns_of(ada, [*known, new.num]).keys() == {*known, new.num}
    assert read == [new.num]


def test_through_all_that_happens_a_handle_knows_what_one_opened_anew_knows(memory: Memories) -> None:
    choose = random.Random(4)
    one, other = memory("ada", folder="long"), memory("ada", folder="long")
    live = one.write_many([*lines(12), *lines(6, thread="second"), "alone", "too"])
    nums = [note.num for note in live]
    held: list[str] = []
    for step in range(24):
        by, note = choose.choice([one, other]), choose.choice(live)
        done = step % 6
        if done == 0:
            live += by.write_many(lines(2))
        elif done == 1:
            live[live.index(note)] = by.revise(note.id, f"revised in step {step}")
        elif done == 2:
            by.forget(note.id)
            live.remove(note)
        elif done == 3:
            held += [note.id] if by.quarantine(note.id) else []
        elif done == 4:
            by.release(*held)
            held.clear()
        else:
            live.append(by.write(f"line of step {step}", thread="chat"))
            by.undo(live.pop().change)
        live = [by.get(item.id) for item in live]
        nums += [item.num for item in live]
        with memory("ada", folder="long") as anew:
            expected = turns_of(anew, sorted(set(nums)))
        assert turns_of(one, sorted(set(nums))) == expected, f"after step {step}"
        assert turns_of(other, sorted(set(nums))) == expected, f"after step {step}"


def test_nothing_is_kept_of_a_write_that_is_taken_back(memory: Memories) -> None:
    ada = memory("ada")
    first, second = ada.write_many(lines(2))
    before = turns_of(ada, [first.num, second.num])
    database = ada._store.database
    with database.writing() as connection:
        taken_back = connection.begin_nested()
        connection.exec_driver_sql("UPDATE note SET previous = NULL, speaker = 'Ben'")
        assert turns_of(ada, [second.num])[second.num].speaker == "Ben"
        taken_back.rollback()
    assert turns_of(ada, [first.num, second.num]) == before


def test_a_forget_leaves_no_speaker_and_no_thread_with_any_handle(memory: Memories) -> None:
    one, other = memory("ada"), memory("ada")
    note = one.write("hello", speaker="Qwortholm", thread="secret")
    for each in (one, other):
        turns_of(each, [note.num])
        assert each._store.notes._standing._shelf
    one.forget(note.id)
    for each in (one, other):
        assert each._store.notes._standing._shelf == []


def test_there_is_a_limit_to_what_is_kept(memory: Memories, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "_MOST", 5)
    ada = memory("ada")
    nums = [note.num for note in ada.write_many(lines(12))]
    for start in range(0, 12, 3):
        assert turns_of(ada, nums[start : start + 3]).keys() == set(nums[start : start + 3])
        assert len(ada._store.notes._standing._shelf[0].turns) <= 5 + 3
