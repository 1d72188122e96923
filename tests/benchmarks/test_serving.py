"""The test double of a serving engine counts prefixes as vLLM and SGLang do."""

from collections.abc import Sequence

import pytest
from benchmarks.serving import BlockCache, PrefixServer, RadixCache
from hypothesis import given
from hypothesis import strategies as st

from tercet.engines.chat import Message
from tercet.engines.endpoint import EndpointModel

SEQUENCES = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=60), max_size=8)


def longest(known: Sequence[list[int]], asked: list[int]) -> int:
    """Returns the longest common prefix with anything known, short of the last token asked for."""
    room = range(len(asked) - 1, 0, -1)
    return next((size for size in room if any(one[:size] == asked[:size] for one in known if len(one) >= size)), 0)


@given(SEQUENCES, st.lists(st.integers(0, 2), min_size=1, max_size=60))
def test_caches_know_the_longest_prefix_of_anything_seen(known: list[list[int]], asked: list[int]) -> None:
    blocks, radix = BlockCache(), RadixCache()
    for one in known:
        blocks.add(one)
        radix.add(one)
    assert radix.hits(asked) == longest(known, asked)
    whole = [one[: len(one) // 16 * 16] for one in known]
    assert blocks.hits(asked) == longest(whole, asked) // 16 * 16


def test_a_block_is_known_only_behind_what_it_stood_behind() -> None:
    blocks = BlockCache()
    first, second = list(range(16)), list(range(16, 32))
    blocks.add([*first, *second])
    assert blocks.hits([*first, *second, 1]) == 32
    assert blocks.hits([*second, *first, 1]) == 0
    assert blocks.hits([*first, *second]) == 16, "the last token is always computed"


@pytest.mark.parametrize("stream", [True, False])
def test_the_server_answers_the_protocol_and_counts_what_it_had(stream: bool) -> None:
    def letters(text: str) -> list[int]:
        return list(text.encode())

    with PrefixServer(letters, lambda turns: f"heard {turns[-1]['content']}") as server:
        model = EndpointModel(server.url, "double")
        messages = [Message("user", "one")]
        for _ in range(2):
            answer = "".join(model.stream(messages)) if stream else model.generate(messages)
            assert answer == f"heard {messages[-1].content}"
            messages += [Message("assistant", answer), Message("user", "two")]
        model.close()
    first, second = server.seen
    assert (first.blocks, first.radix) == (0, 0)
    assert second.radix >= first.prompt + len("heard one"), "what was said is in the cache, too"
    assert second.radix - 16 < second.blocks <= second.radix
