"""Heat maps: the right cells, numbers that need no colour, colours that can be read, words that stay words."""

from __future__ import annotations

import base64
import hashlib
import re
import struct
import zlib
from html.parser import HTMLParser

import numpy as np
import numpy.typing as npt
import pytest
from factories import Memories  # type: ignore[import-not-found]
from rich.console import Console

from tercet.adapters import heat_page as page_module
from tercet.adapters.cli.heat import heat_table
from tercet.adapters.heat_map import COLOURS, HeatMap, heads_of, memories_by_layer, nats, percent
from tercet.adapters.heat_page import heat_page
from tercet.adapters.heat_picture import heat_picture
from tercet.engines.attention import Effects, Shares
from tercet.sdk.attributing import Attribution
from tercet.store.errors import InvalidInput

EVIL = '</td></table><script>alert(1)</script><img src="https://x.example/a"> {{policy}} {{content}} \u202e & "quoted"'


def shares(memories: int = 3, layers: int = 4, heads: int = 2) -> Shares:
    drawn = np.random.default_rng(0).dirichlet(np.ones(memories + 1), (layers, heads)).astype(np.float32)
    return Shares(drawn.mean((0, 1))[:-1].tolist(), layers=tuple(range(1, layers + 1)), by_head=drawn)


def found(memory: Memories, *texts: str, effects: bool = True) -> Attribution:
    ada = memory("ada", embedder=None)
    ada.write_many([f"zebra {text}" for text in texts])
    recall = ada.read("Where is the zebra <b>?", k=len(texts))
    assert len(recall) == len(texts)
    told = Effects(2, -1.0, tuple(-1.0 - place for place in range(len(texts))), -9.0) if effects else None
    return Attribution(recall, f"In Leeds. {EVIL}", shares(len(texts)), told)


def linear(colour: str) -> float:
    """The relative luminance of a colour, as WCAG 2.2 defines it."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, bright = sorted((linear(one), linear(other)))
    return (bright + 0.05) / (dark + 0.05)


class Parsed(HTMLParser):
    """The tags of a page with their attributes, its text, and the cells of each table."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self.text = ""
        self._cell = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._cell:
            self.tables[-1][-1][-1] += data


