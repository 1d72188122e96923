"""The program: its commands, and how errors end it."""

from __future__ import annotations

import sys

import click

from ... import __version__
from ...store.errors import TercetError
from . import care, moving, reading, trust, writing
from .calibrate import calibrate
from .calling import call
from .chat import chat
from .extract import extract
from .graph import graph
from .history import history
from .limits import limit
from .plain import one_line
from .summarise import summarise
from .timeline import timeline
from .tour import demo
from .why import why

__all__ = ["main"]

_SECTIONS = {
    "Try": (demo,),
    "Remember": (writing.write, moving.import_, extract, summarise, chat),
    "Look": (
        reading.read,
        reading.list_,
        reading.show_,
        reading.facts,
        call,
        timeline,
        history,
        graph,
        why,
        reading.stats,
    ),
    "Change": (writing.revise, writing.undo, trust.quarantine, trust.release, writing.forget),
    "Care": (care.doctor, care.rebuild, calibrate, limit, moving.export),
}


class _Failure(click.ClickException):
    """An error of Tercet's: one line, exit code 1."""

    def show(self, file: object = None) -> None:
        click.echo(f"error: {one_line(self.message)}", err=True)


class _Program(click.Group):
    """The group of all commands."""

    def invoke(self, ctx: click.Context) -> object:
        """Runs a command; errors of Tercet and of the machine become one line, an interrupt exits with 130."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")  # a terminal that knows no Unicode
        try:
            return super().invoke(ctx)
        except TercetError as error:
            raise _Failure(str(error)) from error
        except BrokenPipeError:
            raise
        except OSError as error:
            if error.strerror is None:
                raise
            raise _Failure(f"{error.strerror}: {error.filename}" if error.filename else error.strerror) from error
        except (KeyboardInterrupt, click.Abort):
            click.echo(err=True)
            raise click.exceptions.Exit(130) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands by what they are for."""
        width = max(map(len, self.commands))
        for title, commands in _SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{one.name:{width}}", one.get_short_help_str(80)) for one in commands])


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="tercet %(version)s")
def main() -> None:
    """Tercet: a memory for agents that you can write, read and forget."""


for _commands in _SECTIONS.values():
    for _command in _commands:
        main.add_command(_command)
