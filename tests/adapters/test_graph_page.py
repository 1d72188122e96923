"""The page of a graph: all of it and nothing else, whatever the words; drawn by a real browser where there is one."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from factories import Memories  # type: ignore[import-not-found]
from hypothesis import given
from hypothesis import strategies as st

from tercet import Memory
from tercet.adapters import graph_page as module
from tercet.adapters.graph_page import Page, graph_page
from tercet.sdk.explaining import explain
from tercet.sdk.links import links
from tercet.store.note import Fact

EVIL = '</script><script>document.body.dataset.evil="yes"</script><img src=x onerror=alert(1)> {{data}} <!-- \u202e'


class Parsed(HTMLParser):
    """What a browser would see: the tags with their attributes, and the text of each script and style."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.held: dict[str, str] = {}
        self._inside = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = f"{tag} {dict(attrs).get('type', '')}".strip() if tag in ("script", "style") else ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.held[self._inside] = self.held.get(self._inside, "") + data

    @property
    def data(self) -> dict[str, Any]:
        values: dict[str, Any] = json.loads(self.held["script application/json"])
        return values


def page(memory: Memory, question: str = "") -> Page:
    explanation = explain(memory, question) if question else None
    facts = memory.facts(superseded=True)
    return graph_page(notes=memory.notes(limit=1_000), facts=facts, links=links(memory), explanation=explanation)


@pytest.fixture
def ada(memory: Memories) -> Memory:
    made: Memory = memory(embedder=None)
    made.write("Mia is Ada's daughter.", facts=[("Mia", "daughter of", "Ada")], speaker="Ada", happened="2023-01-02")
    made.write("Mia lives in Lisbon.", facts=[("Mia", "lives in", "Lisbon")], happened="2023-05-06")
    made.write("Mia moved to Porto.", facts=[("Mia", "lives in", "Porto")], happened="2024-05-06")
    return made


def test_names_facts_and_notes_are_in_it(ada: Memory) -> None:
    made = page(ada)
    data = Parsed(made.html).data
    names = [name["label"] for name in data["names"]]
    facts = {(names[one["s"]], one["relation"], names[one["o"]]): one for one in data["facts"]}
    assert facts["Mia", "lives in", "Lisbon"]["over"]
    assert facts["Mia", "lives in", "Lisbon"]["to"] == "2024-05-06"
    assert not facts["Mia", "lives in", "Porto"]["over"]
    notes = data["notes"]
    assert [notes[n]["text"] for n in facts["Mia", "lives in", "Porto"]["notes"]] == ["Mia moved to Porto."]
    assert (notes[0]["day"], notes[0]["speaker"]) == ("2023-01-02", "Ada")
    mentions = list(zip(data["mentions"][::2], data["mentions"][1::2], strict=True))
    assert {(notes[n]["text"], names[name]) for n, name in mentions} >= {("Mia moved to Porto.", "Porto")}
    assert {name["label"] for name in data["names"] if name["speaker"]} == {"Ada"}
    assert (made.names, made.notes, made.limits) == (len(names), 3, ())


def test_nothing_comes_from_elsewhere_and_only_its_own_script_runs(ada: Memory) -> None:
    html = page(ada).html
    parsed = Parsed(html)
    policy = next(tag["content"] for name, tag in parsed.tags if tag.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    for kind in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(parsed.held[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert not re.search(
        r"https?:|//[a-z]|\beval\b|innerHTML|outerHTML|insertAdjacent|document\.write|Function\(", html
    )
    assert not any(
        {"src", "href", "style"} & tag.keys() or any(a.startswith("on") for a in tag) for _, tag in parsed.tags
    )


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00\n\r"), max_size=60))
def test_no_words_leave_the_data(words: str) -> None:
    name = f"{EVIL}{words}"
    fact = Fact(name, "says", "x", "", "", 1.0, "given", (), False)
    clean = Parsed(graph_page(notes=[], facts=[], links=[]).html)
    parsed = Parsed(graph_page(notes=[], facts=[fact], links=[]).html)
    assert parsed.tags == clean.tags
    assert parsed.held["script"] == clean.held["script"]
    label = parsed.data["names"][0]["label"]
    assert label.startswith('</script><script>document.body.dataset.evil="yes"')
    assert "\u202e" not in parsed.data["names"][0]["label"]


def test_what_is_left_out_is_said(ada: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_NAMES", 2)
    monkeypatch.setattr(module, "_NOTES", 1)
    made = page(ada)
    data = Parsed(made.html).data
    assert [name["label"] for name in data["names"]] == ["Mia", "Ada"]
    assert [note["text"] for note in data["notes"]] == ["Mia moved to Porto."]
    assert [one["relation"] for one in data["facts"]] == ["daughter of"]
    assert data["facts"][0]["support"] == 1
    assert data["facts"][0]["notes"] == []
    assert made.limits[:2] == (
        "only the 2 best-linked of 4 names are in this page",
        "only the 1 newest of 3 notes are in this page",
    )
    assert set(made.limits) < set(data["limits"])


def test_a_recall_is_explained_in_it_whatever_is_left_out(ada: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_NAMES", 1)
    monkeypatch.setattr(module, "_NOTES", 1)
    recall = ada.read("Where does Ada's daughter live?")
    data = Parsed(page(ada, "Where does Ada's daughter live?").html).data
    told = data["explained"]
    assert told["question"] == "Where does Ada's daughter live?"
    assert [data["names"][i]["label"] for i in told["starts"]] == ["Ada"]
    assert [data["notes"][one["note"]]["id"] for one in told["found"]] == [found.note.id for found in recall]
    assert [dict(one["votes"]) for one in told["found"]] == [dict(found.why.votes) for found in recall]
    ways = {one["way"] for one in told["found"]}
    assert "Ada ←daughter of— Mia" in ways


def test_an_empty_memory_has_a_page(memory: Memories) -> None:
    made = page(memory(embedder=None))
    assert (made.names, made.notes, made.facts, made.limits) == (0, 0, 0, ())


BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_a_browser_draws_it(ada: Memory, tmp_path: Path) -> None:
    ada.write("Nasty.", facts=[(EVIL, "lives in", "Porto")], happened="2024-06-01")
    for place, question in enumerate(["", "Where does Ada's daughter live?"]):
        file = tmp_path / f"{place}.html"
        file.write_text(page(ada, question).html, "utf-8")
        quiet = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
        drawn_at_once = ("--force-prefers-reduced-motion", "--virtual-time-budget=20000", "--dump-dom")
        home = f"--user-data-dir={tmp_path / 'home'}"
        done = subprocess.run(
            [str(BROWSER), *quiet, *drawn_at_once, home, file.as_uri()],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        seen = Parsed(done.stdout)
        body = next(tag for name, tag in seen.tags if name == "body")
        assert body.get("data-settled") == "yes"
        assert "data-evil" not in body
        assert not [name for name, _ in seen.tags if name == "img"]
        panel = done.stdout.partition("<aside")[2].partition("</aside>")[0]
        assert (question in panel and "Ada ←daughter of— Mia" in panel) if question else ">Mia</button>" in panel
