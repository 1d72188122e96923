import gc
import logging
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from chat_server import Reply, event  # type: ignore[import-not-found]
from endpoint_cases import ASK, KEY, STREAM, Connect, complaint  # type: ignore[import-not-found]

from tercet.engines.chat import ChatModel, Message
from tercet.engines.endpoint import EndpointModel
from tercet.engines.prompt import approximate_tokens
from tercet.store.errors import InvalidInput

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
    stream.close()


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
