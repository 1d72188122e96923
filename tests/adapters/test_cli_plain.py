from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tercet.adapters.cli.plain import cut, one_line, plain, safe_json, safe_line

HOSTILE = {
    "clear screen": ("\x1b[2J\x1b[Hgone", "\\x1b[2J\\x1b[Hgone"),
    "window title": ("\x1b]0;pwned\x07", "\\x1b]0;pwned\\x07"),
    "clipboard": ("\x1b]52;c;cm0gLXJmIC8=\x07", "\\x1b]52;c;cm0gLXJmIC8=\\x07"),
    "hyperlink": ("\x1b]8;;http://evil\x1b\\here\x1b]8;;\x1b\\", "\\x1b]8;;http://evil\\x1b\\here\\x1b]8;;\\x1b\\"),
    "one-byte CSI": ("a\x9b31mb", "a\\x9b31mb"),
    "carriage return": ("safe\rrm -rf", "safe\\rrm -rf"),
    "backspace": ("abc\b\b\bxyz", "abc\\x08\\x08\\x08xyz"),
    "delete": ("a\x7fb", "a\\x7fb"),
    "bidi override": ("user\u202egnp.exe", "user\\u202egnp.exe"),
    "bidi isolate": ("\u2066x\u2069", "\\u2066x\\u2069"),
    "right-to-left mark": ("a\u200fb", "a\\u200fb"),
    "zero-width space": ("pay\u200bpal", "pay\\u200bpal"),
    "zero-width joiner": ("a\u200db", "a\\u200db"),
    "byte order mark": ("a\ufeffb", "a\\ufeffb"),
    "soft hyphen": ("pass\u00adword", "pass\\xadword"),
    "tags": ("hi\U000e0049\U000e0067", "hi\\U000e0049\\U000e0067"),
    "variation selectors": ("a\ufe01\U000e0101", "a\\ufe01\\U000e0101"),
    "fillers": ("\u3164\u115f\uffa0\u2800", "\\u3164\\u115f\\uffa0\\u2800"),
    "line separators": ("a\u2028b\u2029c\x85d", "a\\u2028b\\u2029c\\x85d"),
    "private use": ("\ue000", "\\ue000"),
    "interlinear": ("\ufff9a\ufffb", "\\ufff9a\\ufffb"),
}
ORDINARY = [
    "Ça va? naïve",
    "日本　語",
    "مرحبا",
    "नमस्ते",
    "❤️ ok 👍🏽",
    "a\u00a0b",
    "x\ny",
    "[bold]not markup[/bold] :smile:",
]


@pytest.mark.parametrize(("text", "shown"), HOSTILE.values(), ids=HOSTILE.keys())
def test_what_cannot_be_seen_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert plain(text) == shown
    assert one_line(text) == shown


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert plain(text) == text


def test_line_ends_and_tabs_of_other_systems_are_no_attack() -> None:
    assert plain("a\r\nb\tc") == "a\nb    c"
    assert one_line("  a\r\n\n b\tc ") == "a b c"


@given(st.text())
def test_nothing_invisible_is_ever_printed(text: str) -> None:
    shown = plain(text)
    assert all(char == "\n" or char.isprintable() or unicodedata.category(char) == "Zs" for char in shown)
    assert "\n" not in one_line(text)


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_safe_json_reads_back_to_the_same_value_and_is_visible(value: object) -> None:
    for indent in (None, 2):
        told = safe_json(value, indent=indent)
        assert json.loads(told) == value
        assert plain(told) == told


def test_lines_of_an_export_keep_their_meaning() -> None:
    line = json.dumps({"text": "a\u202eb\U000e0041\x9b"}, ensure_ascii=False)
    assert safe_line(line) == '{"text": "a\\u202eb\\udb40\\udc41\\u009b"}'
    assert json.loads(safe_line(line)) == json.loads(line)


def test_cut_marks_what_is_missing() -> None:
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abcdef", 4) == "abc…"
