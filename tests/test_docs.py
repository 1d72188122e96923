"""README and docs are true: their Python runs, their commands exit 0, their tables are whole.

A block after a line ``<!-- not run: reason -->`` is left out. The Python blocks of a page run one after the other in
one folder, as a reader would type them; ``$ tercet`` lines of console blocks run in a folder of their own.
"""

import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from servers import Server  # type: ignore[import-not-found]

from tercet.store import errors

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WITH_SERVER = ROOT / "docs" / "postgres.md"
_BLOCK = re.compile(
    r"(?P<skip><!-- not run: [^>]+ -->\n)?^```(?P<kind>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)


def _blocks(page: Path, kind: str) -> Iterator[str]:
    for found in _BLOCK.finditer(page.read_text()):
        if found["kind"] == kind and not found["skip"]:
            yield found["code"]


@pytest.mark.parametrize("page", [page for page in PAGES if page != WITH_SERVER], ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for code in _blocks(page, "python"):
        exec(compile(code, str(page), "exec"), names)


@pytest.mark.postgres
def test_what_is_said_of_postgresql_is_done(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        for block in _blocks(WITH_SERVER, "sql"):
            inside, _, rest = block.partition("\n")
            for statement in filter(str.strip, (rest if inside.startswith("--") else block).split(";")):
                server.execute(statement, database="tercet" if inside.startswith("--") else "tests")
        place = server.superuser.replace("postgres:@", "tercet:change-me@").replace("/tests?", "/tercet?")
        monkeypatch.setenv("TERCET_MEMORY", place)
        test_the_python_of_a_page_runs(WITH_SERVER, tmp_path, monkeypatch)
        told = capsys.readouterr().out
        assert "Lisbon" in told
        assert "write-ahead log moved on" in told  # with the rights that the page grants
    finally:
        server.execute("DROP DATABASE IF EXISTS tercet WITH (FORCE)")
        server.execute("DROP OWNED BY tercet")
        server.execute("DROP ROLE IF EXISTS tercet")


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "cli.md"], ids=lambda page: page.name)
def test_the_commands_of_a_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tercet.adapters.cli import main

    monkeypatch.chdir(tmp_path)
    model = str(ROOT / "adapters" / "cli" / "demo" / "stories260K")
    for code in _blocks(page, "console"):
        for line in code.splitlines():
            if line.startswith("$ tercet "):
                arguments = [model if word == "MODEL" else word for word in shlex.split(line)[2:]]
                done = CliRunner().invoke(main, arguments)
                assert done.exit_code == 0, f"{line}: {done.output} {done.stderr}"


def test_every_link_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_error_is_documented() -> None:
    page = (ROOT / "docs" / "errors.md").read_text()
    for name, kind in inspect.getmembers(errors, inspect.isclass):
        assert issubclass(kind, errors.TercetError)
        assert f"`{name}`" in page
        assert name in (errors.__doc__ or "")


def test_the_readme_begins_with_what_a_stranger_needs() -> None:
    readme = (ROOT / "README.md").read_text()
    assert readme.index("make demo") < readme.index("memory.write(") < 2_500
    assert "make test" in readme
