"""Notes made of other notes: forgotten with them, stale once they say something else."""

import pytest
from factories import Memories  # type: ignore[import-not-found]

from tercet.sdk import Memory
from tercet.store.errors import InvalidInput, KeyReused, LimitExceeded, NoteNotFound
from tercet.store.note import Note


def _summed_up(ada: Memory) -> tuple[Note, Note, Note]:
    one = ada.write("Ada moved to Lisbon.", speaker="Ada", happened="2024-03-09")
    two = ada.write("Ada works at a bakery.", speaker="Ada")
    return (
        one,
        two,
        ada.write("Ada bakes in Lisbon.", facts=[("Ada", "bakes in", "Lisbon")], derived_from=[one.id, two.id]),
    )


def test_it_knows_its_parents_and_is_of_model_origin_unless_told(memory: Memories) -> None:
    ada = memory()
    one, two, summary = _summed_up(ada)
    assert ada.get(summary.id).parents == (one.id, two.id)
    assert (summary.origin, one.origin) == ("model", "user")
    assert ada.write("told by Ada", derived_from=[one.id], origin="user").origin == "user"
    assert not ada.get(summary.id).stale
    assert ada.get(one.id).parents == ()


@pytest.mark.sqlite
@pytest.mark.parametrize("place", [0, 1])
def test_a_canary_in_one_of_two_parents_leaves_with_the_summary(memory: Memories, place: int) -> None:
    ada = memory()
    parents = _summed_up(ada)[:2]
    canary = ada.write("The canary zanzibar lives in a summary.", derived_from=[note.id for note in parents])
    of_summary = ada.write("A summary of the zanzibar summary.", derived_from=[canary.id])
    stays = ada.write("Of the other one.", derived_from=[parents[1 - place].id])
    receipt = ada.forget(parents[place].id, erase=True)
    assert receipt.notes == (parents[place].id,)
    assert set(receipt.derived) >= {canary.id, of_summary.id}
    assert receipt.erased
    assert any("write them again" in step.proof for step in receipt.steps)
    assert "zanzibar" not in ada.read("zanzibar", k=100).prompt()
    assert ada.get(stays.id)
    ada.close()
    assert not any(b"anziba" in path.read_bytes() for path in (memory.home / "memory").iterdir())


def test_every_version_of_a_summary_goes_even_one_that_no_longer_names_the_parent(memory: Memories) -> None:
    ada = memory()
    one, _, summary = _summed_up(ada)
    newer = ada.revise(summary.id, "Ada bakes.", derived_from=[])
    assert newer.parents == ()
    assert set(ada.forget(one.id).derived) == {summary.id, newer.id}


def test_a_summary_above_is_forgotten_from_below(memory: Memories) -> None:
    ada, work = memory("ada"), memory("ada/work")
    note = work.write("The plan is secret.")
    summary = ada.write("There is a secret plan.", derived_from=[note.id])
    assert [found.id for found in work.matching(note.id)] == [note.id], "what is above is not shown"
    assert [found.id for found in ada.matching(note.id)] == [note.id, summary.id]
    assert work.forget(note.id).derived == (summary.id,)
    assert ada.notes() == []


def test_a_revised_parent_makes_it_stale_all_the_way_down(memory: Memories) -> None:
    ada = memory()
    one, _, summary = _summed_up(ada)
    above = ada.write("Ada bakes somewhere.", derived_from=[summary.id])
    revised = ada.revise(one.id, "Ada moved to Porto.")
    assert ada.get(summary.id).stale
    assert ada.get(above.id).stale
    assert not ada.get(revised.id).stale
    assert {found.note.id: found.note.stale for found in ada.read("Ada bakes", k=10)}[summary.id]
    assert {note.id for note in ada.notes() if note.stale} == {summary.id, above.id}
    assert [note.id for note in ada.notes(known_at=above.change) if note.stale] == []
    assert [fact.stale for fact in ada.facts(relation="bakes in")] == [True]
    ada.write("I bake in Lisbon.", facts=[("Ada", "bakes in", "Lisbon")])
    assert [fact.stale for fact in ada.facts(relation="bakes in")] == [False]


def test_a_revision_taken_back_makes_it_true_again(memory: Memories) -> None:
    ada = memory()
    one, _, summary = _summed_up(ada)
    ada.undo(ada.revise(one.id, "Ada moved to Porto.").change)
    assert not ada.get(summary.id).stale
    back = ada.notes(speaker="Ada")[0]
    assert back.text == one.text
    ada.revise(back.id, "Ada moved to Faro.")
    assert ada.get(summary.id).stale


