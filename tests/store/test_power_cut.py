"""Power cuts at any moment: what was acknowledged is there, whole and in every form, and what was erased is not."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import power_work  # type: ignore[import-not-found]
import pytest
from power import Entry, Image, Replay, entries  # type: ignore[import-not-found]
from power_judge import Verdict, after_cuts  # type: ignore[import-not-found]
from power_shim import build, run_behind, why_not  # type: ignore[import-not-found]

Lives = Callable[..., list[Entry]]


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> Lives:
    """Lets a memory live behind the disk that keeps a diary: ``lives(seed, operations, synchronous)``."""
    if reason := why_not():
        pytest.skip(reason)
    library = build(tmp_path_factory.mktemp("library"))

    def live(seed: int, operations: int, synchronous: str = "full") -> list[Entry]:
        watched = tmp_path_factory.mktemp("watched")
        diary = tmp_path_factory.mktemp("diary") / "diary"
        arguments = (str(watched / "memory"), str(seed), str(operations), synchronous)
        run_behind(library, watched, Path(power_work.__file__), arguments, diary=diary)
        return list(entries(diary))

    return live


def kinds(verdicts: Sequence[Sequence[Verdict]]) -> Counter[str]:
    return Counter(one.kind for image in verdicts for one in image)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_power_cut_loses_nothing_and_brings_nothing_back(lives: Lives, tmp_path: Path, seed: int) -> None:
    diary = lives(seed, 50)
    assert [image for image in after_cuts(diary, count=100, seed=seed, home=tmp_path) if image] == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 13))
def test_many_power_cuts_lose_nothing(lives: Lives, tmp_path: Path, seed: int) -> None:
    diary = lives(seed, 80)
    assert [image for image in after_cuts(diary, count=125, seed=seed, home=tmp_path) if image] == []


def test_a_store_that_syncs_less_loses_what_it_acknowledged(lives: Lives, tmp_path: Path) -> None:
    found = kinds(after_cuts(lives(1, 40, "normal"), count=60, seed=1, home=tmp_path))
    assert found["lost"] > 5
    assert found["unusable"] == found["third state"] == 0, "this is what SQLite promises of synchronous=NORMAL"


def test_a_disk_that_does_not_sync_breaks_everything(lives: Lives, tmp_path: Path) -> None:
    found = kinds(after_cuts(lives(1, 40), count=60, seed=1, home=tmp_path, honest=False))
    assert found["lost"] > 5
    assert found["unusable"] > 5


# the disk by itself


def wrote(*entries: Entry) -> Replay:
    disk = Replay()
    for entry in (Entry("d", 1, 0, "", b""), *entries):
        disk.follow(entry)
    return disk


def images(disk: Replay, home: Path, *, survives: float, like_ext4: bool = False) -> list[dict[str, bytes]]:
    """Thirty images, each as its files' names and what they hold."""
    found = []
    for seed in range(30):
        disk.image(Image(seed, survives, like_ext4), home / str(seed))
        files = (path for path in (home / str(seed)).rglob("*") if path.is_file())
        found.append({str(path.relative_to(home / str(seed))): path.read_bytes() for path in files})
    return found


MADE = Entry("c", 2, 0, "file", b"")
WRITTEN = Entry("w", 2, 0, "", b"a" * 1024)
SYNCED = Entry("s", 2, 0, "", b"")
NAMED = Entry("s", 1, 0, "", b"")


def test_what_was_synced_is_there(tmp_path: Path) -> None:
    disk = wrote(MADE, WRITTEN, SYNCED, NAMED)
    assert images(disk, tmp_path, survives=0.0) == [{"file": b"a" * 1024}] * 30


def test_what_was_not_synced_is_there_or_not_or_there_in_some_sectors(tmp_path: Path) -> None:
    disk = wrote(MADE, NAMED, WRITTEN)
    found = {image["file"] for image in images(disk, tmp_path, survives=0.3)}
    assert found == {b"", b"a" * 512, bytes(512) + b"a" * 512, b"a" * 1024}


def test_a_write_is_torn_where_the_sectors_of_the_disk_end(tmp_path: Path) -> None:
    disk = wrote(MADE, NAMED, Entry("w", 2, 500, "", b"b" * 20))
    found = {image["file"][500:] for image in images(disk, tmp_path, survives=0.3)}
    assert found == {b"", b"b" * 12, bytes(12) + b"b" * 8, b"b" * 20}


def test_a_file_that_was_cut_may_be_as_long_as_before(tmp_path: Path) -> None:
    disk = wrote(MADE, NAMED, WRITTEN, SYNCED, Entry("t", 2, 10, "", b""))
    assert {len(image["file"]) for image in images(disk, tmp_path, survives=0.5)} == {10, 1024}


@pytest.mark.parametrize("like_ext4", [False, True])
def test_a_name_stays_once_its_folder_was_synced_or_on_ext4_the_file(tmp_path: Path, like_ext4: bool) -> None:
    disk = wrote(MADE, WRITTEN, SYNCED)
    found = images(disk, tmp_path, survives=0.0, like_ext4=like_ext4)
    assert found == ([{"file": b"a" * 1024}] if like_ext4 else [{}]) * 30


def test_a_removed_or_renamed_file_may_be_back(tmp_path: Path) -> None:
    gone = wrote(MADE, SYNCED, NAMED, Entry("u", 0, 0, "file", b""))
    assert {tuple(image) for image in images(gone, tmp_path / "gone", survives=0.5)} == {(), ("file",)}
    moved = wrote(MADE, SYNCED, NAMED, Entry("r", 0, 0, "file", b"other"))
    assert {tuple(image) for image in images(moved, tmp_path / "moved", survives=0.5)} == {("file",), ("other",)}


def test_a_new_folder_may_be_gone_with_all_that_is_in_it(tmp_path: Path) -> None:
    inner = (Entry("d", 3, 0, "in", b""), Entry("c", 2, 0, "in/file", b""), SYNCED, Entry("s", 3, 0, "", b""))
    assert {tuple(image) for image in images(wrote(*inner), tmp_path / "new", survives=0.5)} == {(), ("in/file",)}
    assert images(wrote(*inner, NAMED), tmp_path / "synced", survives=0.0) == [{"in/file": b""}] * 30
