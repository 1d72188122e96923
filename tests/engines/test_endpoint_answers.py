from itertools import pairwise

import pytest
from chat_server import Reply, event  # type: ignore[import-not-found]
from endpoint_cases import ASK, STREAM, Connect, complaint, completion  # type: ignore[import-not-found]
from hypothesis import given
from hypothesis import strategies as st

from tercet.engines.endpoint import EndpointModel
from tercet.engines.sse import events
from tercet.store.errors import EndpointError

# ---------------------------------------------------------------- malformed answers


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "the whole: Invalid JSON"),
        (b'{"choices": [{"mess', "the whole: Invalid JSON"),
        (b"<html>\x1b[2J</html>", r"'<html>\x1b[2J</html>'"),
        (b"\xff\xfe", "the whole"),
        (b"[" * 100_000, "the whole: Invalid JSON"),
        (b"[]", "the whole"),
        (b'{"error": {"message": "model is loading"}}', 'choices: Field required): \'{"error"'),
        (b'{"choices": []}', "choices: List should have at least 1 item"),
        (completion(None), "choices.0.message.content: Input should be a valid string"),
        (completion(["a"]), "choices.0.message.content"),
        (b'{"choices": [{"text": "old API"}]}', "choices.0.message: Field required"),
    ],
)
def test_a_malformed_answer_is_told_with_its_place_and_start(body: bytes, told: str, connect: Connect) -> None:
    model, server = connect(Reply(body))
    text = complaint(model)
    assert told in text
    assert text.startswith(f"{server.url}/chat/completions: answered no chat completion")
    assert text.isprintable()
    assert len(text) < 500


def test_an_empty_answer_is_an_answer(connect: Connect) -> None:
    model, _ = connect(Reply(completion("")))
    assert model.generate(ASK) == ""


@pytest.mark.parametrize("streaming", [False, True])
def test_a_huge_answer_is_refused_before_it_is_whole(streaming: bool, connect: Connect) -> None:
    pieces = [b"data: " + b"x" * 1_000_000] * 11
    model, _ = connect(Reply(pieces, headers=STREAM if streaming else {}))
    assert "larger than 10000000 bytes" in complaint(model, streaming=streaming)


def test_a_cut_answer_tells_how_much_came(connect: Connect) -> None:
    model, _ = connect(Reply(b'{"choices": [', cut=True))
    assert "the answer broke off after 13 bytes: RemoteProtocolError" in complaint(model)


# ---------------------------------------------------------------- streams


def streamed(connect: Connect, *pieces: bytes, **how: bool) -> EndpointModel:
    model: EndpointModel = connect(Reply(pieces, headers=STREAM, **how))[0]
    return model


def test_a_cut_stream_hands_on_what_came_and_tells_how_much(connect: Connect) -> None:
    model = streamed(connect, event("Lis"), event("bon"), cut=True)
    stream = model.stream(ASK)
    assert [next(stream), next(stream)] == ["Lis", "bon"]
    with pytest.raises(EndpointError, match="the stream broke off after 6 characters: RemoteProtocolError"):
        next(stream)


def test_a_stream_that_ends_before_the_model_is_done_is_cut_too(connect: Connect) -> None:
    assert "ended after 3 characters, before the model was done" in complaint(
        streamed(connect, event("Lis")), streaming=True
    )
    assert "ended after 0 characters" in complaint(streamed(connect), streaming=True)


def test_a_stream_that_stalls_is_left_after_the_timeout(connect: Connect) -> None:
    model, _ = connect(Reply([event("Lis")], headers=STREAM, hang=True), timeout=0.3)
    assert "broke off after 3 characters: ReadTimeout" in complaint(model, streaming=True)


def test_a_stream_without_done_is_whole_if_the_model_finished(connect: Connect) -> None:
    assert list(streamed(connect, event("Lisbon"), event(finish="stop")).stream(ASK)) == ["Lisbon"]


def test_a_stream_may_have_comments_crlf_many_data_lines_and_usage(connect: Connect) -> None:
    model = streamed(
        connect,
        b"\xef\xbb\xbf: OPENROUTER PROCESSING\r\n\r\n",
        b'event: message\r\nid: 1\r\ndata: {"choices": [\r\ndata:   {"delta": {"role": "assistant"}}]}\r',
        b"\n\r\n",
        b'data: {"choices":[{"delta":{"content":"caf\xc3',
        b'\xa9 \xe2\x80\xa8 au lait"}}]}\r\n\r\n',
        b'retry: 10\rdata: {"choices": [], "usage": {"total_tokens": 3}}\r\r',
        b"data: [DONE]",
    )
    assert list(model.stream(ASK)) == ["café \u2028 au lait"]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'data: {"error": {"message": "out of memory"}}\n\n', 'choices: Field required): \'{"error"'),
        (b"data: {broken\n\n", "Invalid JSON"),
        (b'data: {"choices": [{"delta": {"content": 5}}]}\n\n', "choices.0.delta.content"),
    ],
)
def test_a_malformed_event_ends_the_stream_with_an_error(data: bytes, told: str, connect: Connect) -> None:
    assert told in complaint(streamed(connect, event("Lis"), data), streaming=True)


def test_a_server_that_does_not_stream_is_named(connect: Connect) -> None:
    model, _ = connect(Reply(completion("Lisbon")))
    assert 'answered without streaming: \'{"choices"' in complaint(model, streaming=True)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@given(
    texts=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1)),
    cuts=st.lists(st.integers(0, 300)),
)
def test_events_do_not_depend_on_where_the_bytes_are_cut(end: str, texts: list[str], cuts: list[int]) -> None:
    whole = "".join(f": comment{end}data: {text}{end}data:{end}{end}" for text in texts).encode()
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    two_lines = [f"{text}\n" for text in texts]
    assert list(events(whole[a:b] for a, b in pairwise(places))) == two_lines
    assert list(events(chunk for byte in whole for chunk in (bytes([byte]), b""))) == two_lines