def test_a_parent_taken_back_makes_it_stale(memory: Memories) -> None:
    ada = memory()
    _, two, summary = _summed_up(ada)
    ada.undo(two.change)
    assert ada.get(summary.id).stale


def test_written_again_it_stands_on_what_its_parents_are_now(memory: Memories) -> None:
    ada = memory()
    one, two, summary = _summed_up(ada)
    porto = ada.revise(one.id, "Ada moved to Porto.")
    again = ada.revise(summary.id, "Ada bakes in Porto.")
    assert set(again.parents) == {porto.id, two.id}
    assert not ada.get(again.id).stale
    undone = ada.undo(again.change)
    assert undone
    assert set(ada.get(undone.id).parents) == {one.id, two.id}
    assert ada.get(undone.id).stale
    assert set(ada.forget(one.id).derived) == {summary.id, again.id, undone.id}


def test_a_prompt_says_what_is_stale(memory: Memories) -> None:
    ada = memory()
    one, _, _ = _summed_up(ada)
    before = ada.read("Ada bakes in Lisbon").prompt()
    assert "stale" not in before
    ada.revise(one.id, "Ada moved to Porto.")
    lines = ada.read("Ada bakes in Lisbon").prompt().splitlines()
    assert 'A fifth element "stale" marks' in lines[2]
    assert [line for line in lines if line.endswith(',"stale"]')] == [
        line for line in lines if "bakes in Lisbon" in line
    ]


def test_what_it_may_not_be_made_of(memory: Memories) -> None:
    ada, bob = memory("ada"), memory("bob")
    mine, foreign = ada.write("mine"), bob.write("of bob")
    beside = ada.write("at home", scope="ada/home")
    for parent in (foreign.id, "0" * 16, "no id", ""):
        with pytest.raises(NoteNotFound):
            ada.write_many(["not written", {"text": "a summary", "derived_from": [mine.id, parent]}])
    with pytest.raises(NoteNotFound, match="carry their words elsewhere"):
        ada.write("a summary", derived_from=[beside.id], scope="ada/work")
    with pytest.raises(InvalidInput, match="list of ids"):
        ada.write("a summary", derived_from=mine.id)
    with pytest.raises(LimitExceeded):
        ada.write("a summary", derived_from=[mine.id] * 10_001)
    assert {note.text for note in ada.notes()} == {"mine", "at home"}
    assert ada.write("a summary", derived_from=[mine.id, mine.id]).parents == (mine.id,)


def test_a_key_names_what_it_was_made_of_too(memory: Memories) -> None:
    ada = memory()
    one, two = ada.write_many(["one", "two"])
    first = ada.write("both", derived_from=[one.id, two.id], key="sum")
    assert ada.write("both", derived_from=[two.id, one.id], key="sum").id == first.id
    with pytest.raises(KeyReused):
        ada.write("both", derived_from=[one.id], key="sum")


def test_an_export_carries_it(memory: Memories) -> None:
    ada = memory()
    one, _, summary = _summed_up(ada)
    ada.revise(one.id, "Ada moved to Porto.")
    lines = list(ada.export())
    copy = memory("ada", "copy")
    copy.import_(lines)
    assert list(copy.export()) == lines
    assert copy.get(summary.id) == ada.get(summary.id)
    assert copy.get(summary.id).stale
    assert copy.import_(lines) == 0
    assert copy.forget(one.id).derived == (summary.id,)


def test_an_import_whose_ids_are_taken_keeps_the_descent(memory: Memories) -> None:
    ada = memory()
    one, two, summary = _summed_up(ada)
    lines = [line.replace('"scope":"ada"', '"scope":"bob"') for line in ada.export()]
    bob = memory("bob")
    bob.import_(lines)
    copied = next(note for note in bob.notes() if note.text == summary.text)
    assert len(copied.parents) == 2
    assert not {one.id, two.id} & set(copied.parents)
    assert len(bob.forget(copied.parents[0]).derived) == 1
    assert ada.get(summary.id)


def test_a_key_that_was_undone_brings_nothing_back(memory: Memories) -> None:
    ada = memory()
    first = ada.write("a slip", key="msg-1")
    ada.undo(first.change)
    again = ada.write("a slip", key="msg-1")
    assert again.id == first.id
    assert again.retired is not None
    assert ada.notes() == []
    assert ada.write("a slip").retired is None
    ada.forget(first.id)
    assert ada.write("a slip", key="msg-1").retired is None
