"""docs/cli.md shows the help of every command as it is.

``TERCET_WRITE_DOCS=1 python -m pytest tests/adapters/test_cli_docs.py`` brings the page up to date.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import tercet
from tercet.adapters.cli import main

PAGE = Path(tercet.__file__).resolve().parent / "docs" / "cli.md"
COMMANDS = sorted(main.commands)


def help_of(name: str) -> str:
    result = CliRunner().invoke(
        main, [name, "--help"], prog_name="tercet", terminal_width=80, env={"TERCET_MEMORY": None}
    )
    assert result.exit_code == 0
    return result.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_shows_the_help_of_every_command(name: str) -> None:
    if os.environ.get("TERCET_WRITE_DOCS"):
        block = re.compile(rf"^(### tercet {name}\n.*?)(^@{name}$|^```text\n.*?^```$)", re.DOTALL | re.MULTILINE)
        shown = f"```text\n$ tercet {name} --help\n{help_of(name)}```"
        PAGE.write_text(block.sub(lambda found: found[1] + shown, PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    assert f"```text\n$ tercet {name} --help\n{help_of(name)}```\n" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does_and_shows_an_example(name: str) -> None:
    told = help_of(name)
    first = told.split("\n\n")[1].strip()
    assert first.endswith(".")
    assert len(first.splitlines()) == 1
    assert f"tercet {name}" in told.split("Examples:\n")[1]
    assert "--json" in told


def test_every_option_has_help() -> None:
    for command in main.commands.values():
        for parameter in command.params:
            assert getattr(parameter, "help", "text") or parameter.param_type_name == "argument", (
                command.name,
                parameter,
            )


def test_the_page_names_no_command_that_is_not_there() -> None:
    assert sorted(re.findall(r"^### tercet (\S+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)) == COMMANDS
