from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

import pytest
from click.testing import Result

from tercet.adapters.cli import chat
from tercet.engines import local_model
from tercet.engines.chat import Message
from tercet.store.errors import EngineError

Run = Callable[..., Result]


class Parrot:
    """A model that repeats the last message, in two pieces, one of them hostile."""

    def __init__(self, name_or_folder: object) -> None:
        self.name = str(name_or_folder)

    def count(self, text: str) -> int:
        return len(text)

    def generate(self, messages: Sequence[Message], *, max_tokens: int = 256) -> str:
        return "".join(self.stream(messages, max_tokens=max_tokens))

    def stream(self, messages: Sequence[Message], *, max_tokens: int = 256) -> Iterator[str]:
        asked = messages[-1].content.splitlines()[0]
        if asked == "break":
            raise EngineError("a prompt of 999 tokens leaves no room")
        yield f"You said \x1b[31m{len(messages)}:"
        yield f" {asked}"


@pytest.fixture
def parrot(cli: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(local_model, "LocalModel", Parrot)

    def run(*arguments: str, stdin: str = "") -> Result:
        return cli("chat", "--model", "parrot", *arguments, stdin=stdin)

    return run


@pytest.fixture
def typed(parrot: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The same with a person at the terminal."""

    def run(*lines: str, answer: str = "") -> Result:
        monkeypatch.setattr(chat, "somebody_is_there", lambda: True)
        monkeypatch.setattr(chat, "_lines", lambda person: iter(lines))
        return parrot(stdin=answer)

    return run


def test_every_line_gets_an_answer_and_is_remembered(parrot: Run, cli: Run) -> None:
    result = parrot("--speaker", "Ada", stdin="I live in Leeds.\n\nThe cat is Juno.\n")
    assert result.stdout == "You said \\x1b[31m2: I live in Leeds.\nYou said \\x1b[31m4: The cat is Juno.\n"
    notes = json.loads(cli("list", "--json").stdout)
    assert [(note["speaker"], note["origin"]) for note in notes] == [("assistant", "model"), ("Ada", "user")] * 2
    assert len({note["thread"] for note in notes}) == 1


def test_a_later_conversation_recalls_the_earlier(parrot: Run) -> None:
    parrot(stdin="I live in Leeds.\n")
    answer = json.loads(parrot("--json", "-k", "1", stdin="Where in Leeds do I live?\n").stdout)
    assert [found["note"]["text"] for found in answer["recall"]] == ["I live in Leeds."]
    assert answer["attention"] is None
    assert answer["text"].startswith("You said \x1b[31m")


def test_json_is_one_line_an_answer(parrot: Run) -> None:
    lines = parrot("--json", stdin="one thing\nanother thing\n").stdout.splitlines()
    assert [json.loads(line)["text"][-5:] for line in lines] == ["thing", "thing"]


def test_why_tells_what_the_answer_stood_on(parrot: Run) -> None:
    parrot(stdin="I live in Leeds.\n")
    shown = parrot(stdin="/why\nDo I live in Leeds?\n/why\n")
    assert "nothing has been answered yet" in shown.stderr
    assert "in the prompt" in shown.stdout
    assert "I live in Leeds." in shown.stdout
    assert "words 1.00" in shown.stdout


def test_quit_ends_it(parrot: Run) -> None:
    assert parrot(stdin="/quit\nnever said\n").stdout == ""


def test_an_error_ends_a_script(parrot: Run) -> None:
    result = parrot(stdin="break\nnot reached\n")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: a prompt of 999 tokens leaves no room\n"


def test_an_error_does_not_end_a_person_s_conversation(typed: Run) -> None:
    result = typed("break", "/new", "hello there")
    assert result.exit_code == 0
    assert "error: a prompt of 999 tokens leaves no room" in result.stderr
    assert "/new begins a new conversation" in result.stderr
    assert result.stdout.endswith("2: hello there\n")


def test_new_empties_the_context(typed: Run) -> None:
    shown = typed("one", "two", "/new", "three").stdout
    assert [line.split(":")[0][-1] for line in shown.splitlines()] == ["2", "4", "2"]


def test_help_lists_the_commands(typed: Run) -> None:
    for line in ("/help", "/nonsense", "/forget"):
        assert "/forget ID    forget a memory for good" in typed(line).stderr


def test_forget_asks_and_starts_anew(typed: Run, cli: Run) -> None:
    cli("write", "a secret")
    id = json.loads(cli("list", "--json").stdout)[0]["id"]
    kept = typed(f"/forget {id}", answer="n\n")
    assert "a secret" in kept.stderr
    assert cli("show", id).exit_code == 0
    gone = typed("one", "two", f"/forget {id}", "three", answer="y\n")
    assert "forgotten; the conversation starts anew" in gone.stderr
    assert gone.stdout.splitlines()[-1].endswith("2: three")
    assert cli("show", id).exit_code == 1
    assert "no note 'xyz'" in typed("/forget xyz").stderr


def test_a_script_cannot_be_asked_to_forget(parrot: Run, cli: Run) -> None:
    cli("write", "a secret")
    id = json.loads(cli("list", "--json").stdout)[0]["id"]
    result = parrot(stdin=f"/forget {id}\n")
    assert result.exit_code == 1
    assert "nobody can be asked here" in result.stderr
    assert cli("show", id).exit_code == 0


def test_an_endpoint_needs_a_model_s_name_and_cannot_attend(cli: Run) -> None:
    assert cli("chat", "--endpoint", "http://127.0.0.1:9/v1").exit_code == 2
    refused = cli("chat", "--endpoint", "http://127.0.0.1:9/v1", "--model", "m", "--attend")
    assert refused.exit_code == 1
    assert "attention" in refused.stderr
    wrong = cli("chat", "--endpoint", "file:///etc/passwd", "--model", "m")
    assert wrong.exit_code == 1
    assert wrong.stderr.startswith("error: base_url must be")


def test_a_model_that_is_not_there_is_one_line(cli: Run) -> None:
    result = cli("chat", "--model", "./no/such/model", stdin="hello\n")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("error: there is no folder no/such/model")


def test_without_a_model_the_small_one_answers_from_memory(cli: Run) -> None:
    cli("write", "Mia lives in Lisbon.", "--speaker", "Ada")
    result = cli("chat", "--json", stdin="Where does Mia live?\n")
    assert result.exit_code == 0, result.output
    assert "in plain sentences" in result.stderr
    answer = json.loads(result.stdout)
    assert answer["text"] == "Lisbon."
    assert [found["note"]["speaker"] for found in answer["recall"]] == ["Ada"]
    assert 0 < answer["attention"][0] < 1
