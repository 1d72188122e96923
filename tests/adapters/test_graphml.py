from __future__ import annotations

import io

import networkx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tercet import Memory
from tercet.adapters.graphml import graph_of, write_graphml
from tercet.sdk.links import links
from tercet.store.errors import InvalidScope


def test_links_are_those_of_the_scope(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Memory(tmp_path_factory.mktemp("links") / "m", scope="ada", embedder=None) as memory:
        memory.write("At work.", facts=[("Ada", "works at", "Mill")], scope="ada/work")
        memory.write("At home.", facts=[("Ada", "lives in", "Leeds")], scope="ada/home")
        assert {link.target for link in links(memory)} >= {"Mill", "Leeds"}
        assert "Leeds" not in {side for link in links(memory, scope="ada/work") for side in (link.source, link.target)}
        with pytest.raises(InvalidScope):
            links(memory, scope="bob")


def test_names_meet_however_they_are_written(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Memory(tmp_path_factory.mktemp("graph") / "m", scope="ada", embedder=None) as memory:
        memory.write("One.", facts=[("Ada", "lives in", "the Mill")])
        memory.write("Two.", facts=[("ADA", "left", "Mill")])
        graph = graph_of(notes=memory.notes(), facts=memory.facts(superseded=True), links=links(memory))
    between = graph.get_edge_data("name:ada", "name:mill").values()
    assert {edge["label"] for edge in between if edge["kind"] == "fact"} >= {"lives in", "left"}
    assert graph.nodes["name:ada"] == {"kind": "name", "label": "Ada"}


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.text())
def test_any_text_can_be_written_and_read(text: str) -> None:
    graph = networkx.MultiDiGraph()
    graph.add_node("a", label=text)
    stream = io.BytesIO()
    write_graphml(graph, stream)
    stream.seek(0)
    label = networkx.read_graphml(stream).nodes["a"].get("label") or ""
    if text.isprintable() and text.strip() == text:
        assert label == text
