import gc
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import httpx
import pytest
from chat_server import ChatServer, Reply, event  # type: ignore[import-not-found]
from hypothesis import given
from hypothesis import strategies as st

from tercet.engines import endpoint
from tercet.engines.chat import ChatModel, Message
from tercet.engines.endpoint import EndpointModel
from tercet.engines.prompt import approximate_tokens
from tercet.engines.sse import events
from tercet.store.errors import EndpointError, InvalidInput

ASK = [Message("system", "Be brief."), Message("user", "Where does Ada live? 東京?")]
KEY = "sk-very-secret-0123456789"
STREAM = {"Content-Type": "text/event-stream; charset=utf-8"}

Connect = Callable[..., tuple[EndpointModel, ChatServer]]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries, which are not waited for."""
    seen: list[float] = []
    monkeypatch.setattr(endpoint, "sleep", seen.append)
    return seen


@pytest.fixture
def connect(pauses: list[float]) -> Iterator[Connect]:
    """Starts a server with these replies and returns a model that asks it."""
    opened: list[tuple[EndpointModel, ChatServer]] = []

    def start(*replies: Reply, retries: int = 2, timeout: float = 5.0, api_key: str | None = None):  # type: ignore[no-untyped-def]
        server = ChatServer(*replies, model=lambda turns: f"You said: {turns[-1]['content']}").__enter__()
        model = EndpointModel(server.url, "qwen3", retries=retries, timeout=timeout, api_key=api_key)
        opened.append((model, server))
        return model, server

    yield start
    for model, server in opened:
        model.close()
        server.__exit__(None, None, None)


def complaint(model: EndpointModel, *, streaming: bool = False) -> str:
    with pytest.raises(EndpointError) as caught:
        "".join(model.stream(ASK)) if streaming else model.generate(ASK)
    return str(caught.value)


def completion(content: object) -> bytes:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]}).encode()


# ---------------------------------------------------------------- good answers


def test_an_answer_is_asked_for_as_openai_s_servers_expect_it(connect: Connect) -> None:
    endpoint_model, server = connect(api_key=KEY)
    model: ChatModel = endpoint_model
    assert model.name == "qwen3"
    assert model.generate(ASK, max_tokens=7) == "You said: Where does Ada live? 東京?"
    assert server.requests == [
        {
            "model": "qwen3",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Where does Ada live? 東京?"},
            ],
            "max_tokens": 7,
            "stream": False,
        }
    ]
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    assert model.count("one two") == approximate_tokens("one two")


def test_a_streamed_answer_comes_in_pieces_that_make_the_whole(connect: Connect) -> None:
    model, server = connect()
    pieces = list(model.stream(ASK, max_tokens=7))
    assert len(pieces) > 3
    assert "".join(pieces) == model.generate(ASK)
    assert server.requests[0]["stream"] is True


def test_pieces_are_handed_on_before_the_answer_is_whole(connect: Connect) -> None:
    model, _ = connect(Reply([event("first")], headers=STREAM, hang=True))
    stream = model.stream(ASK)
    assert next(stream) == "first"
    stream.close()  # type: ignore[attr-defined]


def test_without_a_key_none_is_sent_even_if_the_environment_has_one(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "TERCET_API_KEY"):
        monkeypatch.setenv(name, KEY)
    model, server = connect()
    model.generate(ASK)
    assert "authorization" not in server.headers[0]


def test_a_server_on_this_machine_is_not_asked_through_a_proxy(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    model, _ = connect()
    assert model.generate(ASK).startswith("You said")


def test_credentials_and_query_of_the_address_are_used_but_not_shown(connect: Connect) -> None:
    _, server = connect(Reply(b"hunter2 and sk-q", status=401))
    address = server.url.replace("//", "//ada:hunter2@") + "/?key=sk-q"
    model = EndpointModel(address, "qwen3")
    assert complaint(model) == (f"{server.url}/chat/completions: 401 Unauthorized: '*** and sk-q'; check api_key")
    assert "hunter2" not in repr(model)
    assert "sk-q" not in repr(model)
    assert server.headers[0]["authorization"].startswith("Basic ")
    assert model.generate(ASK).startswith("You said")
    model.close()


def test_one_model_serves_many_threads(connect: Connect) -> None:
    model, _ = connect()
    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(model.generate(ASK))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert len(set(answers)) == 1


def test_a_forgotten_model_closes_its_connections_without_a_warning(connect: Connect) -> None:
    _, server = connect()
    model = EndpointModel(server.url, "qwen3")
    model.generate(ASK)
    del model
    gc.collect()  # an unclosed socket would be a ResourceWarning, which is an error here


# ---------------------------------------------------------------- refusals and retries


@pytest.mark.parametrize(
    ("status", "mend"),
    [(400, ""), (401, "check api_key"), (403, "api_key may use"), (404, "usually ends in /v1"), (500, "")],
)
@pytest.mark.parametrize("streaming", [False, True])
def test_a_refusal_tells_address_status_body_and_mend_and_is_not_retried(
    status: int, mend: str, streaming: bool, connect: Connect, pauses: list[float]
) -> None:
    model, server = connect(Reply(b'{"error": "no \x1b[31mway"}', status=status))
    text = complaint(model, streaming=streaming)
    assert text.startswith(f"{server.url}/chat/completions: {status} ")
    assert r'{"error": "no \x1b[31mway"}' in text
    assert mend in text
    assert pauses == []
    assert len(server.requests) == 1


def test_a_long_body_is_told_only_in_part(connect: Connect) -> None:
    model, _ = connect(Reply(b"x" * 100_000, status=500))
    assert len(complaint(model)) < 400


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize("streaming", [False, True])
def test_a_busy_server_is_asked_again(status: int, streaming: bool, connect: Connect, pauses: list[float]) -> None:
    model, server = connect(Reply(status=status), Reply(status=status))
    answer = "".join(model.stream(ASK)) if streaming else model.generate(ASK)
    assert answer == "You said: Where does Ada live? 東京?"
    assert pauses == [0.5, 1.0]
    assert len(server.requests) == 3


def test_tries_end_where_they_were_said_to_end(connect: Connect, pauses: list[float]) -> None:
    model, server = connect(*[Reply(b"later", status=503)] * 5, retries=3)
    assert "503 Service Unavailable: 'later'" in complaint(model)
    assert pauses == [0.5, 1.0, 2.0]
    assert len(server.requests) == 4


def test_retry_after_is_honoured_in_seconds_and_as_a_date(connect: Connect, pauses: list[float]) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    past = "Wed, 21 Oct 2015 07:28:00 GMT"
    answers = [Reply(status=429, headers={"Retry-After": value}) for value in ("7", soon, past, "nonsense")]
    model, _ = connect(*answers, retries=4)
    model.generate(ASK)
    assert pauses[0] == 7
    assert 15 < pauses[1] <= 20
    assert pauses[2:] == [0, 4.0]


def test_a_server_that_asks_to_wait_too_long_is_not_waited_for(connect: Connect, pauses: list[float]) -> None:
    model, server = connect(Reply(status=429, headers={"Retry-After": "3600"}))
    assert "Retry-After '3600'" in complaint(model)
    assert pauses == []
    assert len(server.requests) == 1


def test_a_redirect_is_not_followed(connect: Connect) -> None:
    _, elsewhere = connect()
    model, _ = connect(Reply(status=307, headers={"Location": f"{elsewhere.url}/chat/completions"}), api_key=KEY)
    assert f"redirects are not followed, it points to '{elsewhere.url}" in complaint(model)
    assert elsewhere.requests == []


def test_a_refused_connection_names_the_mend(pauses: list[float]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    model = EndpointModel(f"http://127.0.0.1:{port}/v1", "qwen3", retries=1)
    text = complaint(model)
    assert text.startswith(f"http://127.0.0.1:{port}/v1/chat/completions: cannot connect: ConnectError")
    assert "is the server running?" in text
    assert pauses == [0.5]


@pytest.mark.parametrize("streaming", [False, True])
def test_a_server_that_hangs_is_left_after_the_timeout(streaming: bool, connect: Connect, pauses: list[float]) -> None:
    model, server = connect(Reply(hang=True), timeout=0.3)
    start = time.monotonic()
    assert "no answer within 0.3 s" in complaint(model, streaming=streaming)
    assert time.monotonic() - start < 3
    assert len(server.requests) == 1  # it may be at work on the first


def test_a_server_that_trickles_is_left_after_the_timeout(connect: Connect) -> None:
    def dripping() -> Iterator[bytes]:
        for _ in range(100):
            time.sleep(0.05)
            yield b" "

    model, _ = connect(Reply(dripping()), timeout=0.4)
    start = time.monotonic()
    assert "no whole answer within 0.4 s" in complaint(model)
    assert time.monotonic() - start < 3


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


# ---------------------------------------------------------------- what is asked and what is shown


@pytest.mark.parametrize("address", ["", "localhost:11434/v1", "ftp://localhost/v1", "http://", "http://a:b/v1", "/v1"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(InvalidInput, match="base_url"):
        EndpointModel(address, "qwen3")


def test_settings_that_cannot_work_are_refused() -> None:
    for wrong in ({"timeout": 0}, {"timeout": float("nan")}, {"retries": -1}):
        with pytest.raises(InvalidInput, match="timeout"):
            EndpointModel("http://localhost/v1", "qwen3", **wrong)
    with pytest.raises(InvalidInput, match="model is empty"):
        EndpointModel("http://localhost/v1", "")


@pytest.mark.parametrize("key", ["sk-1\r\nX-Evil: 1", "sk 1", "sk-ключ"])
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        EndpointModel("http://localhost/v1", "qwen3", api_key=key)
    assert key not in str(caught.value)


@pytest.mark.parametrize("streaming", [False, True])
def test_what_cannot_be_asked_is_refused_before_anything_is_sent(streaming: bool, connect: Connect) -> None:
    model, server = connect()
    for messages, most in (([], 5), (ASK, 0), ([Message("user", "bad \ud800")], 5)):
        with pytest.raises(InvalidInput):
            list(model.stream(messages, max_tokens=most)) if streaming else model.generate(messages, max_tokens=most)
    assert server.requests == []


def test_the_key_is_never_shown(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    echo = f'{{"error": "Incorrect API key provided: {KEY}"}}'.encode()
    model, _ = connect(Reply(echo, status=401), api_key=KEY)
    with caplog.at_level(logging.DEBUG):
        shown = complaint(model) + repr(model) + str(model) + repr(vars(model)["_client"].headers) + caplog.text
        model.generate(ASK)
    assert "provided: ***" in shown
    assert caplog.text
    assert KEY not in shown + caplog.text


def test_a_closed_model_closes_its_connections(connect: Connect) -> None:
    model, _ = connect()
    model.generate(ASK)
    model.close()
    model.close()
    with pytest.raises(RuntimeError, match="closed"):
        model.generate(ASK)
    assert isinstance(model._client, httpx.Client)
    assert model._client.is_closed
