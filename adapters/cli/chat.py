"""The command chat: a conversation with a model that remembers."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...store.errors import AdapterError, EngineError, TercetError
from .asking import somebody_is_there
from .command import Command, with_session
from .inputs import lines_of
from .plain import cut, one_line, plain, safe_json
from .reading import recall_values, told
from .screen import say, show, table, waiting
from .session import Session
from .views import day, notes_rows

if TYPE_CHECKING:
    from ...engines.attention import Effects
    from ...engines.chat import ChatModel
    from ...sdk.dialogue import Dialogue, Reply
    from ...sdk.memory import Memory

__all__ = ["EFFECT", "MINI_CAN", "STORIES", "STORIES_CANNOT", "chat", "model_of"]

MINI_CAN = (
    "tercet-mini has 1.1 million parameters: it shows how memories reach a model. It answers short questions on what "
    "it was told in plain sentences; made-up questions of its own kind it answers nine times of ten."
)
STORIES = Path(__file__).parent / "demo" / "stories260K"
"""A small real model, to show attention with."""
STORIES_CANNOT = (
    "stories260K has 260,000 parameters and has read nothing but children's stories: it shows where attention goes, "
    "it cannot answer."
)
EFFECT = "effect: how many nats of log-likelihood the answer loses without that memory; without any, {}"
_KEY = "TERCET_API_KEY"
_LONGEST_LINE = 1_000_000  # bytes
_HELP = """/why          what the last answer stood on, and what each memory in the attention did for it
/forget ID    forget a memory for good
/new          start the conversation anew; what was said stays in memory
/quit         leave"""


@click.command(
    cls=Command,
    epilog="""
    tercet chat --model Qwen/Qwen3-0.6B --attend
    tercet chat --endpoint http://localhost:11434/v1 --model qwen3
    echo "Where do I live?" | tercet chat --model Qwen/Qwen3-0.6B
    """,
)
@click.option("--model", "name", metavar="NAME", help="A folder, a name on the Hugging Face hub, or the server's name.")
@click.option("--endpoint", metavar="URL", help=f"An OpenAI-compatible server; its key is read from {_KEY}.")
@click.option("--attend", is_flag=True, help="Put memories into the model's attention instead of its prompt.")
@click.option("-k", "--count", "k", metavar="N", type=int, default=5, show_default=True, help="Most memories.")
@click.option("--speaker", metavar="NAME", default="user", show_default=True, help="Who you are in the notes.")
@click.option(
    "--max-tokens", metavar="N", type=click.IntRange(1), help="Longest answer.  [default: 256; 40 without --model]"
)
@with_session
def chat(
    session: Session, name: str | None, endpoint: str | None, attend: bool, k: int, speaker: str, max_tokens: int | None
) -> None:
    """Talks with a model that remembers.

    What is said is written to the memory, and what fits is recalled before each answer. Where nobody sits at a
    terminal, every line of standard input gets one answer. Without --model the small model that comes with Tercet
    answers.
    """
    if endpoint and not name:
        raise click.UsageError("--endpoint needs --model, the name under which the server knows the model")
    from ...sdk.dialogue import Dialogue

    if name is None:
        attend, max_tokens = True, max_tokens or 40  # it reads memories best in attention, and is brief
        say(f"{MINI_CAN} --model NAME talks with a larger one.")
    model = model_of(name, endpoint)
    with session.open(new=True) as memory:
        begin = partial(Dialogue, memory, model, attend=attend, k=k, speaker=speaker, max_tokens=max_tokens or 256)
        with waiting(f"loading {model.name}"):
            dialogue = begin()
        _Conversation(session, memory, dialogue, begin).run()


def model_of(name: str | None, endpoint: str | None) -> ChatModel:
    """Returns the model behind a server, in a folder or on the hub, or the one that comes with Tercet."""
    from ...engines.endpoint import EndpointModel
    from ...engines.local_model import LocalModel
    from ...engines.mini import MINI

    if endpoint:
        return EndpointModel(endpoint, name or "", api_key=os.environ.get(_KEY))
    return LocalModel(name or MINI)


class _Conversation:
    """The loop: a line from the person, an answer from the model, or a command."""

    def __init__(self, session: Session, memory: Memory, dialogue: Dialogue, begin: Callable[[], Dialogue]) -> None:
        self._session = session
        self._memory = memory
        self._dialogue = dialogue
        self._begin = begin
        self._last: Reply | None = None
        self._person = somebody_is_there()

    def run(self) -> None:
        """Talks until there are no more lines, or /quit."""
        if self._person:
            say("/help lists what else you can do; /quit leaves")
        for line in _lines(self._person):
            if line == "/quit":
                return
            if line.startswith("/"):
                self._command(*line.split(maxsplit=1))
            elif line:
                self._answer(line)

    def _answer(self, line: str) -> None:
        try:
            self._last = self._dialogue.say(line, on_text=None if self._session.as_json else _show_piece)
        except TercetError as error:
            self._tell(error)
            return
        if self._session.as_json:
            click.echo(safe_json(_values(self._last), indent=None))
        else:
            click.echo()

    def _command(self, name: str, argument: str = "") -> None:
        if name == "/why" and self._last is None:
            say("nothing has been answered yet")
        elif name == "/why" and self._last is not None:
            self._explain(self._last)
        elif name == "/forget" and argument:
            self._forget(argument)
        elif name == "/new":
            self._dialogue = self._begin()
            say("a new conversation; what was said before stays in memory")
        else:
            say(_HELP)

    def _explain(self, reply: Reply) -> None:
        try:
            _show_why(self._session, reply, reply.effects() if reply.attention and reply.text else None)
        except TercetError as error:
            self._tell(error)

    def _forget(self, id: str) -> None:
        try:
            note = self._memory.get(id)
            if not somebody_is_there():
                raise AdapterError(f"nobody can be asked here; use: tercet forget {note.id} --yes")
            show(table("id", "date", "speaker", "text", rows=notes_rows([note])), err=True)
            if not click.confirm("Forget this note for good, with every version of it?", err=True):
                return
            self._memory.forget(note.id)
        except TercetError as error:
            self._tell(error)
            return
        self._dialogue, self._last = self._begin(), None
        say("forgotten; the conversation starts anew, so that the model does not see it either")

    def _tell(self, error: TercetError) -> None:
        """A person can go on after an error; a script must not overlook it."""
        if not self._person:
            raise error
        click.echo(f"error: {one_line(str(error))}", err=True)
        if isinstance(error, EngineError):
            say("/new begins a new conversation, with an empty context")


def _lines(person: bool) -> Iterator[str]:
    """Yields what is said, a line at a time, until the end of input."""
    if not person:
        yield from (line.strip() for line in lines_of(sys.stdin.buffer, "standard input", limit=_LONGEST_LINE))
        return
    with suppress(ImportError):
        import readline  # noqa: F401  (gives input() its editing and its history)
    while True:
        try:
            yield input("> ").strip()
        except EOFError:
            click.echo()  # the prompt's line ends
            return


def _show_piece(piece: str) -> None:
    click.echo(plain(piece), nl=False)


def _show_why(session: Session, reply: Reply, effects: Effects | None) -> None:
    """Prints what an answer stood on."""
    from ..heat_map import nats

    if session.as_json:
        told_too = {} if effects is None else {"effects": list(effects.each), "together": effects.together}
        click.echo(safe_json(_values(reply) | told_too, indent=None))
        return
    if not reply.recall:
        say("nothing was recalled")
        return
    shares = [f"{share:.1%}" for share in reply.attention] if reply.attention else ["in the prompt"] * len(reply.recall)
    rows = [
        (
            shares[place],
            nats(effects.each[place]) if effects else "",
            f"{found.score:.2f}",
            day(found.note.happened),
            cut(one_line(found.note.speaker), 20),
            told(found),
        )
        for place, found in enumerate(reply.recall)
    ]
    heads = ("attention", "effect", "score", "date", "speaker", "memory")
    show(table(*heads, rows=rows, right=heads[:3]))
    if effects:
        say(EFFECT.format(nats(effects.together)))


def _values(reply: Reply) -> dict[str, object]:
    return {
        "text": reply.text,
        "note": reply.note.id,
        "attention": None if reply.attention is None else list(reply.attention),
        "recall": recall_values(reply.recall),
    }
