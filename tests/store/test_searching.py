"""Many byte strings are found wherever they stand, and nowhere else."""

import random
from pathlib import Path

import pytest

from tercet.store.errors import StoreError
from tercet.store.scanning import absent, scan
from tercet.store.searching import Search


def some(seed: int, count: int) -> tuple[list[bytes], bytes]:
    """Strings of many lengths, some of them put into random bytes, at the ends and at odd places too."""
    choose = random.Random(seed)
    needles = [choose.randbytes(choose.choice([3, 4, 6, 7, 12, 32, 800])) for _ in range(count)]
    needles += [bytes(32), b"a" * 9, b"\x00" * 60 + b"tail!!", b"aaaaaab"]
    data = bytearray(choose.randbytes(300_000))
    for needle in choose.sample(needles, len(needles) // 3):
        at = choose.choice([0, len(data) - len(needle), choose.randrange(len(data) - 900)])
        data[at : at + len(needle)] = needle
    return needles, bytes(data)


@pytest.mark.parametrize("seed", range(5))
def test_exactly_what_is_there_is_found(seed: int) -> None:
    needles, data = some(seed, 200)
    assert Search(needles).within(data) == {place for place, needle in enumerate(needles) if needle in data}


@pytest.mark.parametrize("data", [b"", b"a", b"abcde", b"abcdef"])
def test_short_data_is_no_trouble(data: bytes) -> None:
    assert Search([b"abcdef", b"ab"]).within(data) == {
        place for place, needle in enumerate([b"abcdef", b"ab"]) if needle in data
    }
    assert Search([]).within(data) == set()


def test_files_are_read_across_the_borders_of_blocks(tmp_path: Path) -> None:
    needle = bytes(range(1, 200))
    border = 1 << 22
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_bytes(bytes(border - 50) + needle + bytes(1000))
    (tmp_path / "empty").touch()
    assert scan(tmp_path, [needle, b"not there at all"]) == {"below/file": [needle]}
    assert absent(tmp_path, [needle, b"not there at all"]) == [b"not there at all"]


def test_one_file_is_searched_and_what_is_not_there_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"xyz needle xyz")
    assert scan(file, [b"needle"]) == {"file": [b"needle"]}
    with pytest.raises(StoreError, match="there is nothing at"):
        scan(tmp_path / "elsewhere", [b"needle"])
