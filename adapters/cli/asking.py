"""Asks before something is destroyed."""

from __future__ import annotations

import sys

import click

__all__ = ["somebody_is_there", "sure"]


def sure(question: str) -> None:
    """Returns when the person agrees; commands do not ask after ``--yes``.

    Raises:
        click.UsageError: there is nobody to ask.
        click.exceptions.Exit: the person said no; nothing was changed.
    """
    if not somebody_is_there():
        raise click.UsageError("this destroys something and nobody can be asked here; say --yes to go on")
    if not click.confirm(question, err=True):
        click.echo("nothing was changed", err=True)
        raise click.exceptions.Exit(1)


def somebody_is_there() -> bool:
    """Returns whether a person can read a question and answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()
