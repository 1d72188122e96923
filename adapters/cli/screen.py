"""The terminal: tables, bars and colours where a person looks, bare text everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

__all__ = ["console", "labelled", "progress", "say", "show", "table", "waiting"]

_UNLIMITED = 100_000  # columns where nobody looks: lines of a pipe are never folded


def console(*, err: bool = False) -> Console:
    """Returns a console that takes no text for markup."""
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    return Console(
        stderr=err, markup=False, highlight=False, emoji=False, width=None if stream.isatty() else _UNLIMITED
    )


def show(*things: RenderableType, err: bool = False) -> None:
    """Prints for people, without blanks at the ends of lines."""
    out = console(err=err)
    with out.capture() as captured:
        for thing in things:
            out.print(thing)
    click.echo("\n".join(line.rstrip() for line in captured.get().removesuffix("\n").split("\n")), err=err)


def say(remark: str) -> None:
    """Prints a remark that is no part of the answer, such as that there is more."""
    from rich.text import Text

    show(Text(remark, "dim"), err=True)


def table(*heads: str, rows: Sequence[Sequence[str | Text]], right: Sequence[str] = ()) -> Table:
    """Returns a table without lines; the last column takes what is left of the width.

    Args:
        heads: the columns.
        rows: their cells, already safe to print.
        right: the columns with numbers.
    """
    from rich.table import Table

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for head in heads:
        last = head == heads[-1]
        made.add_column(
            head,
            justify="right" if head in right else "left",
            no_wrap=not last,
            overflow="fold" if last else "ellipsis",
        )
    for row in rows:
        made.add_row(*row)
    return made


def labelled(pairs: Sequence[tuple[str, str | Text]]) -> Table:
    """Returns names and values, one pair a line; pairs without a value are left out."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs:
        if value:
            made.add_row(name, value)
    return made


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Draws a bar on a terminal's standard error while the block runs.

    Args:
        what: is being done.
        total: how many steps there are, None if nobody knows.

    Yields:
        what to call with the number of further steps done.
    """
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console(err=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Shows on a terminal's standard error that something is going on."""
    if not sys.stderr.isatty():
        yield
        return
    with console(err=True).status(what):
        yield
