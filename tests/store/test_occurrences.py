"""What words find in memory is what FTS5 finds in its file, whatever happens to the notes, and whoever does it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from factories import Memories, PatternExtractor  # type: ignore[import-not-found]
from sqlalchemy import Connection

from tercet.sdk import Memory
from tercet.store import occurrences
from tercet.store.fulltext import FullText
from tercet.store.schema import note
from tercet.store.selection import Filter
from tercet.store.statements import rows, run

WORDS = "harbour harbours lantern Lisbon snake_case snake case well_being café 東京 tea teas 7 _ the Ben".split()
FILTER = Filter("ada")


@pytest.fixture
def ada(memory: Memories) -> Memory:
    made: Memory = memory("ada", embedder=None, extractor=PatternExtractor())
    made.write_many(drafts(40, Random(1)))
    return made


def drafts(count: int, random: Random) -> list[dict[str, Any]]:
    return [
        {
            "text": f"{' '.join(random.choices(WORDS, k=random.randint(1, 9)))}. Ben likes {random.choice(WORDS[:3])}",
            "speaker": random.choice(WORDS),
            "thread": f"thread {random.randint(0, 2)}",
            "happened": f"2024-0{random.randint(1, 9)}-11",
        }
        for _ in range(count)
    ]


def found(memory: Memory, words: Sequence[str], chosen: Filter = FILTER) -> list[list[tuple[int, int, float]]]:
    """Returns what the words find among notes, and among facts."""
    store = memory._store
    with store.database.reading():
        among = store.notes.among(chosen)
        return [form.index.best(words, 1_000, among) for form in (store.words, store.triplets)]


def in_the_file(memory: Memory, words: Sequence[str]) -> dict[int, float]:
    """Returns what FTS5 itself says of all rows."""
    asked = " OR ".join(f'"{word}"' for word in words)
    with memory._store.database.reading() as connection:
        sql = "SELECT rowid, -bm25(words, 1.0, 1.0, 1.0, 0.5) FROM words WHERE words MATCH ?"
        return dict(rows(connection, sql, asked))


def agrees(memory: Memory, fresh: Memory) -> None:
    """What a handle has kept gives what one finds that has kept nothing."""
    for words in [[word] for word in WORDS] + [WORDS[:4], WORDS[3:9], WORDS[::-1]]:
        assert found(memory, words) == found(fresh, words), words


@pytest.mark.sqlite
def test_scores_are_those_of_fts5(ada: Memory) -> None:
    for words in [[word] for word in WORDS] + [WORDS[:4], WORDS[3:9], WORDS]:
        here = {num: score for num, _, score in found(ada, words)[0]}
        assert here == pytest.approx(in_the_file(ada, words), rel=1e-12), words


@pytest.mark.sqlite
def test_a_word_of_several_tokens_is_found_where_they_follow_each_other(memory: Memories) -> None:
    ada = memory("ada", embedder=None, extractor=None)
    apart, together = ada.write("the case of the snake"), ada.write("a snake case")
    assert [num for num, _, _ in found(ada, ["snake_case"])[0]] == [together.num]
    later = ada.write("another snake case")
    assert [num for num, _, _ in found(ada, ["snake_case"])[0]] == [together.num, later.num]
    assert {num for num, _, _ in found(ada, ["snake"])[0]} == {apart.num, together.num, later.num}


@pytest.mark.sqlite
def test_long_notes_have_the_sizes_that_fts5_counts(memory: Memories) -> None:
    ada = memory("ada", embedder=None, extractor=None)
    for size in (1, 127, 128, 300, 20_000):
        ada.write("tea " * size + "lantern")
    here = {num: score for num, _, score in found(ada, ["tea", "lantern"])[0]}
    assert here == pytest.approx(in_the_file(ada, ["tea", "lantern"]), rel=1e-12)


@pytest.mark.sqlite
@pytest.mark.parametrize("followed", [1_000, 3])
def test_what_is_kept_follows_whatever_is_done(
    memory: Memories, monkeypatch: pytest.MonkeyPatch, followed: int
) -> None:
    monkeypatch.setattr(occurrences, "_FOLLOWED", followed)
    random = Random(followed)
    ada, other = (memory("ada", embedder=None, extractor=PatternExtractor()) for _ in range(2))
    for _ in range(40):
        notes = ada.notes(limit=100)
        doer = random.choice([ada, other])  # another handle is as another process
        what = random.choice(["write", "write", "write", "revise", "forget", "hold", "undo"]) if notes else "write"
        if what == "write":
            doer.write_many(drafts(random.randint(1, 3), random))
        elif what == "revise":
            doer.revise(random.choice(notes).id, random.choice(drafts(1, random))["text"])
        elif what == "forget":
            doer.forget(random.choice(notes).id)
        elif what == "hold":
            doer.quarantine(random.choice(notes).id)
        else:
            doer.undo(notes[0].change)
        with memory("ada", embedder=None, extractor=PatternExtractor()) as fresh:
            agrees(ada, fresh)


@pytest.mark.sqlite
def test_an_older_view_sees_what_it_saw_and_leaves_nothing_behind(ada: Memory, memory: Memories) -> None:
    store, before, done = ada._store, [], threading.Event()
    wanted = found(ada, WORDS)
    begun = threading.Event()

    def look_back() -> None:
        with store.database.reading():
            assert store.notes.changes.last()  # the view begins with the first look
            begun.set()
            done.wait(20)
            before.append(found(ada, WORDS))

    looking = threading.Thread(target=look_back)
    looking.start()
    begun.wait(20)
    ada.forget(ada.notes(limit=1)[0].id)
    ada.write_many(drafts(5, Random(3)))
    found(ada, ["tea"])
    done.set()
    looking.join(20)
    assert before == [wanted]
    with memory("ada", embedder=None, extractor=PatternExtractor()) as fresh:
        agrees(ada, fresh)


@pytest.mark.sqlite
def test_what_was_taken_back_is_not_kept(ada: Memory, memory: Memories) -> None:
    found(ada, WORDS)
    with suppress(ZeroDivisionError), ada._store.changing():
        ada.write("the lantern of Lisbon")
        assert len(found(ada, ["Lisbon"])[0]) > 0
        raise ZeroDivisionError
    ada.write("harbours and harbours")  # takes the number of the note that was taken back
    with memory("ada", embedder=None, extractor=PatternExtractor()) as fresh:
        agrees(ada, fresh)
        assert [one.text for one in ada.read("harbours Lisbon").notes] == [
            one.text for one in fresh.read("harbours Lisbon").notes
        ]


@pytest.mark.sqlite
def test_forms_made_anew_by_another_are_read_anew(ada: Memory, memory: Memories) -> None:
    assert found(ada, ["likes"])[1]
    with memory("ada", embedder=None, extractor=None) as other:
        other.rebuild(forms=["triplets"])
    assert found(ada, ["likes"]) == [found(ada, ["likes"])[0], []]


def test_notes_that_may_be_seen_follow_whatever_is_done(memory: Memories) -> None:
    random = Random(5)
    ada, other = memory("ada"), memory("ada")
    filters = [Filter("ada"), Filter("ada/work"), Filter("ada", as_of="2024-05"), Filter("ada", known=6)]
    for _ in range(30):
        notes = ada.notes(limit=100)
        doer = random.choice([ada, other])
        if random.random() < 0.6 or not notes:
            doer.write_many([one | {"scope": random.choice(["ada", "ada/work"])} for one in drafts(2, random)])
        else:
            random.choice([doer.forget, doer.quarantine])(random.choice(notes).id)
        for chosen in filters:
            with ada._store.database.reading() as connection:
                kept = ada._store.notes.among(chosen).nums().tolist()
                every = note.select().where(*chosen.conditions()).order_by(note.c.num)
                assert kept == [row.num for row in connection.execute(every)], chosen


def test_what_is_kept_of_who_sees_what_never_has_the_last_word(
    memory: Memories, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = memory("ada", embedder=None), memory("bob", embedder=None)
    bob.write("the harbour at night")
    held, mine = ada.write("the harbour by day"), ada.write("the harbour in rain")
    ada.quarantine(held.id)
    every = ada._store.notes._sight._listed((), 0)
    monkeypatch.setattr(ada._store.notes._sight, "nums", lambda key, conditions: every)
    assert [one.id for one in ada.read("harbour").notes] == [mine.id]


@pytest.mark.sqlite
def test_what_is_kept_outlives_a_revision_of_what_is_no_turn(memory: Memories) -> None:
    ada, other = (memory("ada", embedder=None, extractor=PatternExtractor()) for _ in range(2))
    single, _, turn, _ = ada.write_many(
        ["the lantern", "Ben likes tea", {"text": "a harbour", "thread": "t"}, {"text": "a case", "thread": "t"}]
    )
    found(ada, WORDS)
    index = ada._store.words.index
    assert isinstance(index, FullText)
    assert index._kept
    before = index._kept[1]
    other.undo(other.revise(single.id, "the snake of Lisbon").change)
    ada.revise(ada.write("a case").id, "a snake")
    other.quarantine(single.id)
    other.release(single.id)
    with memory("ada", embedder=None, extractor=PatternExtractor()) as fresh:
        agrees(ada, fresh)
    assert index._kept[1] is before
    other.revise(turn.id, "a lantern")  # which the turn after it is found by, too
    with memory("ada", embedder=None, extractor=PatternExtractor()) as fresh:
        agrees(ada, fresh)


@pytest.mark.sqlite
def test_a_reader_of_the_past_keeps_nobody_waiting(ada: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    index = ada._store.words.index
    assert isinstance(index, FullText)
    found(ada, WORDS)
    waited: list[bool] = []
    follow = occurrences.Occurrences.follow

    def watched(self: occurrences.Occurrences, connection: Connection) -> None:
        waited.append(index._lock.locked())
        follow(self, connection)

    monkeypatch.setattr(occurrences.Occurrences, "follow", watched)
    with suppress(ZeroDivisionError), ada._store.changing():
        ada.write("a lantern")
        assert index.best(["lantern"], 3, ada._store.notes.among(FILTER))
        raise ZeroDivisionError
    assert waited == [False]


def test_a_graph_that_another_handle_made_anew_is_walked(memory: Memories) -> None:
    one, other = (memory("ada", extractor=PatternExtractor()) for _ in range(2))
    item = one.write("Ben lives in Lisbon")
    with one._store.database.writing() as connection:  # a damage that only a rebuild mends
        run(connection, "DELETE FROM mention")
    assert not one.read("Who is Ben?", by=["graph"]).notes
    other.rebuild(forms=["graph"])
    assert [note.id for note in one.read("Who is Ben?", by=["graph"]).notes] == [item.id]
