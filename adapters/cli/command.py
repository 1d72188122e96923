"""How a command looks: its help, and the options that every command has."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec

import click

from .session import Session

__all__ = ["Command", "with_session"]

P = ParamSpec("P")
_SHARED = {"--memory", "--scope", "--vectors", "--embedder", "--screen", "--json", "--help"}


class Command(click.Command):
    """A command whose help shows its own options first, then those of every command, then examples (the epilog)."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the options in two sections."""
        rows: dict[bool, list[tuple[str, str]]] = {False: [], True: []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record and isinstance(parameter, click.Option):
                rows[not _SHARED.isdisjoint(parameter.opts)].append(record)
        for shared, title in ((False, "Options"), (True, "Options of every command")):
            if rows[shared]:
                with formatter.section(title):
                    formatter.write_dl(rows[shared])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the examples, one a line, never wrapped."""
        if self.epilog:
            with formatter.section("Examples"):
                for line in self.epilog.strip().splitlines():
                    formatter.write(f"{'':{formatter.current_indent}}{line.strip()}\n")


def with_session(command: Callable[Concatenate[Session, P], None]) -> Callable[P, None]:
    """Gives a command the options of every command, as one `Session`."""

    @click.option(
        "--memory",
        "location",
        metavar="PATH",
        envvar="TERCET_MEMORY",
        default="memory.tercet",
        show_default=True,
        show_envvar=True,
        help="Folder of the memory.",
    )
    @click.option(
        "--scope",
        metavar="SCOPE",
        envvar="TERCET_SCOPE",
        default="me",
        show_default=True,
        show_envvar=True,
        help="Whose memory, such as ada or ada/work.",
    )
    @click.option(
        "--vectors/--no-vectors",
        "vectors",
        envvar="TERCET_VECTORS",
        default=True,
        show_default=True,
        show_envvar=True,
        help="Without vectors only words, facts and links vote, and no model is loaded.",
    )
    @click.option(
        "--embedder",
        metavar="NAME",
        envvar="TERCET_EMBEDDER",
        default="",
        show_envvar=True,
        help="A sentence model, by folder or hub name, instead of all-MiniLM-L6-v2; the one the memory was made with.",
    )
    @click.option(
        "--screen",
        type=click.Choice(["off", "refuse", "redact"]),
        envvar="TERCET_SCREEN",
        default="off",
        show_default=True,
        show_envvar=True,
        help="What to do with keys, card numbers and IBANs in what is written.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text for people.")
    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        location = str(kwargs.pop("location"))
        if not location:
            raise click.UsageError("--memory is empty; give the folder of the memory")
        session = Session(
            location,
            scope=str(kwargs.pop("scope")),
            vectors=bool(kwargs.pop("vectors")),
            embedder=str(kwargs.pop("embedder")),
            screen=str(kwargs.pop("screen")),
            as_json=bool(kwargs.pop("as_json")),
        )
        command(session, *args, **kwargs)

    return wrapped
