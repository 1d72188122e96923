"""Many threads write at once: one commit serves several of them, and everybody gets what is theirs."""

import threading

from factories import Memories  # type: ignore[import-not-found]

from tercet import TercetError


def test_many_callers_lose_nothing_and_share_commits(memory: Memories) -> None:
    ada = memory("ada")
    got: dict[int, str] = {}

    def write(place: int) -> None:
        for turn in range(4):
            note = ada.write(
                f"caller {place} says {turn}", thread=f"t{place}", facts=[(f"c{place}", "says", str(turn))]
            )
            got[place * 4 + turn] = note.text

    threads = [threading.Thread(target=write, args=(place,)) for place in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert got == {place * 4 + turn: f"caller {place} says {turn}" for place in range(16) for turn in range(4)}
    notes = ada.notes(limit=1_000)
    assert len(notes) == 64
    assert len({note.known for note in notes}) < 64
    stats = ada.stats()
    assert {stats.forms[name].count for name in ("words", "vectors")} == {64}
    assert {form.applied for form in stats.forms.values()} == {stats.change}
    for place in range(16):
        turns = sorted(ada.notes(thread=f"t{place}"), key=lambda note: note.position)
        assert [turn.previous for turn in turns] == ["", *(turn.text for turn in turns[:-1])]


def test_a_reused_key_among_many_callers_fails_alone(memory: Memories) -> None:
    ada = memory("ada")
    ada.write("the first", key="k")
    errors: list[int] = []

    def write(place: int) -> None:
        try:
            ada.write(f"number {place}", key="k" if place == 7 else f"k{place}")
        except TercetError:
            errors.append(place)

    threads = [threading.Thread(target=write, args=(place,)) for place in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert errors == [7]
    assert ada.stats().notes == 16
