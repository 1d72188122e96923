"""A memory with a screen keeps secrets out of every form, whichever way they come in."""

import pytest
from factories import HashEmbedder, Memories, PatternExtractor  # type: ignore[import-not-found]

from tercet.engines import PatternScreen
from tercet.engines.screening import Policy, SecretFound
from tercet.sdk import Memory

TOKEN = "ghp_" + "a1B2" * 9


def screened(memory: Memories, policy: Policy) -> Memory:
    return Memory(
        memory.home / "memory",
        scope="ada",
        embedder=HashEmbedder(),
        extractor=PatternExtractor(),
        screen=PatternScreen(policy),
    )


def test_a_note_with_a_secret_is_refused_and_the_message_does_not_hold_it(memory: Memories) -> None:
    with screened(memory, "refuse") as ada:
        kept = ada.write("nothing secret here")
        for verb in (
            lambda: ada.write(f"my token is {TOKEN}"),
            lambda: ada.write_many(["fine", {"text": "x", "metadata": {"note": TOKEN}}]),
            lambda: ada.revise(kept.id, f"now with {TOKEN}"),
        ):
            with pytest.raises(SecretFound) as told:
                verb()
            assert TOKEN not in str(told.value)
        assert [note.text for note in ada.notes()] == ["nothing secret here"]


def test_what_is_redacted_is_in_no_form_and_no_file(memory: Memories) -> None:
    with screened(memory, "redact") as ada:
        note = ada.write(f"my token is {TOKEN}, keep it", facts=[("Ada", "owns", TOKEN)], speaker="Ada")
        assert TOKEN not in note.text
        assert "keep it" in note.text
        assert [TOKEN in fact.object for fact in ada.facts(subject="Ada")] == [False]
    assert TOKEN.encode() not in b"".join(p.read_bytes() for p in (memory.home / "memory").iterdir() if p.is_file())


def test_an_import_is_screened_too_and_twice_is_once(memory: Memories) -> None:
    with memory("ada") as open_house:
        open_house.write(f"my token is {TOKEN}")
        lines = list(open_house.export())
    other = Memory(memory.home / "other", scope="ada", embedder=None, extractor=None, screen=PatternScreen("redact"))
    with other:
        assert other.import_(lines) == 1
        assert other.import_(lines) == 0
        assert TOKEN not in other.notes()[0].text
