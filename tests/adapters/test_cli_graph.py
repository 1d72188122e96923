from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import networkx
import pytest
from click.testing import Result

Run = Callable[..., Result]


@pytest.fixture
def family(cli: Run) -> Run:
    cli("write", "Lena is my sister.", "--speaker", "Theo", "--fact", "Lena|sister of|Theo", "--happened", "2024-01-12")
    cli("write", "Lena works there.", "--fact", "Lena|works at|Saltmarsh Bakery", "--happened", "2024-01-13")
    cli("write", "It is by the sea.", "--fact", "Saltmarsh Bakery|located in|Whitby")
    return cli


def test_around_a_name_stand_its_facts_and_theirs(family: Run) -> None:
    lines = family("graph", "--around", "lena").stdout.splitlines()
    assert lines[0] == "Lena"
    work = next(place for place, line in enumerate(lines) if "works at → Saltmarsh Bakery" in line)
    assert "since 2024-01-13" in lines[work]
    assert "located in → Whitby" in lines[work + 1]
    assert "in 2 notes" in "\n".join(lines)
    backwards = family("graph", "--around", "Whitby").stdout
    assert "← located in Saltmarsh Bakery" in backwards


def test_an_unknown_name_is_an_error_that_helps(family: Run) -> None:
    close = family("graph", "--around", "Leena")
    assert (close.exit_code, close.stderr) == (1, "error: no name 'Leena' in the graph; did you mean 'Lena'?\n")
    far = family("graph", "--around", "zzzzzz")
    assert far.stderr == "error: no name 'zzzzzz' in the graph; tercet graph lists names\n"


def test_without_a_name_the_busiest_are_listed(family: Run) -> None:
    result = family("graph")
    assert result.stdout.splitlines()[1].split()[1:] in (["Lena"], ["Saltmarsh", "Bakery"])
    assert "names in 3 notes" in result.stderr


def test_json_lists_every_link_or_those_of_a_name(family: Run) -> None:
    every = json.loads(family("graph", "--json").stdout)
    assert {"fact", "mentions"} <= {link["kind"] for link in every}
    around = json.loads(family("graph", "--around", "Whitby", "--json").stdout)
    assert [(one["source"], one["label"]) for one in around if one["kind"] == "fact"] == [
        ("Saltmarsh Bakery", "located in")
    ]
    assert all("Whitby" in (one["source"], one["target"]) for one in around)


def test_an_empty_graph_is_no_error(cli: Run) -> None:
    cli("write", "nothing to see", "--scope", "other")
    assert cli("graph").stderr == "no names yet\n"
    assert json.loads(cli("graph", "--json").stdout) == []


def test_graphml_is_read_by_networkx_and_keeps_every_fact(family: Run, tmp_path: Path) -> None:
    family("write", "odd \x0b\x1b text", "--fact", "Lena|left|Saltmarsh Bakery")
    result = family("graph", "--output", "out.graphml")
    assert result.exit_code == 0, result.output
    graph = networkx.read_graphml(tmp_path / "out.graphml", force_multigraph=True)
    assert f"{graph.number_of_nodes()} nodes, {graph.number_of_edges()} edges" in result.stdout
    between = graph.get_edge_data("name:lena", "name:saltmarsh bakery").values()
    assert {edge["label"] for edge in between} >= {"works at", "left"}
    assert "odd \\x0b\\x1b text" in {node["label"] for _, node in graph.nodes(data=True)}
    assert {node["kind"] for _, node in graph.nodes(data=True)} == {"note", "name"}
    ElementTree.parse(tmp_path / "out.graphml")
    assert stat.S_IMODE(os.stat(tmp_path / "out.graphml").st_mode) == 0o600


def test_graphml_replaces_no_file_unasked(family: Run, tmp_path: Path) -> None:
    file = tmp_path / "out.graphml"
    file.write_text("mine")
    assert family("graph", "--output", str(file)).exit_code == 2
    assert file.read_text() == "mine"
    assert family("graph", "--output", str(file), "--yes").exit_code == 0
    assert file.read_text().startswith("<?xml")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["out.graphml"]


def test_around_and_output_exclude_each_other(family: Run) -> None:
    assert family("graph", "--around", "Lena", "--output", "x").exit_code == 2


def test_facts_that_turn_in_circles_are_drawn_once(cli: Run) -> None:
    for fact in ("A|knows|A", "A|knows|B", "B|knows|A", "B|knows|C", "C|knows|A"):
        cli("write", f"It says {fact}.", "--fact", fact)
    shown = cli("graph", "--around", "A")
    assert shown.exit_code == 0
    assert len(shown.stdout.splitlines()) < 60
    assert cli("graph", "--output", "circles.graphml").exit_code == 0


def test_a_page_is_written_for_html(family: Run, tmp_path: Path) -> None:
    result = family("graph", "--output", "out.HTML")
    assert result.stdout.startswith("out.HTML: ")
    assert "3 notes" in result.stdout
    page = (tmp_path / "out.HTML").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "Saltmarsh Bakery" in page
    assert stat.S_IMODE(os.stat(tmp_path / "out.HTML").st_mode) == 0o600
    told = json.loads(family("graph", "--output", "out.html", "--json", "--yes").stdout)
    assert (told["notes"], told["limits"]) == (3, [])


def test_a_recall_is_explained_as_a_tree(family: Run, tmp_path: Path) -> None:
    question = "In which town does Theo's sister work?"
    lines = family("graph", "--explain", question).stdout.splitlines()
    assert lines[0] == question
    assert lines[1].endswith("Theo")
    assert any("← sister of Lena" in line for line in lines)
    assert any("works at → Saltmarsh Bakery" in line for line in lines)
    assert any("It is by the sea." in line for line in lines)
    told = json.loads(family("graph", "--explain", question, "--json").stdout)
    assert told["names"] == ["Theo"]
    steps = [step for one in told["found"] for step in one["walked"]]
    assert ("Theo", "sister of", "Lena", True) in {
        (one["source"], one["relation"], one["target"], one["backward"]) for one in steps
    }
    assert all(one["fact"]["notes"] for one in steps)
    assert family("graph", "--explain", question, "--output", "why.html").exit_code == 0
    assert question in (tmp_path / "why.html").read_text()


def test_a_question_that_finds_nothing_and_options_that_clash(family: Run) -> None:
    assert family("graph", "--explain", "?!").stderr == "nothing fits\n"
    assert family("graph", "--explain", "Lena", "--around", "Lena").exit_code == 2
    assert "ends in .html" in family("graph", "--explain", "Lena", "--output", "x.graphml").stderr