def decoded(png: bytes) -> npt.NDArray[np.uint8]:
    """Reads a PNG of unfiltered rows by the book, checksums too."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    parts, place = {}, 8
    while place < len(png):
        (size,), name = struct.unpack(">I", png[place : place + 4]), png[place + 4 : place + 8]
        data = png[place + 8 : place + 8 + size]
        assert struct.unpack(">I", png[place + 8 + size : place + 12 + size])[0] == zlib.crc32(name + data)
        parts[name], place = data, place + 12 + size
    assert list(parts) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, depth, kind, *rest = struct.unpack(">IIBBBBB", parts[b"IHDR"])
    assert (depth, kind, rest) == (8, 2, [0, 0, 0])
    rows = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(height, 1 + 3 * width)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, 3)


# ---------------------------------------------------------------- what is in it


def test_memories_by_layers_are_the_shares_of_layers() -> None:
    given = shares()
    heat = memories_by_layer(given)
    assert (heat.rows, heat.columns) == (("1", "2", "3", "prompt"), ("1", "2", "3", "4"))
    np.testing.assert_allclose(heat.shares, given.by_layer.T)
    np.testing.assert_allclose(heat.shares.sum(0), 1, atol=1e-6)
    assert heat.most == pytest.approx(float(given.by_layer[:, :-1].max()))


def test_heads_by_layers_are_those_of_one_memory() -> None:
    given = shares()
    heat = heads_of(given, 2)
    assert (heat.rows, heat.columns) == (("0", "1"), ("1", "2", "3", "4"))
    np.testing.assert_allclose(heat.shares, given.by_head[:, :, 1].T)
    for number in (0, 4):
        with pytest.raises(InvalidInput, match=f"no memory {number}; 3 were recalled"):
            heads_of(given, number)
    with pytest.raises(InvalidInput, match="none was recalled"):
        heads_of(Shares(), 1)


def test_the_largest_share_has_the_last_colour_and_the_prompt_none() -> None:
    heat = memories_by_layer(shares())
    levels = {(row, column): heat.level(row, column) for row in range(4) for column in range(4)}
    top = np.unravel_index(heat.shares[:-1].argmax(), heat.shares[:-1].shape)
    assert levels[int(top[0]), int(top[1])] == len(COLOURS) - 1
    assert all(levels[3, column] is None for column in range(4))
    order = sorted(
        (float(heat.shares[cell]), -1 if level is None else level) for cell, level in levels.items() if cell[0] < 3
    )
    assert [level for _, level in order] == sorted(level for _, level in order)


def test_many_layers_are_drawn_as_means_of_neighbours() -> None:
    heat = memories_by_layer(shares(layers=9))
    narrow = heat.narrowed(4)
    assert narrow.columns == ("1-3", "4-6", "7-9")
    np.testing.assert_allclose(narrow.shares[:, 0], heat.shares[:, :3].mean(1), atol=1e-6)
    assert heat.narrowed(9) is heat


def test_heads_that_a_layer_does_not_have_are_no_cells() -> None:
    by_head = np.asarray([[[0.5, 0.5], [np.nan, np.nan]], [[0.1, 0.9], [0.3, 0.7]]], np.float32)
    heat = heads_of(Shares([0.3], layers=(0, 1), by_head=by_head), 1)
    assert (heat.level(1, 0), heat.most) == (None, 0.5)
    np.testing.assert_allclose(heat.narrowed(1).shares[:, 0], [0.3, 0.3], atol=1e-6)
    assert decoded(heat_picture(heat)).size
    assert memories_by_layer(Shares([0.3], layers=(0, 1), by_head=by_head)).shares.shape == (2, 2)


@pytest.mark.parametrize(
    ("share", "told"), [(0, "·"), (0.0004, "·"), (0.0005, "0.1"), (0.0994, "9.9"), (0.0996, "10"), (1, "100")]
)
def test_percent_is_three_characters_at_the_most(share: float, told: str) -> None:
    assert percent(share) == told
    assert (percent(float("nan")), nats(0.001), nats(-1.5)) == ("", "0.00", "-1.50")


# ---------------------------------------------------------------- colours


def test_every_colour_can_be_read_and_told_from_the_next() -> None:
    assert all(contrast(ground, ink) >= 4.5 for ground, ink in COLOURS)
    brightness = [linear(ground) for ground, _ in COLOURS]
    assert brightness == sorted(brightness), "the order is there without hue"


# ---------------------------------------------------------------- the terminal


def printed(heat: HeatMap, *, width: int, colour: bool) -> str:
    console = Console(width=width, color_system="truecolor" if colour else None, force_terminal=colour)
    with console.capture() as captured:
        console.print(heat_table(heat, width=width))
    return captured.get()


def test_without_colours_every_number_is_there_and_nothing_else() -> None:
    heat = memories_by_layer(shares())
    text = printed(heat, width=80, colour=False)
    assert "\x1b" not in text
    lines = [line.split() for line in text.splitlines()[1:]]
    assert lines[0] == ["memory", "1", "2", "3", "4"]
    wanted = [[name, *map(percent, row.tolist())] for name, row in zip(heat.rows, heat.shares, strict=True)]
    assert lines[1:] == wanted


def test_with_colours_a_cell_brings_its_own_ink_and_ground() -> None:
    text = printed(memories_by_layer(shares()), width=80, colour=True)
    assert "\x1b[38;2;0;0;0;48;2;253;231;37m" in text
    assert re.sub("\x1b\\[[0-9;]*m", "", text) == printed(memories_by_layer(shares()), width=80, colour=False)


@pytest.mark.parametrize("width", [30, 60, 80, 200])
def test_no_line_is_longer_than_the_terminal(width: int) -> None:
    text = printed(memories_by_layer(shares(layers=40)), width=width, colour=False)
    assert max(map(len, text.splitlines()[1:])) <= width
    assert len(text.splitlines()) <= 8, "and none is folded"


# ---------------------------------------------------------------- the page


def test_the_page_has_every_share_and_every_effect(memory: Memories) -> None:
    given = found(memory, "one", "two", "three")
    read = Parsed(heat_page(given, model="tiny"))
    memories, layers, *heads = read.tables
    for place, row in enumerate(memories[1:]):
        assert row[0] == str(place + 1)
        assert row[1] == f"{percent(given.attention[place])} %"
        assert row[2] == nats(float(place))
        assert given.recall.notes[place].text in row[3]
    assert [row[1:] for row in layers[1:]] == [
        [percent(float(cell)) for cell in row] for row in memories_by_layer(given.attention).shares
    ]
    assert [[row[1:] for row in table[1:]] for table in heads] == [
        [[percent(float(cell)) for cell in row] for row in heads_of(given.attention, number).shares]
        for number in (1, 2, 3)
    ]
    assert "loses +8.00 nats without any memory" in read.text


def test_nothing_in_the_words_becomes_part_of_the_page(memory: Memories) -> None:
    read = Parsed(heat_page(found(memory, EVIL, "two"), model=EVIL))
    kinds = {tag for tag, _ in read.tags}
    assert not kinds & {"script", "img", "link", "iframe", "a", "object", "svg"}
    assert not [
        name for _, given in read.tags for name in given if name.startswith("on") or name in ("style", "src", "href")
    ]
    assert read.text.count("alert(1)") >= 3, "it is told, as text"
    assert "{{policy}} {{content}}" in read.text
    assert "\\u202e" in read.text
    assert "\u202e" not in read.text


def test_the_page_allows_its_own_style_and_nothing_else(memory: Memories) -> None:
    html = heat_page(found(memory, "one"), model="tiny")
    policy = next(given["content"] for tag, given in Parsed(html).tags if given.get("http-equiv") and tag == "meta")
    style = html.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "http://" not in html
    assert "https://" not in style


def test_the_page_can_be_found_one_s_way_in_without_seeing_it(memory: Memories) -> None:
    html = heat_page(found(memory, "one", "two"), model="tiny")
    read = Parsed(html)
    assert '<html lang="en">' in html
    assert html.count("<caption>") == len(read.tables)
    headers = [given.get("scope") for tag, given in read.tags if tag == "th"]
    assert headers
    assert set(headers) == {"row", "col"}
    regions = [given for tag, given in read.tags if given.get("role") == "region"]
    assert all(given.get("aria-label") and given.get("tabindex") == "0" for given in regions)
    assert "prefers-color-scheme: dark" in html


def test_a_page_of_nothing_says_so(memory: Memories) -> None:
    ada = memory("ada", embedder=None)
    html = heat_page(Attribution(ada.read("zebra"), "", Shares(), None), model="tiny")
    assert "Nothing was recalled" in html
    assert "(no answer)" in html


def test_a_page_without_effects_or_room_says_what_is_missing(memory: Memories, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "_CELLS", 16)
    given = found(memory, "one", "two", "three", effects=False)
    read = Parsed(heat_page(given, model="tiny"))
    assert [row[2] for row in read.tables[0][1:]] == ["–"] * 3
    assert len(read.tables) == 4
    kept = sorted(sorted(range(3), key=lambda place: -given.attention[place])[:2])
    assert [place + 1 for place in kept] == [
        int(number) for number in re.findall(r"Memory (\d): heads by layers: ", read.text)
    ]
    assert "Only the 2 memories with the largest shares" in read.text


# ---------------------------------------------------------------- the picture


def test_the_picture_has_each_cell_in_its_colour() -> None:
    heat = memories_by_layer(shares())
    picture = decoded(heat_picture(heat))
    for level, (ground, _) in enumerate(COLOURS):
        colour = [int(ground[start : start + 2], 16) for start in (1, 3, 5)]
        count = sum(heat.level(row, column) == level for row in range(4) for column in range(4))
        pixels = int((picture == colour).all(2).sum())
        assert bool(pixels) == bool(count)
        assert pixels <= count * 30 * 17 * 9
    assert (picture[-1] == 255).all()


def test_a_picture_of_very_much_stays_a_picture() -> None:
    picture = decoded(heat_picture(memories_by_layer(shares(300, 100, 1))))
    assert picture.shape[0] < 12_000
    assert picture.shape[1] < 7_000
