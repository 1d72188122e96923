"""What every test may use: memories without a model, and the shared data where it is there."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from factories import Memories  # type: ignore[import-not-found]
from hypothesis import HealthCheck, settings

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


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memories]:
    """Opens memories in the test's own folder: ``memory(scope, folder, embedder=…, extractor=…)``."""
    memories = Memories(tmp_path)
    yield memories
    memories.close()
