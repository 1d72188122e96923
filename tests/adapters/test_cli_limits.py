import json
from collections.abc import Callable

from click.testing import Result

CLI = Callable[..., Result]


def test_a_limit_is_set_shown_kept_and_lifted(cli: CLI) -> None:
    assert "no limits" in cli("limit").output
    assert cli("limit", "--notes", "2").exit_code == 0
    assert cli("write", "one").exit_code == 0
    assert cli("write", "two").exit_code == 0
    refused = cli("write", "three")
    assert refused.exit_code == 1
    assert "limit" in refused.output
    assert json.loads(cli("limit", "--json").output)["me"] == {
        "notes": 2,
        "bytes": None,
        "used_notes": 2,
        "used_bytes": 6,
    }
    assert "any number" in cli("limit").output
    assert cli("limit", "--none").exit_code == 0
    assert cli("write", "three").exit_code == 0
    assert cli("limit", "--none").exit_code == 1


def test_lifting_and_setting_at_once_is_refused(cli: CLI) -> None:
    assert cli("limit", "--none", "--notes", "3").exit_code == 2
