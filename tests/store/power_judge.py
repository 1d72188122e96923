"""What is left of a memory after a power cut, a kill or a failing disk, and whether it is as it should be."""

import json
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from factories import HashEncoder, disagreements, on_disk  # type: ignore[import-not-found]
from power import Entry, Image, Replay  # type: ignore[import-not-found]
from power_work import opened, state_of  # type: ignore[import-not-found]

from tercet.sdk import Memory
from tercet.store.checks import check_store
from tercet.store.errors import TercetError

__all__ = ["Lived", "Verdict", "after_cuts", "cuts", "images", "judge", "lived"]


@dataclass(frozen=True, slots=True)
class Lived:
    """What a life was, by its diary.

    Attributes:
        states: digest after each acknowledged operation; the first is the one of the empty memory.
        erased: per operation, what was erased by it.
        verbs: per operation, what it was.
        places: per operation, where in the diary it was acknowledged.
    """

    states: list[str]
    erased: list[list[str]]
    verbs: list[str]
    places: list[int]


def lived(diary: Sequence[Entry]) -> Lived:
    """Reads the marks of a diary."""
    found = Lived([], [], [], [])
    for place, entry in enumerate(diary):
        if entry.kind == "m":
            mark = json.loads(entry.data)
            if "begun" in mark:
                found.verbs.append(mark["begun"])
            else:
                found.states.append(mark["done"])
                found.erased.append(mark["erased"])
                found.places.append(place)
    return found


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with what a power cut, a kill or a failing disk left; empty if nothing is.

    Attributes:
        kind: ``"unusable"``, ``"lost"``, ``"third state"``, ``"disagreement"``, ``"record"``, ``"resurrected"``.
        detail: what was found.
    """

    kind: str
    detail: str


def judge(
    folder: Path, *, allowed: Sequence[str], known: Sequence[str], erased: Sequence[str] = (), doctor: bool = True
) -> tuple[list[Verdict], str]:
    """Opens what is left of a memory.

    Args:
        folder: the memory's.
        allowed: digests of the states it may be in.
        known: digests of every state it was ever in.
        erased: what was acknowledged as erased: no file may hold it.
        doctor: also read, and ask what ``tercet doctor`` finds, which takes twice as long again.

    Returns:
        What is wrong, and the digest of the state it is in; empty for one that cannot be opened.
    """
    wrong, state = [], ""
    raw = {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    back = {f"{needle} in {name}" for name, data in raw.items() for needle in erased if needle.encode() in data}
    if back:
        wrong.append(Verdict("resurrected", f"erased, and in a file again: {sorted(back)[:3]}"))
    try:
        with opened(folder) as memory:
            state = state_of(memory._store)
            wrong += _judge_state(state, allowed, known) + _judge_opened(memory)
            if doctor:
                wrong += _judge_read(memory)
    except Exception as error:  # noqa: BLE001  (whatever it is, it is what we look for)
        return [*wrong, Verdict("unusable", repr(error)[:300])], state
    if doctor:
        wrong += [
            Verdict("disagreement", f"{one.check}: {one.detail}")
            for one in check_store(folder)
            if one.level == "fail" or (one.check == "keys-values" and one.level != "ok")
        ]
    return wrong, state


def _judge_state(state: str, allowed: Sequence[str], known: Sequence[str]) -> list[Verdict]:
    if state in allowed:
        return []
    if state not in known:
        return [Verdict("third state", "as it never was")]
    before = len(known) - 1 - known[::-1].index(state)
    return [Verdict("lost", f"as after operation {before}, not as after {known.index(allowed[0])}")]


def _judge_opened(memory: Memory) -> list[Verdict]:
    store = memory._store
    wrong = [Verdict("disagreement", detail) for detail in disagreements(store)]
    encoder = HashEncoder()
    records = store.keys_values(encoder)
    with store.database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT file, note FROM record").all()
    named, nums = {row[0] for row in rows}, {row[1] for row in rows}
    held = [note for note in store.notes.select() if note.num in nums]
    try:
        records.records(held)
    except TercetError as error:
        wrong.append(Verdict("record", repr(error)))
    if encoder.encoded:
        wrong.append(Verdict("record", f"{encoder.encoded} rows name a file that is missing or not whole"))
    folder = on_disk(store).folder / "records"
    left = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if orphans := left - named:
        wrong.append(Verdict("resurrected", f"{len(orphans)} files that no row names are left after opening"))
    return wrong


def _judge_read(memory: Memory) -> list[Verdict]:
    wrong = []
    if newest := memory.notes(limit=1):
        found = [item.why.votes for item in memory.read(newest[0].text, k=1_000) if item.note.id == newest[0].id]
        if missing := {"words", "vectors", "triplets"} - {form for votes in found for form in votes}:
            wrong.append(Verdict("disagreement", f"the newest note is not found by {sorted(missing)}"))
    return wrong


def cuts(diary: Sequence[Entry], count: int, seed: int) -> list[int]:
    """Chooses where to cut the power: a third right after acknowledgements, a third at syncs, a third anywhere."""
    choose = random.Random(seed)
    marks = [place + 1 for place, entry in enumerate(diary) if entry.kind == "m"]
    syncs = [place + after for place, entry in enumerate(diary) if entry.kind == "s" for after in (0, 1)]
    anywhere = range(len(diary) + 1)
    return sorted(choose.choice(choose.choice((marks, syncs or marks, anywhere))) for _ in range(count))


def images(
    diary: Sequence[Entry], *, count: int, seed: int, home: Path, honest: bool = True
) -> Iterator[tuple[int, str, Path]]:
    """Yields what the disk may hold after a power cut: the place of the cut, words about it, and the folder.

    Args:
        diary: of what was done to the disk.
        count: how many images.
        seed: of the places and of what survives.
        home: an empty folder for the images; each is deleted before the next.
        honest: False for a disk that does not sync.
    """
    replay, at = Replay(honest=honest), 0
    for number, cut in enumerate(cuts(diary, count, seed)):
        while at < cut:
            replay.follow(diary[at])
            at += 1
        how = Image.drawn(seed * 1_000_003 + number)
        image = home / f"image-{number}"
        replay.image(how, image)
        yield cut, f"{how}, cut at {cut} of {len(diary)}", image
        shutil.rmtree(image)


def after_cuts(
    diary: Sequence[Entry], *, count: int, seed: int, home: Path, honest: bool = True
) -> list[list[Verdict]]:
    """Cuts the power many times in the life of a memory; one list per image, empty where nothing is wrong."""
    whole = lived(diary)
    verdicts: list[list[Verdict]] = []
    for cut, how, image in images(diary, count=count, seed=seed, home=home, honest=honest):
        done = sum(1 for place in whole.places if place < cut)
        found, _ = judge(
            image / "memory",
            allowed=whole.states[max(0, done - 1) : done + 1],
            known=whole.states,
            erased=[needle for needles in whole.erased[:done] for needle in needles],
            doctor=len(verdicts) % 4 == 0,
        )
        during = whole.verbs[max(0, done - 1) : done + 1]
        verdicts.append([Verdict(one.kind, f"{one.detail} ({how}, in or after {during})") for one in found])
    return verdicts
