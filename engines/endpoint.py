"""A language model behind an OpenAI-compatible server: Ollama, llama.cpp, vLLM, LM Studio, or a hosted one."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic, sleep

import httpx
from pydantic import BaseModel, Field, ValidationError

from ..store.errors import EndpointError, InvalidInput
from .chat import Message, NoRoom
from .json_records import schema_of
from .prompt import approximate_tokens
from .sse import events

__all__ = ["EndpointModel"]

_MOST_BYTES = 10_000_000
_LONGEST_CONNECT = 10.0  # seconds
_LONGEST_PAUSE = 30.0  # seconds between two tries
_WORTH_A_RETRY = {429, 502, 503, 504}
_NO_SCHEMAS = {400, 415, 422, 501}
_MENDS = {
    401: "check api_key",
    403: "check that api_key may use this model",
    404: "check base_url (it usually ends in /v1) and that the server has the model",
}


class _Refused(EndpointError):
    """The server answered with a status that is no success."""

    status = 0


class _Turn(BaseModel):
    content: str


class _MaybeTurn(BaseModel):
    content: str | None


class _Choice(BaseModel):
    message: _Turn


class _Answer(BaseModel):
    choices: list[_Choice] = Field(min_length=1)


class _MaybeChoice(BaseModel):
    message: _MaybeTurn
    finish_reason: str | None = None


class _MaybeAnswer(BaseModel):
    choices: list[_MaybeChoice] = Field(min_length=1)


class _Delta(BaseModel):
    content: str | None = None


class _Piece(BaseModel):
    delta: _Delta
    finish_reason: str | None = None


class _Chunk(BaseModel):
    choices: list[_Piece]  # empty in a chunk that only reports usage


class EndpointModel:
    """A chat model behind any OpenAI-compatible ``/chat/completions``.

    Connections are kept open between calls; `close`, or the end of the object, closes them. Safe to share between
    threads. Redirects are not followed, and an answer larger than 10 MB is refused. A server on this machine is
    never asked through a proxy.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str | None = None,
        timeout: float = 60.0,
        retries: int = 2,
    ) -> None:
        """Checks the arguments; nothing is sent before the first answer is wanted.

        Args:
            base_url: what comes before ``/chat/completions``, for example ``"http://localhost:11434/v1"``.
            model: the model's name as the server knows it.
            api_key: sent as a bearer token; taken from here only, never from the environment, and shown nowhere.
            timeout: seconds that `generate` waits for the whole answer, and `stream` for each next piece.
            retries: how often a request is sent again after a failed connection or status 429, 502, 503, 504.

        Raises:
            InvalidInput: an argument that cannot be used.
        """
        url = _checked_url(base_url)
        if not model:
            raise InvalidInput("model is empty; give the name under which the server knows it")
        if api_key and not (api_key.isascii() and api_key.isprintable() and " " not in api_key):
            raise InvalidInput("api_key has spaces, line ends or characters that no HTTP header can carry")
        if not timeout > 0 or retries < 0:
            raise InvalidInput(f"timeout={timeout}, retries={retries}; give more than 0 seconds, 0 or more retries")
        self._model = model
        self._url = url.copy_with(path=url.path.rstrip("/") + "/chat/completions", userinfo=b"")
        self._shown = str(self._url.copy_with(query=None, fragment=None))  # a query can hold a key, too
        self._secrets = [secret for secret in (api_key, url.password) if secret]
        self._timeout = timeout
        self._retries = retries
        self._client = httpx.Client(
            auth=(url.username, url.password) if url.userinfo and not api_key else None,
            headers={"Authorization": f"Bearer {api_key}"} if api_key else None,
            timeout=httpx.Timeout(timeout, connect=min(timeout, _LONGEST_CONNECT)),
            trust_env=url.host not in {"localhost", "127.0.0.1", "::1"},
        )
        self._knows_schemas = True  # until it refuses one
        self._closer = weakref.finalize(self, self._client.close)

    def __repr__(self) -> str:
        return f"EndpointModel({self._shown.removesuffix('/chat/completions')!r}, {self._model!r})"

    @property
    def name(self) -> str:
        """Returns the model's name as the server knows it."""
        return self._model

    def close(self) -> None:
        """Closes the connections; the object cannot be used afterwards."""
        self._closer()

    def count(self, text: str) -> int:
        """Returns about how many tokens a text has (`approximate_tokens`): a server does not say."""
        return approximate_tokens(text)

    def generate(self, messages: Sequence[Message], *, max_tokens: int = 256) -> str:
        """Returns the model's next turn, at most ``max_tokens`` tokens of it.

        Raises:
            EndpointError: the server could not be reached, refused, took too long, or answered malformed.
            InvalidInput: no messages, less than one token, or text that cannot be sent.
        """
        return self._whole(self._payload(messages, max_tokens, stream=False))

    def generate_json(
        self, messages: Sequence[Message], *, name: str, fields: Sequence[str], max_tokens: int = 256
    ) -> str:
        """Returns the model's next turn, held to ``{name: [{field: "…", …}, …]}`` by a server that can.

        The server is given a JSON schema (``response_format``). One that refuses it and answers without
        is asked without from then on. A model that says nothing (``content`` is null) gives an empty text.

        Raises:
            EndpointError: as `generate`.
            InvalidInput: as `generate`.
            NoRoom: the answer was cut.
        """
        payload = self._payload(messages, max_tokens, stream=False)
        if self._knows_schemas:
            schema = {"name": name, "strict": True, "schema": schema_of(name, fields)}
            try:
                return self._said({**payload, "response_format": {"type": "json_schema", "json_schema": schema}})
            except _Refused as error:
                if error.status not in _NO_SCHEMAS:
                    raise
        answer = self._said(payload)
        self._knows_schemas = False  # the plain request went through, so it was the schema that was refused
        return answer

    def _whole(self, payload: dict[str, object]) -> str:
        body = self._body(payload)
        try:
            return _Answer.model_validate_json(body).choices[0].message.content
        except ValidationError as error:
            raise self._malformed(error, body) from error

    def _said(self, payload: dict[str, object]) -> str:
        """Returns the answer, empty where the model declined to give one."""
        body = self._body(payload)
        try:
            choice = _MaybeAnswer.model_validate_json(body).choices[0]
        except ValidationError as error:
            raise self._malformed(error, body) from error
        said = choice.message.content or ""
        if choice.finish_reason == "length":
            cut = NoRoom(f"the answer was cut at {payload['max_tokens']} tokens; give max_tokens= more")
            cut.answer = said
            raise cut
        return said

    def _body(self, payload: dict[str, object]) -> bytes:
        deadline = monotonic() + self._timeout
        body = bytearray()
        with closing(self._open(payload)) as response:
            try:
                for chunk in self._bytes(response):
                    body += chunk
                    if monotonic() > deadline:
                        raise self._error(f"no whole answer within {self._timeout:g} s, only {len(body)} bytes")
            except httpx.HTTPError as error:
                raise self._error(f"the answer broke off after {len(body)} bytes: {_named(error)}") from error
        return bytes(body)

    def stream(self, messages: Sequence[Message], *, max_tokens: int = 256) -> Iterator[str]:
        """Yields the model's next turn piece by piece, as the pieces come.

        Raises:
            EndpointError: as `generate`; also when the stream ends before the model was done. The message says
                how much had come.
            InvalidInput: as `generate`.
        """
        came, done = 0, False
        with closing(self._open(self._payload(messages, max_tokens, stream=True))) as response:
            if "json" in response.headers.get("Content-Type", ""):
                raise self._error(f"answered without streaming: {self._excerpt(_start(response))}")
            try:
                for data in events(self._bytes(response)):
                    if data == "[DONE]":
                        return
                    for piece in self._chunk(data).choices[:1]:
                        done = done or piece.finish_reason is not None
                        if piece.delta.content:
                            came += len(piece.delta.content)
                            yield piece.delta.content
            except httpx.HTTPError as error:
                raise self._error(f"the stream broke off after {came} characters: {_named(error)}") from error
        if not done:
            raise self._error(f"the stream ended after {came} characters, before the model was done")

    def _payload(self, messages: Sequence[Message], max_tokens: int, *, stream: bool) -> dict[str, object]:
        if not messages:
            raise InvalidInput("there is no message to answer")
        if max_tokens < 1:
            raise InvalidInput(f"max_tokens={max_tokens}; give at least 1")
        for message in messages:
            try:
                message.content.encode()
            except UnicodeEncodeError as error:
                raise InvalidInput(f"a message has a lone surrogate at {error.start}; remove it") from error
        turns = [{"role": message.role, "content": message.content} for message in messages]
        return {"model": self._model, "messages": turns, "max_tokens": max_tokens, "stream": stream}

    def _open(self, payload: dict[str, object]) -> httpx.Response:
        """Returns a successful answer with its body unread, after as many tries as are allowed."""
        attempt = 0
        while True:
            pause = 0.5 * 2**attempt
            try:
                request = self._client.build_request("POST", self._url, json=payload)
                response = self._client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = self._error(f"cannot connect: {_named(error)}; is the server running?")
                failure.__cause__ = error
            except httpx.TimeoutException as error:
                raise self._error(f"no answer within {self._timeout:g} s; give a longer timeout") from error
            except httpx.HTTPError as error:
                raise self._error(f"no answer: {_named(error)}") from error
            else:
                if response.is_success:
                    return response
                with closing(response):
                    failure = self._refusal(response)
                if response.status_code not in _WORTH_A_RETRY:
                    raise failure
                pause = _retry_after(response, pause)
            if attempt == self._retries or pause > _LONGEST_PAUSE:
                raise failure
            sleep(pause)
            attempt += 1

    def _bytes(self, response: httpx.Response) -> Iterator[bytes]:
        """Yields the body, up to the most that an answer may have."""
        size = 0
        for chunk in response.iter_bytes():
            size += len(chunk)
            if size > _MOST_BYTES:
                raise self._error(f"the answer is larger than {_MOST_BYTES} bytes")
            yield chunk

    def _chunk(self, data: str) -> _Chunk:
        try:
            return _Chunk.model_validate_json(data)
        except ValidationError as error:
            raise self._malformed(error, data.encode()) from error

    def _refusal(self, response: httpx.Response) -> EndpointError:
        status = response.status_code
        mend = _MENDS.get(status, "")
        if response.has_redirect_location:
            mend = f"redirects are not followed, it points to {self._excerpt(response.headers['Location'].encode())}"
        elif "Retry-After" in response.headers:
            mend = f"it asks to wait: Retry-After {self._excerpt(response.headers['Retry-After'].encode())}"
        said = f"{status} {response.reason_phrase}: {self._excerpt(_start(response))}"
        refused = _Refused(f"{self._shown}: {said}; {mend}" if mend else f"{self._shown}: {said}")
        refused.status = status
        return refused

    def _malformed(self, error: ValidationError, body: bytes) -> EndpointError:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        return self._error(f"answered no chat completion ({where}: {first['msg']}): {self._excerpt(body)}")

    def _error(self, what: str) -> EndpointError:
        return EndpointError(f"{self._shown}: {what}")

    def _excerpt(self, body: bytes) -> str:
        """Returns the first 200 characters, quoted, control characters escaped and our own secrets hidden."""
        text = body.decode("utf-8", "replace")
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return f"{text[:200]!r}{'…' if len(text) > 200 else ''}"


def _checked_url(base_url: str) -> httpx.URL:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise InvalidInput(f"base_url is no address: {error}") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise InvalidInput("base_url must be an http or https address, such as http://localhost:11434/v1")
    return url


def _retry_after(response: httpx.Response, default: float) -> float:
    """Returns the seconds that the server asks to wait, given as a number or as a date, else ``default``."""
    asked = response.headers.get("Retry-After", "")
    if asked.isdecimal():
        return float(asked)
    try:
        when = parsedate_to_datetime(asked)
    except ValueError:
        return default
    return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _start(response: httpx.Response) -> bytes:
    """Returns the start of a body that is only wanted for an error's message."""
    body = b""
    with suppress(httpx.HTTPError):  # the error that is being told matters more than the rest of its text
        for chunk in response.iter_bytes(1024):
            body += chunk
            if len(body) > 1024:
                break
    return body


def _named(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()
