"""``tercet doctor --fix``."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

from click.testing import Result


def test_the_program_mends_and_says_so(cli: Callable[..., Result], tmp_path: Path) -> None:
    cli("write", "Ada moved.", "--fact", "Ada|lives in|Porto")
    folder = tmp_path / "memory.tercet"
    with sqlite3.connect(folder / "memory.db") as connection:
        connection.execute("DELETE FROM mention")
    connection.close()
    folder.chmod(0o755)
    (folder / "records").mkdir(exist_ok=True)
    (folder / "records" / "left.safetensors").write_bytes(b"left over")
    assert cli("doctor").exit_code == 1
    mended = cli("doctor", "--fix", "--json")
    found = json.loads(mended.stdout)
    fixed = [one["detail"] for one in found if one["check"] == "fix"]
    assert fixed[0].endswith("are their owner's only now")
    assert fixed[1:] == ["graph made anew from the notes"]
    assert not any(one["level"] == "fail" for one in found)
    assert not (folder / "records" / "left.safetensors").exists()
