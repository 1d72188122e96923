"""The house: floors, rooms, faces, and what an import may not do."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ("store", "engines", "sdk", "adapters")
FILES = sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))
EVERY = [
    *FILES,
    ROOT / "__init__.py",
    *sorted(path for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")),
]


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _imports(path: Path) -> Iterator[tuple[int, str, ast.stmt]]:
    """Yields (level, module, statement) of every import, also of those inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield node.level, node.module or "", node
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield 0, alias.name, node


def _constants_classes_functions(name: str) -> tuple[bool, bool, str]:
    return not name.isupper(), not name[0].isupper(), name


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_imports_point_down_and_are_relative(path: Path) -> None:
    parts = path.relative_to(ROOT).parts
    for level, module, node in _imports(path):
        assert not (level == 0 and module.split(".")[0] == "tercet"), f"line {node.lineno}: relative inside the house"
        if level:
            target = [*parts[: len(parts) - level], *filter(None, module.split("."))]
            if not target:
                assert isinstance(node, ast.ImportFrom)
                assert [alias.name for alias in node.names] == ["__version__"], f"line {node.lineno}: all the root has"
                continue
            assert FLOORS.index(target[0]) <= FLOORS.index(parts[0]), f"line {node.lineno}: {target[0]} is above"


@pytest.mark.parametrize("path", EVERY, ids=_name)
def test_rooms_are_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_faces_are_sorted_and_whole(path: Path) -> None:
    tree = ast.parse(path.read_text())
    faces = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets)
    ]
    defined = [
        node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name[0] != "_"
    ]
    if not faces:
        assert not defined or path.name == "__init__.py", "a room with public names needs __all__"
        return
    assert faces[0] == sorted(faces[0], key=_constants_classes_functions)
    assert len(set(faces[0])) == len(faces[0])
    assert set(defined) <= set(faces[0]), "what is public stands in __all__; what is not begins with _"
    text = path.read_text()
    assert all(re.search(rf"\b{name}\b", text.replace(f'"{name}"', "")) for name in faces[0])


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        ("torch", ("engines/",)),
        ("transformers", ("engines/",)),
        ("faiss", ("store/vectors.py",)),
        ("networkx", ("adapters/graphml.py",)),
    ],
)
def test_heavy_libraries_have_one_home(library: str, homes: tuple[str, ...]) -> None:
    users = {_name(path) for path in FILES for _, module, _ in _imports(path) if module.split(".")[0] == library}
    assert users
    assert all(user.startswith(homes) for user in users), users


def test_nothing_is_swallowed() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler):
                where = f"{_name(path)}:{node.lineno}"
                broad = node.type is None or (isinstance(node.type, ast.Name) and node.type.id.endswith("Exception"))
                silent = all(isinstance(step, ast.Pass | ast.Continue) for step in node.body)
                assert not (broad and silent), where


# What is asked for beyond Python's own start: files opened that are no code, sockets made, processes begun.
_AUDIT = """
import os, sys
seen, environment = [], dict(os.environ)
watch = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "sqlite3.connect", "os.mkdir", "os.remove")
code = (".py", ".pyc", ".pyd", ".so", ".dylib", ".zip")
def hook(event, args):
    if event.startswith(watch):
        seen.append(event)
    elif event == "open" and set(str(args[1])) & set("wax+"):
        seen.append(f"{event} {args[0]} {args[1]}")
    elif event == "open" and not (str(args[0]).endswith(code) or ".dist-info" in str(args[0])):
        seen.append(f"{event} {args[0]}")  # pydantic asks what is installed for its plugins
import importlib.machinery
sys.dont_write_bytecode = True
sys.addaudithook(hook)
import tercet
tercet.Memory, tercet.Dialogue
assert dict(os.environ) == environment
print([name for name in ("torch", "transformers", "faiss", "networkx") if name in sys.modules], seen)
"""


def test_importing_loads_no_model_and_opens_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _AUDIT],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT / ".dev",
        timeout=120,
    )
    assert done.stdout.strip() == "[] []"
    assert done.stderr == ""


def test_the_root_gives_what_it_says() -> None:
    import tercet

    assert tercet.__all__ == sorted(tercet.__all__)
    assert all(getattr(tercet, name) is not None for name in tercet.__all__)
    with pytest.raises(AttributeError, match="Nothing"):
        tercet.Nothing  # noqa: B018
